import { expect, test } from "vitest"
import { SPS_640 } from "../rtp/h264-stream.ts"
import { toHex } from "../support/bytes.ts"
import { advance, TestGateway, useFakeClock } from "./support-gateway.ts"
import { RtmpSink, RtmpSource, rtmpSlice } from "./support-rtmp.ts"
import { expectIntact, TestViewer } from "./support-webrtc.ts"

useFakeClock()

const FRAME_MS = 40
const KEYFRAME_INTERVAL = 10
const isKeyframe = (id: number) => id % KEYFRAME_INTERVAL === 0

/** Publishes pictures and sound in real time; calls back before each picture. */
function publish(source: RtmpSource, count: number, before: (id: number) => void = () => undefined, firstId = 0): void {
  for (let id = firstId; id < firstId + count; id++) {
    before(id)
    source.picture(id * FRAME_MS, id, isKeyframe(id))
    source.sound(id * FRAME_MS, id)
    advance(FRAME_MS)
  }
}

/** Ids of the pictures that a player saw. */
const idsOf = (sink: RtmpSink) =>
  sink.pictures.map(({ units: [slice] }) => ((slice?.[3] ?? 0) << 8) | (slice?.[4] ?? 0))
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

test.each([
  { by: "bytes", maxQueueBytes: 300, stalledFor: 40 },
  { by: "time", maxQueueBytes: 1_000_000, stalledFor: 130 },
])(
  "a reader that is too slow by $by goes on with a keyframe, and no other one notices",
  ({ maxQueueBytes, stalledFor }) => {
    const gateway = new TestGateway()
    const source = RtmpSource.publishing(gateway)
    source.headers()
    const slow = new RtmpSink(gateway, { maxQueueBytes })
    const quick = new RtmpSink(gateway)
    const viewer = new TestViewer(gateway)
    let queuedMost = 0
    publish(source, 200, (id) => {
      slow.isStalled = id >= 13 && id < 13 + stalledFor
      if (!slow.isStalled) slow.drain()
      queuedMost = Math.max(queuedMost, slow.queuedBytes)
    })
    const seen = idsOf(slow)
    const last = seen.findIndex((id, i) => (seen[i + 1] ?? id + 1) !== id + 1)
    expect(seen.slice(0, last + 1)).toEqual(range(0, last + 1))
    const resumed = seen[last + 1] ?? 0
    expect(resumed % KEYFRAME_INTERVAL).toBe(0)
    expect(resumed).toBeGreaterThanOrEqual(13 + stalledFor)
    expect(resumed).toBeLessThan(13 + stalledFor + KEYFRAME_INTERVAL + 1)
    expect(seen.slice(last + 1)).toEqual(range(resumed, 200))
    expect(queuedMost).toBeLessThan(maxQueueBytes + 200)
    expect(slow.endedBecause).toBeUndefined()
    // Nothing changed in between, so there is no reason for another header.
    expect(slow.seen.filter(({ type }) => type === "videoConfig")).toHaveLength(1)
    expect(idsOf(quick)).toEqual(range(0, 200))
    expect(quick.sounds).toHaveLength(200)
    expect(viewer.frames).toHaveLength(200)
    expectIntact(gateway, viewer)
  },
)

test("a reader that takes nothing for long is ended, and only that one", () => {
  const gateway = new TestGateway()
  const source = RtmpSource.publishing(gateway)
  source.headers()
  const slow = new RtmpSink(gateway, { maxQueueBytes: 300 })
  const quick = new RtmpSink(gateway)
  publish(source, 400, (id) => {
    slow.isStalled = id >= 13
  })
  expect(slow.endedBecause).toMatch(/too slow/)
  expect(slow.queuedBytes).toBeLessThan(500)
  expect(quick.endedBecause).toBeUndefined()
  expect(idsOf(quick)).toEqual(range(0, 400))
  expect([...gateway.stream.subscribers]).toEqual([quick.reader])
})

test("new parameter sets while a reader was skipped come before the keyframe that it goes on with", () => {
  const gateway = new TestGateway()
  const source = RtmpSource.publishing(gateway)
  source.headers()
  const slow = new RtmpSink(gateway, { maxQueueBytes: 300 })
  publish(source, 60, (id) => {
    slow.isStalled = id >= 13 && id < 45
    if (!slow.isStalled) slow.drain()
    if (id === 20) source.headers(SPS_640)
  })
  const resumed = slow.seen.findIndex((message) => message.type === "picture" && message.timestampMs >= 45 * FRAME_MS)
  expect(slow.seen[resumed]).toMatchObject({ isKeyframe: true })
  expect(slow.seen[resumed - 1]).toMatchObject({ type: "videoConfig", sps: [SPS_640] })
})

test("a subscriber that throws reaches neither the publisher nor the others", () => {
  const gateway = new TestGateway()
  const source = RtmpSource.publishing(gateway)
  source.headers()
  const { videoFrames, videoPackets, opusFrames } = gateway.stream.lanes
  const fail = () => {
    throw new Error("a bug")
  }
  for (const lane of [videoFrames, videoPackets, opusFrames]) lane.subscribe(fail, { replay: true })
  const sink = new RtmpSink(gateway)
  const viewer = new TestViewer(gateway)
  publish(source, 30)
  expect(source.endedBecause).toBeUndefined()
  expect(idsOf(sink)).toEqual(range(0, 30))
  expect(viewer.frames.map(({ units }) => units.map(toHex).join())).toEqual(
    range(0, 30).map((id) => toHex(rtmpSlice(id, isKeyframe(id)))),
  )
  expect(gateway.bugs.length).toBeGreaterThan(0)
})

test("a network that refuses one viewer's packets does not stop the others", () => {
  const gateway = new TestGateway()
  const source = RtmpSource.publishing(gateway)
  source.headers()
  const broken = new TestViewer(gateway, { port: 1 })
  const viewer = new TestViewer(gateway, { port: 2 })
  const sink = new RtmpSink(gateway)
  publish(source, 10)
  broken.failsToSend = true
  publish(source, 20, undefined, 10)
  expect(source.endedBecause).toBeUndefined()
  expect(idsOf(sink)).toEqual(range(0, 30))
  expect(viewer.frames).toHaveLength(30)
})
