import { expect, test, vi } from "vitest"
import { FlvBroadcasts } from "../../src/io/flv-broadcast.ts"
import { TestGateway, useFakeClock } from "./support-gateway.ts"
import { RtmpSink, RtmpSource } from "./support-rtmp.ts"

useFakeClock()

const FRAME_MS = 40
const KEYFRAME_INTERVAL = 10

/** Publishes pictures and sound in real time, turn by turn; calls back before each picture. */
async function publish(
  source: RtmpSource,
  from: number,
  to: number,
  before: (id: number) => void = () => undefined,
): Promise<void> {
  for (let id = from; id < to; id++) {
    before(id)
    source.picture(id * FRAME_MS, id, id % KEYFRAME_INTERVAL === 0)
    await vi.advanceTimersByTimeAsync(FRAME_MS / 2)
    source.sound(id * FRAME_MS + FRAME_MS / 2, id)
    await vi.advanceTimersByTimeAsync(FRAME_MS / 2)
  }
}

function setUp() {
  const gateway = new TestGateway()
  const source = RtmpSource.publishing(gateway)
  source.headers()
  return { gateway, source, broadcasts: new FlvBroadcasts(gateway.nowMs) }
}

test("readers that share get what a reader by itself gets, whenever they join", async () => {
  const { gateway, source, broadcasts } = setUp()
  const own = new RtmpSink(gateway)
  const first = new RtmpSink(gateway, { broadcasts })
  await publish(source, 0, 25)
  const second = new RtmpSink(gateway, { broadcasts })
  const ownLater = new RtmpSink(gateway)
  await publish(source, 25, 60)
  expect(first.seen).toEqual(own.seen)
  expect(second.seen).toEqual(ownLater.seen)
  expect(first.pictures).toHaveLength(60)
  expect(first.reader.describe(gateway.nowMs()).bytes).toBe(own.reader.describe(gateway.nowMs()).bytes)
  expect(first.reader.describe(gateway.nowMs()).bitrateBps).toBeGreaterThan(0)
  expect(gateway.bugs).toEqual([])
})

test("what readers share is serialised and handed over once for each turn", async () => {
  const { gateway, source, broadcasts } = setUp()
  const sinks = [1, 2, 3].map(() => new RtmpSink(gateway, { broadcasts }))
  await publish(source, 0, 10)
  const handedOver = sinks.map((sink) => vi.spyOn(sink, "sendNow"))
  await publish(source, 10, 20)
  const [first = [], ...others] = handedOver.map(({ mock }) => mock.calls.map(([bytes]) => bytes))
  // The sound leaves with the picture after it, or by itself where that takes longer than it may wait.
  expect(first.length).toBeLessThanOrEqual(20)
  for (const other of others) {
    expect(other).toHaveLength(first.length)
    expect(other.every((bytes, i) => bytes === first[i])).toBe(true)
  }
})

test("a reader that falls behind goes on by itself with a keyframe, and then shares again", async () => {
  const { gateway, source, broadcasts } = setUp()
  const slow = new RtmpSink(gateway, { broadcasts, maxQueueBytes: 300 })
  const quick = new RtmpSink(gateway, { broadcasts })
  const own = new RtmpSink(gateway)
  let queuedMost = 0
  await publish(source, 0, 100, (id) => {
    slow.isStalled = id >= 13 && id < 55
    if (!slow.isStalled) slow.drain()
    queuedMost = Math.max(queuedMost, slow.queuedBytes)
  })
  expect(queuedMost).toBeLessThan(600)
  expect(quick.seen).toEqual(own.seen)
  const at = slow.pictures.findIndex(({ timestampMs }) => timestampMs >= 55 * FRAME_MS)
  expect(slow.pictures[at]?.isKeyframe).toBe(true)
  expect(slow.pictures.slice(at)).toEqual(own.pictures.slice(60))
  expect(slow.seen.filter(({ type }) => type === "videoConfig")).toHaveLength(1)
  expect(slow.reader.describe(gateway.nowMs()).droppedFrames).toBeGreaterThan(50)
  const sendNow = vi.spyOn(slow, "sendNow")
  await publish(source, 100, 105)
  expect(sendNow).toHaveBeenCalled()
})

test("a reader that turns sound off gets none of what the others share", async () => {
  const { gateway, source, broadcasts } = setUp()
  const [silent, other] = [new RtmpSink(gateway, { broadcasts }), new RtmpSink(gateway, { broadcasts })]
  await publish(source, 0, 10)
  silent.reader.want("audio", false)
  const before = silent.sounds.length
  await publish(source, 10, 20)
  expect(silent.sounds).toHaveLength(before)
  expect(silent.pictures).toHaveLength(20)
  expect(other.sounds.length).toBeGreaterThanOrEqual(19)
})

test("the last reader that leaves ends what was shared, and the next one begins anew", async () => {
  const { gateway, source, broadcasts } = setUp()
  const first = new RtmpSink(gateway, { broadcasts })
  await publish(source, 0, 15)
  first.reader.stop("the reader ended it")
  expect(gateway.stream.lanes.videoFrames.hasSubscribers).toBe(false)
  const seen = first.seen.length
  const second = new RtmpSink(gateway, { broadcasts })
  await publish(source, 15, 30)
  expect(first.seen).toHaveLength(seen)
  expect(second.pictures).toHaveLength(20)
})
