import { describe, expect, test } from "vitest"
import { VideoFramesToRtp } from "../../src/bridge/frames-to-rtp.ts"
import { DecodingTimes } from "../../src/bridge/rtp-decoding-time.ts"
import { OpusRtpToFrames, VideoRtpToFrames } from "../../src/bridge/rtp-to-frames.ts"
import type { RtpBatch } from "../../src/media/packet.ts"
import { seededRandom } from "../rtp/h264-stream.ts"
import { hex } from "../support/bytes.ts"
import { decodable, frame } from "./rtp-frames.ts"

/** Every packet as a batch of its own, as a passthrough hands them on. */
function single(batch: RtpBatch): RtpBatch[] {
  return batch.packets.map((packet) => ({ ...batch, packets: [packet] }))
}

describe("video", () => {
  test("frames come out as they went in", () => {
    const frames = Array.from({ length: 50 }, (_, i) => frame(i % 10 === 0 ? "idr" : "p", i, i, 50 + i * 100))
    const toRtp = new VideoFramesToRtp("h264")
    const toFrames = new VideoRtpToFrames("h264")
    const out = frames.flatMap((one) => toFrames.push(toRtp.push(one) as RtpBatch))
    expect(out).toEqual(frames)
    expect(new Set(out.map(({ track }) => track)).size).toBe(1)
  })

  test("frames before the first keyframe are left out", () => {
    const toRtp = new VideoFramesToRtp("h264")
    const [first, ...rest] = [frame("idr", 0), frame("p", 1), frame("idr", 2), frame("p", 3)].map(
      (one) => toRtp.push(one) as RtpBatch,
    )
    const sets = { ...(first as RtpBatch), packets: [] }
    const toFrames = new VideoRtpToFrames("h264")
    expect([sets, ...rest].flatMap((batch) => toFrames.push(batch)).map(({ ptsUs }) => ptsUs)).toEqual([
      80_000, 120_000,
    ])
  })

  test("on a link that loses, shuffles and repairs, whole frames come out in order", () => {
    for (const seed of [1, 2, 3]) {
      const random = seededRandom(seed)
      const toRtp = new VideoFramesToRtp("h264")
      const frames = Array.from({ length: 300 }, (_, i) =>
        frame(i % 50 === 0 ? "idr" : "p", i, i, 50 + Math.floor(random() * 8_000)),
      )
      const arrivals = frames.flatMap((one) =>
        single(toRtp.push(one) as RtpBatch).map((batch, i) => {
          const sentMs = one.ptsUs / 1000 + i
          const chance = random()
          // One in fifty comes again later, and one in two hundred never; the first ones set the beginning.
          const delayMs = one.ptsUs === 0 || chance > 0.025 ? random() * 5 : chance > 0.005 ? 120 : Number.NaN
          return { batch, atMs: one.ptsUs === 0 ? sentMs : sentMs + delayMs }
        }),
      )
      const came = arrivals.filter(({ atMs }) => !Number.isNaN(atMs)).sort((a, b) => a.atMs - b.atMs)
      const toFrames = new VideoRtpToFrames("h264", { maxDelayMs: 200 })
      const out = came.flatMap(({ batch, atMs }) => toFrames.push(batch, atMs))
      out.push(...toFrames.onTimeout(1_000_000))
      const byTime = new Map(frames.map((one) => [one.ptsUs, one]))
      for (const one of out) expect(one.units).toEqual(byTime.get(one.ptsUs)?.units)
      const times = out.map(({ dtsUs }) => dtsUs)
      expect(times).toEqual(times.toSorted((a, b) => a - b))
      const hurt = new Set(arrivals.filter(({ atMs }) => Number.isNaN(atMs)).map(({ batch }) => batch.ptsUs))
      expect(out.length).toBe(decodable(frames, ({ ptsUs }) => hurt.has(ptsUs)).length)
      expect(hurt.size).toBeGreaterThan(2)
    }
  })

  test("frames closer than a millisecond are presented no earlier than they are decoded", () => {
    const toRtp = new VideoFramesToRtp("h264")
    const toFrames = new VideoRtpToFrames("h264")
    const out = [0, 40_000, 40_011, 80_000].flatMap((ptsUs, i) =>
      toFrames.push({ ...(toRtp.push(frame(i === 0 ? "idr" : "p", i)) as RtpBatch), ptsUs }),
    )
    expect(out.map(({ ptsUs, dtsUs }) => [dtsUs, ptsUs])).toEqual([
      [0, 0],
      [40_000, 40_000],
      [41_000, 41_000],
      [80_000, 80_000],
    ])
  })

  test("a gap is given up by the stream's own time where the caller has no clock", () => {
    const toRtp = new VideoFramesToRtp("h264")
    const batches = Array.from({ length: 12 }, (_, i) => toRtp.push(frame(i % 5 === 0 ? "idr" : "p", i)) as RtpBatch)
    const toFrames = new VideoRtpToFrames("h264", { maxDelayMs: 100 })
    const out = batches.toSpliced(1, 1).map((batch) => toFrames.push(batch).length)
    expect(out).toEqual([1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1])
    expect(toFrames.counters).toMatchObject({ lost: 1, skippedFrames: 3 })
  })
})

