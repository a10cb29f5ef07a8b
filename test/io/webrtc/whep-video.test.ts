import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { createVideoPacketLane } from "../../../src/hub/stream-lanes.ts"
import { TypeScriptFanout } from "../../../src/io/webrtc/fanout-typescript.ts"
import { RemoteAddress } from "../../../src/io/webrtc/remote-address.ts"
import { createUnprotector } from "../../../src/io/webrtc/srtp/unprotect.ts"
import { StreamPump } from "../../../src/io/webrtc/stream-pump.ts"
import { WhepVideo } from "../../../src/io/webrtc/whep-video.ts"
import { unwrapU16 } from "../../../src/media/time.ts"
import { parse } from "./fanout-support.ts"

const FRAME_MS = 40
const FRAME_TICKS = 3_600
/** Of a picture. */
const PACKETS = 3

/** A layer of simulcast: a lane, its pump, and a clock and numbers of its own. */
class Layer {
  readonly lane = createVideoPacketLane({ cacheMaxBytes: 1e7, cacheMaxMs: 60_000 })
  readonly pump: StreamPump
  readonly name: string
  readonly #firstTimestamp: number
  readonly #lagMs: number
  #next: number

  constructor(fanout: TypeScriptFanout, name: string, { first = 0, firstTimestamp = 0, lagMs = 0 } = {}) {
    this.name = name
    this.#next = first
    this.#firstTimestamp = firstTimestamp
    this.#lagMs = lagMs
    this.pump = new StreamPump(this.lane, "video", name, fanout)
  }

  /** A picture of the layer, its packets from `first` to `end`. */
  picture(index: number, isKeyframe = false, { first = 0, end = PACKETS } = {}): void {
    for (let i = first; i < end; i++) this.#packet(index, i, isKeyframe)
  }

