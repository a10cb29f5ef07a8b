import { describe, expect, test } from "vitest"
import { concat } from "../../src/media/bytes.ts"
import { advance, TestGateway, useFakeClock } from "./support-gateway.ts"
import { RtmpSource } from "./support-rtmp.ts"
import { TestViewer } from "./support-webrtc.ts"

useFakeClock()

const FRAME_MS = 40
const KEYFRAME_INTERVAL = 50
const FRAME_BYTES = 4_000
const STREAM_BPS = (FRAME_BYTES * 8 * 1000) / FRAME_MS

/** Publishes in real time: every other picture is disposable if asked for, the others refer to the one before. */
class Publisher {
  readonly #source: RtmpSource
  readonly #hasDisposable: boolean
  nextId = 0

  constructor(gateway: TestGateway, hasDisposable: boolean) {
    this.#source = RtmpSource.publishing(gateway)
    this.#source.headers()
    this.#hasDisposable = hasDisposable
  }

  run(seconds: number, onPicture: () => void = () => undefined): void {
    const end = this.nextId + (seconds * 1000) / FRAME_MS
    for (; this.nextId < end; this.nextId++) {
      const id = this.nextId
      const isKeyframe = id % KEYFRAME_INTERVAL === 0
      const isDisposable = this.#hasDisposable && id % 2 === 1
      const nalUnit = new Uint8Array(FRAME_BYTES).fill(0x55)
      nalUnit.set([isKeyframe ? 0x65 : isDisposable ? 0x01 : 0x41, 0x88, 0x84, id >> 8, id])
      const header = Uint8Array.of(isKeyframe ? 0x17 : 0x27, 1, 0, 0, 0, 0, 0, FRAME_BYTES >> 8, FRAME_BYTES & 0xff)
      this.#source.media({ type: "video", timestampMs: id * FRAME_MS, payload: concat([header, nalUnit]) })
      advance(FRAME_MS)
      onPicture()
    }
  }
}

/** Ids of the pictures that arrived whole. */
const idsOf = ({ frames }: TestViewer) =>
  frames.map(({ units: [slice] }) => ((slice?.[3] ?? 0) << 8) | (slice?.[4] ?? 0))
const isSentWhole = (ids: readonly number[], from: number, to: number) =>
  ids.filter((id) => id >= from && id < to).length === to - from

/** A picture that can be decoded: all that it refers to has arrived. */
function damaged(ids: readonly number[], hasDisposable: boolean): number[] {
  const arrived = new Set(ids)
  const before = (id: number) => id - (hasDisposable && id % 2 === 0 ? 2 : 1)
  return ids.filter((id) => id % KEYFRAME_INTERVAL !== 0 && !arrived.has(before(id)))
}

describe.each([{ hasDisposable: true }, { hasDisposable: false }])(
  "a viewer of a stream without layers (disposable pictures: $hasDisposable)",
  ({ hasDisposable }) => {
    test("whose link narrows gets fewer pictures at once, none damaged, and all again when it widens", () => {
      const gateway = new TestGateway()
      const publisher = new Publisher(gateway, hasDisposable)
      publisher.run(0.04)
      const viewer = new TestViewer(gateway, { reports: true, delayMs: 20 })
      publisher.run(8)
      expect(isSentWhole(idsOf(viewer), 10, publisher.nextId - 2)).toBe(true)
      const before = idsOf(viewer).length
      viewer.link.bitrateBps = STREAM_BPS * 0.65
      const queued: number[] = []
      publisher.run(40, () => queued.push(viewer.link.queuedMs))
      const narrow = idsOf(viewer)
      expect(damaged(narrow, hasDisposable)).toEqual([])
      // Its queue is full for a moment after each try to send all pictures, which are fewer and fewer.
      expect(Math.max(...queued)).toBeLessThan(2_000)
      expect(queued.slice(-500).filter((ms) => ms > 300).length / 500).toBeLessThan(0.35)
      // Fewer where none of them can be left out by itself.
      expect(narrow.length - before).toBeGreaterThan(40 * 25 * (hasDisposable ? 0.25 : 0.15))
      viewer.link.bitrateBps = Number.POSITIVE_INFINITY
      publisher.run(70)
      const widenedAt = publisher.nextId
      publisher.run(10)
      expect(isSentWhole(idsOf(viewer), widenedAt, publisher.nextId - 2)).toBe(true)
      expect(gateway.bugs).toEqual([])
      expect(viewer.reusedNumbers).toEqual([])
      expect(viewer.describe().droppedFrames).toBeGreaterThan(50)
      viewer.close()
    })

    test("on a narrow link does not go back and forth", () => {
      const gateway = new TestGateway()
      const publisher = new Publisher(gateway, hasDisposable)
      publisher.run(0.04)
      const viewer = new TestViewer(gateway, { reports: true, delayMs: 20 })
      viewer.link.bitrateBps = STREAM_BPS * 0.65
      let changes = 0
      let before = false
      publisher.run(120, () => {
        const isFull = viewer.link.queuedMs > 300
        if (isFull && !before) changes++
        before = isFull
      })
      expect(changes).toBeGreaterThan(0)
      expect(changes).toBeLessThan(10)
      viewer.close()
    })
  },
)

test("a link that only loses packets, one in ten, keeps all pictures", () => {
  const gateway = new TestGateway()
  const publisher = new Publisher(gateway, true)
  publisher.run(0.04)
  const viewer = new TestViewer(gateway, { reports: true, lossRate: 0.1, delayMs: 40 })
  publisher.run(60)
  expect(viewer.describe()).toMatchObject({ droppedFrames: 0, refusedFeedback: 0 })
  expect(viewer.describe().lostPackets).toBeGreaterThan(100)
  expect(viewer.describe().roundTripMs).toBeLessThan(100)
  expect(idsOf(viewer).length).toBeGreaterThan(60 * 25 * 0.98)
  viewer.close()
})
