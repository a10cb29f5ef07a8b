import { expect, test, vi } from "vitest"
import { FRAME_MS, publishFrames, startBroadcast } from "./support-broadcast.ts"
import { useFakeClock } from "./support-gateway.ts"
import { RtmpSink } from "./support-rtmp.ts"

useFakeClock()

test("readers that share get what a reader by itself gets, whenever they join", async () => {
  const { gateway, source, broadcasts } = startBroadcast()
  const own = new RtmpSink(gateway)
  const first = new RtmpSink(gateway, { broadcasts })
  await publishFrames(source, [0, 25])
  const second = new RtmpSink(gateway, { broadcasts })
  const ownLater = new RtmpSink(gateway)
  await publishFrames(source, [25, 60])
  expect(first.seen).toEqual(own.seen)
  expect(second.seen).toEqual(ownLater.seen)
  expect(first.pictures).toHaveLength(60)
  expect(first.reader.describe(gateway.nowMs()).bytes).toBe(own.reader.describe(gateway.nowMs()).bytes)
  expect(first.reader.describe(gateway.nowMs()).bitrateBps).toBeGreaterThan(0)
  expect(gateway.bugs).toEqual([])
})

test("what readers share is serialised and handed over once for each turn", async () => {
  const { gateway, source, broadcasts } = startBroadcast()
  const sinks = [1, 2, 3].map(() => new RtmpSink(gateway, { broadcasts }))
  await publishFrames(source, [0, 10])
  const handedOver = sinks.map((sink) => vi.spyOn(sink, "sendNow"))
  await publishFrames(source, [10, 20])
  const [first = [], ...others] = handedOver.map(({ mock }) => mock.calls.map(([bytes]) => bytes))
  // The sound leaves with the picture after it, or by itself where that takes longer than it may wait.
  expect(first.length).toBeLessThanOrEqual(20)
  for (const other of others) {
    expect(other).toHaveLength(first.length)
    expect(other.every((bytes, i) => bytes === first[i])).toBe(true)
  }
})

test("a reader that falls behind goes on by itself with a keyframe, and then shares again", async () => {
  const { gateway, source, broadcasts } = startBroadcast()
  const slow = new RtmpSink(gateway, { broadcasts, maxQueueBytes: 300 })
  const quick = new RtmpSink(gateway, { broadcasts })
  const own = new RtmpSink(gateway)
  let queuedMost = 0
  await publishFrames(source, [0, 100], {
    before: (id) => {
      slow.isStalled = id >= 13 && id < 55
      if (!slow.isStalled) slow.drain()
      queuedMost = Math.max(queuedMost, slow.queuedBytes)
    },
  })
  expect(queuedMost).toBeLessThan(600)
  expect(quick.seen).toEqual(own.seen)
  const at = slow.pictures.findIndex(({ timestampMs }) => timestampMs >= 55 * FRAME_MS)
  expect(slow.pictures[at]?.isKeyframe).toBe(true)
  expect(slow.pictures.slice(at)).toEqual(own.pictures.slice(60))
  expect(slow.seen.filter(({ type }) => type === "videoConfig")).toHaveLength(1)
  expect(slow.reader.describe(gateway.nowMs()).droppedFrames).toBeGreaterThan(50)
  const sendNow = vi.spyOn(slow, "sendNow")
  await publishFrames(source, [100, 105])
  expect(sendNow).toHaveBeenCalled()
})

test("a reader that turns sound off gets none of what the others share", async () => {
  const { gateway, source, broadcasts } = startBroadcast()
  const [silent, other] = [new RtmpSink(gateway, { broadcasts }), new RtmpSink(gateway, { broadcasts })]
  await publishFrames(source, [0, 10])
  silent.reader.want("audio", false)
  const before = silent.sounds.length
  await publishFrames(source, [10, 20])
  expect(silent.sounds).toHaveLength(before)
  expect(silent.pictures).toHaveLength(20)
  expect(other.sounds.length).toBeGreaterThanOrEqual(19)
})

test("the last reader that leaves ends what was shared, and the next one begins anew", async () => {
  const { gateway, source, broadcasts } = startBroadcast()
  const first = new RtmpSink(gateway, { broadcasts })
  await publishFrames(source, [0, 15])
  first.reader.stop("the reader ended it")
  expect(gateway.stream.lanes.videoFrames.hasSubscribers).toBe(false)
  const seen = first.seen.length
  const second = new RtmpSink(gateway, { broadcasts })
  await publishFrames(source, [15, 30])
  expect(first.seen).toHaveLength(seen)
  expect(second.pictures).toHaveLength(20)
})
