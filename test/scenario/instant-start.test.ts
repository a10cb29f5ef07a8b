import { describe, expect, test } from "vitest"
import { concat } from "../../src/media/bytes.ts"
import { advance, TestGateway, useFakeClock } from "./support-gateway.ts"
import type { LinkOptions } from "./support-link.ts"
import { RtmpSource } from "./support-rtmp.ts"
import { expectContinuous, TestViewer } from "./support-webrtc.ts"

useFakeClock()

const FRAME_MS = 40
const FRAME_TICKS = FRAME_MS * 90
/** A keyframe is so many times as large as another picture. */
const KEYFRAME_SHARE = 8

interface TestStream {
  readonly bitrateBps: number
  readonly groupS: number
  /** No other picture refers to every other one. */
  readonly hasDisposable?: boolean
}

/** Publishes in real time, with a keyframe every so many pictures and on no request. */
class Publisher {
  readonly #source: RtmpSource
  readonly #frameBytes: number
  readonly #groupPictures: number
  readonly #hasDisposable: boolean
  nextId = 0

  constructor(gateway: TestGateway, { bitrateBps, groupS, hasDisposable = false }: TestStream) {
    this.#hasDisposable = hasDisposable
    this.#source = RtmpSource.publishing(gateway)
    this.#source.headers()
    this.#frameBytes = (bitrateBps * FRAME_MS) / 8_000
    this.#groupPictures = (groupS * 1_000) / FRAME_MS
  }

  /** `onPicture` is called right before the next one. */
  run(seconds: number, onPicture: () => void = () => undefined): void {
    const end = this.nextId + Math.round((seconds * 1_000) / FRAME_MS)
    for (; this.nextId < end; this.nextId++) {
      this.#push(this.nextId)
      advance(FRAME_MS)
      onPicture()
    }
  }

  #push(id: number): void {
    const isKeyframe = id % this.#groupPictures === 0
    const bytes = Math.round(this.#frameBytes * (isKeyframe ? KEYFRAME_SHARE : 1))
    const nalUnit = new Uint8Array(bytes).fill(0x55)
    const isDisposable = this.#hasDisposable && id % 2 === 1
    nalUnit.set([isKeyframe ? 0x65 : isDisposable ? 0x01 : 0x41, 0x88, 0x84, id >> 8, id])
    const length = Uint8Array.of(bytes >> 24, bytes >> 16, bytes >> 8, bytes)
    const header = Uint8Array.of(isKeyframe ? 0x17 : 0x27, 1, 0, 0, 0)
    this.#source.media({ type: "video", timestampMs: id * FRAME_MS, payload: concat([header, length, nalUnit]) })
  }
}

const idsOf = ({ frames }: TestViewer) =>
  frames.map(({ units: [slice] }) => ((slice?.[3] ?? 0) << 8) | (slice?.[4] ?? 0))

/** Seconds until a viewer has the picture that was published last, and the longest queue in front of its link meanwhile. */
function watchUntilLive(publisher: Publisher, viewer: TestViewer, forS = 6): { liveS: number; queuedMs: number } {
  let liveS = Number.NaN
  let queuedMs = 0
  let atS = 0
  publisher.run(forS, () => {
    atS += FRAME_MS / 1_000
    if (Number.isNaN(liveS) && idsOf(viewer).at(-1) === publisher.nextId) liveS = atS
    if (Number.isNaN(liveS)) queuedMs = Math.max(queuedMs, viewer.link.queuedMs)
  })
  return { liveS, queuedMs }
}

function start(stream: TestStream, joinS: number, link: LinkOptions & { readonly tellsArrivals?: boolean } = {}) {
  const gateway = new TestGateway()
  const publisher = new Publisher(gateway, stream)
  publisher.run(joinS)
  const viewer = new TestViewer(gateway, { ...link, delayMs: 15 })
  return { gateway, publisher, viewer }
}

describe("a viewer that joins at the end of a long group of pictures", () => {
  test.each([
    { bitrateBps: 2.5e6, joinS: 9.8 },
    { bitrateBps: 6e6, joinS: 9.8 },
    { bitrateBps: 2.5e6, joinS: 4 },
    { bitrateBps: 500_000, joinS: 25 },
  ])("has its first picture at once, all of them in order, and is live within 2 s: %o", ({ bitrateBps, joinS }) => {
    const { gateway, publisher, viewer } = start({ bitrateBps, groupS: 60 }, joinS)
    advance(FRAME_MS)
    expect(idsOf(viewer)[0]).toBe(0)
    const { liveS } = watchUntilLive(publisher, viewer)
    expect(liveS).toBeLessThan(2)
    const ids = idsOf(viewer)
    expect(ids).toEqual(Array.from({ length: ids.length }, (_, i) => i))
    expectContinuous(gateway, viewer)
    expect(viewer.keyframeRequests).toBe(0)
    viewer.close()
  })

  test("behind a link of 10 Mbit/s has pictures of the last four seconds without any queue but that of the keyframe", () => {
    const { publisher, viewer } = start({ bitrateBps: 2.5e6, groupS: 60 }, 4, { bitrateBps: 10e6 })
    const { liveS, queuedMs } = watchUntilLive(publisher, viewer)
    expect(liveS).toBeLessThan(2.2)
    expect(queuedMs).toBeLessThan(100)
    viewer.close()
  })

  test("gets them slower as soon as its link says that it is full", () => {
    const { publisher, viewer } = start({ bitrateBps: 4e6, groupS: 60 }, 8, { bitrateBps: 12e6 })
    publisher.run(0.4)
    viewer.sendRemb(8e6)
    const queued = viewer.link.queuedMs
    expect(queued).toBeGreaterThan(200)
    publisher.run(1)
    expect(viewer.link.queuedMs).toBeLessThan(queued)
    const { liveS } = watchUntilLive(publisher, viewer, 12)
    expect(liveS).toBeLessThan(10)
    viewer.close()
  })

  test("gets timestamps that rise and end at the stream's own: nothing of the delay is left", () => {
    const { publisher, viewer } = start({ bitrateBps: 2.5e6, groupS: 60 }, 9.2)
    publisher.run(4)
    const timestamps = [...new Set(viewer.videoInOrder.map(({ timestamp }) => timestamp))]
    const steps = timestamps.slice(1).map((timestamp, i) => (timestamp - (timestamps[i] ?? 0)) | 0)
    expect(Math.min(...steps)).toBeGreaterThan(0)
    expect(steps.slice(-20)).toEqual(Array(20).fill(FRAME_TICKS))
    // Nine seconds of pictures, in the time that it took to send them.
    const pressedTicks = steps.slice(0, 229).reduce((sum, step) => sum + step, 0)
    expect(pressedTicks).toBeLessThan(2_000 * 90)
    viewer.close()
  })

  test("goes on with the next keyframe where that comes first", () => {
    const { gateway, publisher, viewer } = start({ bitrateBps: 6e6, groupS: 10 }, 9.8)
    publisher.run(0.6)
    const ids = idsOf(viewer)
    expect(ids[0]).toBe(0)
    expect(ids).toContain(250)
    publisher.run(2)
    expect(idsOf(viewer).at(-1)).toBe(publisher.nextId - 1)
    expectContinuous(gateway, viewer)
    viewer.close()
  })
})

