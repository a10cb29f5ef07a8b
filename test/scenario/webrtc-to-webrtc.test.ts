import { describe, expect, test } from "vitest"
import { equalBytes } from "../../src/media/bytes.ts"
import { seededRandom } from "../rtp/h264-stream.ts"
import { advance, TestGateway, useFakeClock } from "./support-gateway.ts"
import { picture } from "./support-pictures.ts"
import { expectContinuous, expectIntact, TestViewer, WhipSource } from "./support-webrtc.ts"

useFakeClock()

const FRAME_MS = 40

interface Sent {
  readonly packet: Uint8Array
  readonly atMs: number
}

/** All packets of a camera with the time at which each arrives: some late, so that others overtake them. */
function arrivals(source: WhipSource, count: number, keyframeInterval: number, lateMs: () => number): Sent[] {
  const sent: Sent[] = []
  for (let id = 0; id < count; id++) {
    const { payloads } = picture(id, { isKeyframe: id % keyframeInterval === 0 })
    for (const packet of source.packets("video", id * FRAME_MS * 90, payloads)) {
      const isFirst = id === 0 // what comes before a source's first packet cannot be taken in
      sent.push({ packet, atMs: id * FRAME_MS + (isFirst ? 0 : Math.round(lateMs())) })
    }
  }
  return sent.toSorted((a, b) => a.atMs - b.atMs)
}

function play(source: WhipSource, sent: readonly Sent[], onTime: (atMs: number) => void = () => undefined): void {
  let nowMs = 0
  for (const { packet, atMs } of sent) {
    for (; nowMs < atMs; nowMs++) {
      onTime(nowMs)
      advance(1)
    }
    source.send(packet)
  }
  advance(3_000)
}

/** Pictures by their ids; whatever is no picture that was sent is -1. */
function idsOf(viewer: TestViewer): number[] {
  return viewer.frames.map(({ units, isKeyframe }) => {
    const [first] = units
    const id = ((first?.[2] ?? 0) << 8) | (first?.[3] ?? 0)
    const sent = picture(id, { isKeyframe }).units
    const isSame =
      sent.length === units.length && sent.every((nalUnit, i) => equalBytes(nalUnit, units[i] as Uint8Array))
    return isSame ? id : -1
  })
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

describe.each([1, 2, 3, 4])("packets that overtake one another on the way in (seed %i)", (seed) => {
  const random = seededRandom(seed)
  /** Most are in time; a retransmission takes up to 100 ms. */
  const lateMs = () => (random() < 0.1 ? random() * 100 : random() * 3)

  test("come to a live viewer in the publisher's order", () => {
    const gateway = new TestGateway()
    const source = new WhipSource(gateway)
    const viewer = new TestViewer(gateway, { seed, lossRate: 0.03, jitterMs: 8 })
    viewer.isLossy = false
    play(source, arrivals(source, 50, 25, lateMs), (atMs) => {
      viewer.isLossy = atMs > 100 && atMs < 46 * FRAME_MS
    })
    expectIntact(gateway, viewer)
    expect(idsOf(viewer)).toEqual(range(0, 50))
  })

  test("never make a viewer get a number twice, whenever it joins or asks for a picture", () => {
    const gateway = new TestGateway()
    const source = new WhipSource(gateway)
    const viewers: TestViewer[] = []
    play(source, arrivals(source, 100, 25, lateMs), (atMs) => {
      if (atMs % 170 === 0 && atMs < 2_900) viewers.push(new TestViewer(gateway, { port: viewers.length + 1 }))
      if (atMs % 430 === 0 && atMs < 2_900) for (const viewer of viewers) viewer.sendPli()
    })
    expect(viewers.length).toBeGreaterThan(15)
    for (const viewer of viewers) {
      expect(viewer.reusedNumbers).toEqual([])
      expect(viewer.refusedCount).toBe(0)
      if (idsOf(viewer).at(-1) !== 99)
        process.stdout.write(
          "DBG " +
            JSON.stringify([
              viewers.indexOf(viewer),
              viewer.missingNumbers,
              viewer.keyframeRequests,
              viewer.videoInOrder
                .slice(-14)
                .map((p) => [
                  p.sequenceNumber,
                  p.timestamp,
                  p.marker,
                  p.payload.length,
                  p.payload[0],
                  p.payload[2],
                  p.payload[3],
                ]),
            ]) +
            "\n",
        )
      // The last group of pictures began after the last restart.
      expect(idsOf(viewer).slice(-25)).toEqual(range(75, 100))
      // Only a first keyframe whose SPS and first slice are both late is begun without that slice.
      expect(idsOf(viewer).lastIndexOf(-1)).toBeLessThanOrEqual(0)
    }
    expect(gateway.bugs).toEqual([])
  })
})

test("a publisher that does not answer: viewers that ask again are restarted from the cache", () => {
  const gateway = new TestGateway()
  const source = new WhipSource(gateway)
  const viewer = new TestViewer(gateway)
  const other = new TestViewer(gateway, { port: 2 })
  play(
    source,
    arrivals(source, 100, 1_000, () => 0),
    (atMs) => {
      if (atMs === 1_500 || atMs === 2_600) viewer.sendPli()
    },
  )
  expect(source.feedback.filter(({ type }) => type === "pli").length).toBeGreaterThan(1)
  for (const one of [viewer, other]) expectContinuous(gateway, one)
  const keyframes = (one: TestViewer) => one.frames.filter(({ isKeyframe }) => isKeyframe).length
  expect([keyframes(viewer), keyframes(other)]).toEqual([2, 1])
})