  #packet(index: number, i: number, isKeyframe: boolean): void {
    const ptsUs = (1000 + index * FRAME_MS - this.#lagMs) * 1000
    const payload = Buffer.from(`${this.name} ${index}.${i}${isKeyframe ? " key" : ""}`)
    this.lane.push({
      kind: "video",
      timestamp: (this.#firstTimestamp + (ptsUs / 1000) * 90) >>> 0,
      ptsUs,
      startsKeyframe: isKeyframe && i === 0,
      packets: [{ sequenceNumber: this.#next++ & 0xffff, marker: i === PACKETS - 1, payload }],
    })
  }
}

interface Seen {
  readonly sequenceNumber: number
  readonly timestamp: number
  readonly payload: string
}

/** A viewer of two layers, decrypted. */
function watch({ high = {}, low = {} }: { high?: object; low?: object } = {}) {
  const seen: Seen[] = []
  const master = { profile: "AES128_CM_SHA1_80", key: new Uint8Array(16), salt: new Uint8Array(14) } as const
  const unprotector = createUnprotector(master)
  const fanout = new TypeScriptFanout((datagram) => {
    const { sequenceNumber, timestamp, payload } = parse(unprotector.unprotect(new Uint8Array(datagram)))
    const newest = seen.at(-1)?.sequenceNumber ?? sequenceNumber
    const text = Buffer.from(payload, "hex").toString()
    seen.push({ sequenceNumber: unwrapU16(sequenceNumber, newest), timestamp, payload: text })
  })
  const layers = { high: new Layer(fanout, "high", high), low: new Layer(fanout, "low", low) }
  const keys = { profile: master.profile, local: master, remote: master }
  const track = { trackId: "video", ssrc: 1, payloadType: 96, firstSequenceNumber: 32_000 }
  const viewerId = fanout.addViewer({ remote: new RemoteAddress(), keys, tracks: [track] })
  const errors: unknown[] = []
  const open = (pump: StreamPump) =>
    new WhepVideo({
      fanout,
      viewerId,
      trackId: "video",
      pump,
      nowMs: () => Date.now(),
      hasTransportFeedback: false,
      catchUpBitrateBps: 8e9,
      onError: (error) => errors.push(error),
    })
  return { seen, ...layers, open, errors, fanout, viewerId }
}

const payloads = (seen: readonly Seen[]) => seen.map(({ payload }) => payload)

/** Numbers rise one by one, and no timestamp goes back. */
function expectRunsOn(seen: readonly Seen[]): void {
  const steps = seen.slice(1).map(({ sequenceNumber, timestamp }, i) => {
    const before = seen[i] as Seen
    return { number: sequenceNumber - before.sequenceNumber, isBack: ((timestamp - before.timestamp) | 0) < 0 }
  })
  expect(steps.filter(({ number, isBack }) => number !== 1 || isBack)).toEqual([])
}

describe("a viewer changes to another layer", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 0 })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test("at its next keyframe, and stays with what it has until then", () => {
    const { seen, high, low, open, fanout, viewerId } = watch({
      low: { first: 65_530, firstTimestamp: 0xffff_f000 },
      high: { first: 100, firstTimestamp: 500_000 },
    })
    for (let i = 0; i < 30; i++) {
      low.picture(i, i === 0)
      high.picture(i, i === 0)
    }
    const video = open(low.pump)
    vi.advanceTimersByTime(FRAME_MS)
    seen.length = 0
    video.switchTo(high.pump)
    expect([video.current, video.wish]).toEqual([low.pump, high.pump])
    low.picture(30)
    high.picture(30)
    low.picture(31)
    high.picture(31, true)
    low.picture(32)
    high.picture(32)
    expect([video.current, video.wish, video.isLive]).toEqual([high.pump, undefined, true])
    const pictures = ["low 30", "low 31", "high 31", "high 32"]
    expect(payloads(seen).map((text) => text.split(".")[0])).toEqual(pictures.flatMap((name) => [name, name, name]))
    expectRunsOn(seen)
    const timestamps = [...new Set(seen.map(({ timestamp }) => timestamp))]
    const first = timestamps[0] as number
    // The same moment once more, then the true distance.
    expect(timestamps.map((timestamp) => timestamp - first)).toEqual([0, FRAME_TICKS, FRAME_TICKS + 1, 2 * FRAME_TICKS])
    expect(fanout.stats(viewerId, "video")).toMatchObject({ packetCount: 34 * 3, ptsUs: 2_280_000 })
  })

  test("at once where that has a keyframe of the last second, pressed to the live edge", () => {
    const { seen, high, low, open } = watch({ high: { first: 9_000, firstTimestamp: 77_777 } })
    for (let i = 0; i < 40; i++) {
      low.picture(i, i === 0)
      high.picture(i, i === 20)
    }
    const video = open(low.pump)
    vi.advanceTimersByTime(FRAME_MS)
    const before = seen.length
    video.switchTo(high.pump)
    expect(video.current).toBe(high.pump)
    vi.advanceTimersByTime(FRAME_MS)
    low.picture(40)
    high.picture(40)
    expect(payloads(seen.slice(before))[0]).toBe("high 20.0 key")
    expect(seen.slice(before)).toHaveLength(3 * 21)
    expectRunsOn(seen)
    const [last, ...others] = seen.toReversed()
    expect((last as Seen).timestamp - (others[3] as Seen).timestamp).toBeGreaterThan(FRAME_TICKS - 300)
    expect(video.isLive).toBe(true)
  })

  test("not with a keyframe from before a pause, of which nothing came since", () => {
    const { seen, high, low, open } = watch()
    high.picture(0, true)
    for (let i = 0; i < 60; i++) low.picture(i, i === 0)
    const video = open(low.pump)
    video.switchTo(high.pump)
    high.picture(60)
    low.picture(60)
    expect(video.current).toBe(low.pump)
    expect(payloads(seen).filter((text) => text.startsWith("high"))).toEqual([])
  })

  test("between two pictures, though packets of both come mixed", () => {
    const { seen, high, low, open } = watch()
    low.picture(0, true)
    const video = open(low.pump)
    video.switchTo(high.pump)
    low.picture(1, false, { end: 2 })
    high.picture(1, true, { end: 2 })
    expect(video.current).toBe(low.pump)
    low.picture(1, false, { first: 2 })
    expect(video.current).toBe(high.pump)
    high.picture(1, true, { first: 2 })
    expect(payloads(seen).slice(3)).toEqual([
      "low 1.0",
      "low 1.1",
      "low 1.2",
      "high 1.0 key",
      "high 1.1 key",
      "high 1.2 key",
    ])
    expectRunsOn(seen)
  })

  test("even if the former one broke off within a picture", () => {
    const { high, low, open } = watch()
    low.picture(0, true)
    const video = open(low.pump)
    video.switchTo(high.pump)
    low.picture(1, false, { end: 2 })
    high.picture(1, true)
    expect(video.current).toBe(high.pump)
    expect([low.lane.hasSubscribers, high.lane.hasSubscribers]).toEqual([false, true])
    video.close()
    expect(high.lane.hasSubscribers).toBe(false)
  })

  test("that is behind in time, and gets its true times as soon as they do not go back", () => {
    const { seen, high, low, open } = watch({ high: { lagMs: 100 } })
    low.picture(0, true)
    const video = open(low.pump)
    video.switchTo(high.pump)
    for (let i = 1; i < 8; i++) {
      vi.advanceTimersByTime(FRAME_MS)
      low.picture(i)
      high.picture(i, i === 3)
      expect(video.isLive).toBe(i < 3 || i > 5)
    }
    const first = seen[0] as Seen
    const starts = seen.filter(({ payload }) => payload.includes(".0"))
    const ofLow = [0, 1, 2, 3].map((i) => i * FRAME_TICKS)
    const pressed = [1, 2, 3].map((i) => 3 * FRAME_TICKS + i)
    const ofHigh = [6, 7].map((i) => i * FRAME_TICKS - 100 * 90)
    expect(starts.map(({ timestamp }) => timestamp - first.timestamp)).toEqual([...ofLow, ...pressed, ...ofHigh])
    expectRunsOn(seen)
  })

  test("and back, as often as it likes, without its times drifting from those of the stream", () => {
    const { seen, high, low, open } = watch({ high: { lagMs: 30, firstTimestamp: 123_456 } })
    low.picture(0, true)
    high.picture(0, true)
    const video = open(low.pump)
    for (let i = 1; i < 200; i++) {
      if (i % 5 === 0) video.switchTo(video.current === low.pump ? high.pump : low.pump)
      low.picture(i, i % 5 === 1)
      high.picture(i, i % 5 === 1)
    }
    video.switchTo(low.pump)
    for (let i = 200; i < 205; i++) low.picture(i, i === 200)
    expect(video.current).toBe(low.pump)
    const lasts = seen.filter(({ payload }) => payload.startsWith("low 204"))
    expect((lasts[0] as Seen).timestamp - (seen[0] as Seen).timestamp).toBe(204 * FRAME_TICKS)
    expectRunsOn(seen)
  })

  test("not any more once it wants its own again, or a third one", () => {
    const { high, low, open, fanout } = watch()
    const third = new Layer(fanout, "third")
    low.picture(0, true)
    const video = open(low.pump)
    video.switchTo(high.pump)
    expect(high.lane.hasSubscribers).toBe(true)
    video.switchTo(third.pump)
    expect([video.wish, high.lane.hasSubscribers, third.lane.hasSubscribers]).toEqual([third.pump, false, true])
    video.switchTo(low.pump)
    expect([video.wish, third.lane.hasSubscribers, low.lane.hasSubscribers]).toEqual([undefined, false, true])
    high.picture(1, true)
    third.picture(1, true)
    expect(video.current).toBe(low.pump)
  })

  test("while it has no picture yet", () => {
    const { seen, high, low, open } = watch()
    const video = open(low.pump)
    video.switchTo(high.pump)
    expect(vi.getTimerCount()).toBe(0)
    low.picture(0)
    high.picture(0, true)
    expect(payloads(seen)).toEqual(["high 0.0 key", "high 0.1 key", "high 0.2 key"])
    expect(video.current).toBe(high.pump)
  })

  test("and begins there again where it loses its picture", () => {
    const { seen, high, low, open } = watch({ high: { first: 40_000, firstTimestamp: 90_000_000 } })
    low.picture(0, true)
    const video = open(low.pump)
    video.switchTo(high.pump)
    high.picture(1, true)
    for (let i = 2; i < 5; i++) high.picture(i)
    vi.advanceTimersByTime(2_000)
    video.restart()
    high.picture(5)
    expect(payloads(seen).filter((text) => text === "high 1.0 key")).toHaveLength(2)
    expectRunsOn(seen)
  })

  test("and leaves all layers when it goes", () => {
    const { high, low, open } = watch()
    low.picture(0, true)
    const video = open(low.pump)
    video.switchTo(high.pump)
    video.close()
    video.switchTo(high.pump)
    expect([high.lane.hasSubscribers, low.lane.hasSubscribers, video.wish]).toEqual([false, false, undefined])
    expect(vi.getTimerCount()).toBe(0)
  })

  test("with numbers and times that run on, whatever comes when", () => {
    const step = fc.record({
      layer: fc.constantFrom("high" as const, "low" as const),
      isKeyframe: fc.boolean(),
      end: fc.constantFrom(1, 3, 3, 3),
      wish: fc.constantFrom("high" as const, "low" as const, undefined, undefined),
      isRestart: fc.constantFrom(true, false, false, false),
      passMs: fc.constantFrom(0, 1, 40, 1_500),
    })
    const numbers = fc.record({
      first: fc.nat(65_535),
      firstTimestamp: fc.nat(0xffff_ffff),
      lagMs: fc.constantFrom(0, 3, 70, 900),
    })
    fc.assert(
      fc.property(numbers, numbers, fc.array(step, { maxLength: 60 }), (forHigh, forLow, steps) => {
        const { seen, errors, open, ...layers } = watch({ high: forHigh, low: forLow })
        const video = open(layers.low.pump)
        steps.forEach(({ layer, isKeyframe, end, wish, isRestart, passMs }, index) => {
          if (wish !== undefined) video.switchTo(layers[wish].pump)
          if (isRestart) video.restart()
          layers[layer].picture(index, isKeyframe, { end })
          vi.advanceTimersByTime(passMs)
        })
        video.close()
        expect(errors).toEqual([])
        expectRunsOn(seen)
      }),
      { numRuns: 300 },
    )
  })
})