describe("a viewer that tells when packets arrive", () => {
  /** At most, of what the link takes beside the stream. */
  const shortestS = (bitrateBps: number, joinS: number, linkBps: number) =>
    (bitrateBps * joinS) / (linkBps - bitrateBps)

  test.each([
    { linkBps: 5e6, joinS: 9.8, queueMs: 200 },
    { linkBps: 10e6, joinS: 4.4 },
    { linkBps: 10e6, joinS: 9.8 },
    { linkBps: 10e6, joinS: 9.8, jitterMs: 5 },
    { linkBps: 20e6, joinS: 9.8 },
    { linkBps: 20e6, joinS: 9.8, lossRate: 0.02 },
  ])("is back at live as soon as its link takes it, and nothing is lost: %o", ({ linkBps, joinS, ...path }) => {
    const link = { bitrateBps: linkBps, queueMs: 150, tellsArrivals: true, ...path }
    const { gateway, publisher, viewer } = start({ bitrateBps: 2.5e6, groupS: 60 }, joinS, link)
    const { liveS } = watchUntilLive(publisher, viewer, 14)
    expect(liveS).toBeLessThan(Math.max(shortestS(2.5e6, joinS, linkBps) * 1.2, 2))
    const ids = idsOf(viewer)
    expect(ids).toEqual(Array.from({ length: ids.length }, (_, i) => i))
    expectContinuous(gateway, viewer)
    expect(viewer.keyframeRequests).toBe(0)
    if (link.lossRate === undefined) expect(viewer.link.lostCount).toBe(0)
    const numbered = viewer.numberedCount
    publisher.run(1)
    expect(viewer.numberedCount).toBe(numbered) // what is live costs no numbers and no reports
    viewer.close()
  })

  test("is live within 2 s without the pictures to which no other refers, where its link is too slow for all", () => {
    const link = { bitrateBps: 10e6, queueMs: 150, tellsArrivals: true }
    const { gateway, publisher, viewer } = start({ bitrateBps: 2.5e6, groupS: 60, hasDisposable: true }, 8, link)
    const { liveS } = watchUntilLive(publisher, viewer, 6)
    expect(liveS).toBeLessThan(2)
    const ids = idsOf(viewer)
    expect(ids.filter((id) => id % 2 === 0)).toEqual(
      Array.from({ length: Math.ceil(publisher.nextId / 2) }, (_, i) => 2 * i),
    )
    expect(ids.length).toBeLessThan(publisher.nextId)
    expectContinuous(gateway, viewer)
    expect([viewer.link.lostCount, viewer.keyframeRequests]).toEqual([0, 0])
    viewer.close()
  })

  test("is sent what there is to send as any other when it ceases to tell", () => {
    const link = { bitrateBps: 10e6, queueMs: 150, tellsArrivals: true }
    const { publisher, viewer } = start({ bitrateBps: 2.5e6, groupS: 60 }, 4, link)
    publisher.run(0.4)
    viewer.tellsArrivals = false
    expect(watchUntilLive(publisher, viewer).liveS).toBeLessThan(2.5)
    viewer.close()
  })
})

test("a group that outgrows the cache is not kept in part: viewers begin with the next keyframe", () => {
  const { gateway, publisher, viewer: first } = start({ bitrateBps: 1e6, groupS: 40 }, 35)
  publisher.run(1)
  expect(first.frames).toEqual([])
  expect(gateway.stream.lanes.videoFrames.cached).toEqual([])
  publisher.run(5)
  expect(idsOf(first)[0]).toBe(1_000)
  first.close()
})

test("what is kept of a group is bounded in bytes", () => {
  const gateway = new TestGateway({ cacheMaxBytes: 2_000_000 })
  const publisher = new Publisher(gateway, { bitrateBps: 8e6, groupS: 10 })
  let mostBytes = 0
  publisher.run(9, () => {
    const { cached } = gateway.stream.lanes.videoFrames
    const bytes = cached.reduce((sum, { units }) => sum + units.reduce((part, { length }) => part + length, 0), 0)
    mostBytes = Math.max(mostBytes, bytes)
  })
  expect(mostBytes).toBeGreaterThan(1_900_000)
  expect(mostBytes).toBeLessThanOrEqual(2_000_000)
})