describe("decoding times", () => {
  const run = (ptsFrames: number[]) => {
    const times = new DecodingTimes()
    return ptsFrames.map((pts) => times.next(pts * 40_000))
  }
  const groups = (count: number, offsets: number[]) =>
    Array.from({ length: count }, (_, i) => offsets.map((offset) => 4 * i + offset)).flat()

  test("equal the presentation times where these rise", () => {
    expect(run([1, 2, 3, 7, 8])).toEqual([40_000, 80_000, 120_000, 280_000, 320_000])
  })

  test.each([
    { name: "B-frames", pts: [0, ...groups(10, [4, 1, 2, 3])] },
    { name: "a B-pyramid", pts: [0, ...groups(10, [4, 2, 1, 3])] },
  ])("rise, and are even and not late once $name were seen", ({ pts }) => {
    const dts = run(pts)
    for (const [i, time] of dts.entries()) if (i > 0) expect(time).toBeGreaterThan(dts[i - 1] as number)
    for (let i = 9; i < pts.length; i++) {
      expect(dts[i]).toBeLessThanOrEqual((pts[i] as number) * 40_000)
      expect((dts[i] as number) - (dts[i - 1] as number)).toBe(40_000)
    }
  })

  test("rise by a millisecond at least, which is what FLV counts, and collect no delay", () => {
    const times = new DecodingTimes()
    expect([0, 300, 400, 40_000, 40_900, 80_000].map((ptsUs) => times.next(ptsUs))).toEqual([
      0, 1_000, 2_000, 40_000, 41_000, 80_000,
    ])
  })

  test("follow a break of the timeline", () => {
    const dts = run([0, 3, 1, 2, 6, 4, 5, 1_000, 1_003, 1_001, 1_002, 1_006])
    expect(dts.at(-1)).toBe(1_003 * 40_000)
    expect(dts.every((time, i) => i === 0 || time > (dts[i - 1] as number))).toBe(true)
  })
})

describe("Opus", () => {
  const batch = (sequenceNumber: number, payload = hex("fc 11")): RtpBatch => ({
    kind: "audio",
    timestamp: sequenceNumber * 960,
    ptsUs: sequenceNumber * 20_000,
    startsKeyframe: false,
    packets: [{ sequenceNumber, marker: false, payload }],
  })

  test("packets become frames in order, each with its own time", () => {
    const toFrames = new OpusRtpToFrames()
    const out = [1, 3, 2].flatMap((number) => toFrames.push(batch(number)))
    expect(out.map(({ ptsUs }) => ptsUs)).toEqual([20_000, 40_000, 60_000])
    expect(out[0]).toEqual({
      track: { kind: "audio", codec: "opus", sampleRateHz: 48_000, channels: 2 },
      ptsUs: 20_000,
      data: hex("fc 11"),
    })
  })

  test("a lost packet holds the sound back no longer than it may", () => {
    const toFrames = new OpusRtpToFrames(2, { maxDelayMs: 60 })
    toFrames.push(batch(1), 0)
    expect(toFrames.push(batch(3), 40)).toEqual([])
    expect(toFrames.nextTimeoutMs).toBe(100)
    expect(toFrames.onTimeout(100)).toHaveLength(1)
  })

  test("padding and what is no Opus packet are left out", () => {
    const toFrames = new OpusRtpToFrames()
    expect([batch(1, hex("")), batch(2, hex("ff 07"))].flatMap((one) => toFrames.push(one))).toEqual([])
    expect(toFrames.counters.malformedPackets).toBe(1)
  })
})
