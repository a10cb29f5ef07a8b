import { expect, test } from "vitest"
import type { LiveStream } from "../../../src/hub/live-stream.ts"
import type { PublisherSession } from "../../../src/hub/session.ts"
import type { LaneConverters } from "../../../src/hub/stream-lanes.ts"
import { parseStreamName } from "../../../src/hub/stream-name.ts"
import { StreamRegistry } from "../../../src/hub/stream-registry.ts"
import type { PacketFanout } from "../../../src/io/webrtc/fanout.ts"
import { StreamPump } from "../../../src/io/webrtc/stream-pump.ts"
import type { RtpBatch } from "../../../src/media/packet.ts"

const LIMITS = {
  maxStreams: 1,
  maxSubscribers: 9,
  cacheMaxBytes: 1e6,
  cacheMaxMs: 1e6,
  keyframeRequestIntervalMs: 1,
  graceMs: 1,
  silentTakeoverMs: 1,
}

function whipStream(): LiveStream {
  const registry = new StreamRegistry(() => ({}) as LaneConverters, LIMITS)
  const stream = registry.publish(parseStreamName("live", "cam1"), {} as PublisherSession, 0)
  stream.useVideo("packets", "h264")
  return stream
}

function batch(sequenceNumber: number): RtpBatch {
  const packets = [{ sequenceNumber, marker: true, payload: new Uint8Array(4) }]
  return { kind: "video", timestamp: 0, ptsUs: 0, startsKeyframe: false, packets }
}

function pump(stream: LiveStream, sent: number[] = []): StreamPump {
  const fanout = { send: (_: string, { packets }: RtpBatch) => sent.push(packets[0]?.sequenceNumber ?? -1) }
  return new StreamPump(stream.lanes.videoPackets, "video", "track", fanout as unknown as PacketFanout)
}

test("a late packet is not taken for the newest", () => {
  const stream = whipStream()
  const video = pump(stream)
  video.attach()
  for (const number of [65_534, 0, 65_535]) stream.pushPackets(batch(number))
  expect(video.last?.packets[0]?.sequenceNumber).toBe(0)
})

test("the lane is fed to the fan-out only while there are viewers", () => {
  const stream = whipStream()
  const sent: number[] = []
  const video = pump(stream, sent)
  stream.pushPackets(batch(1))
  video.attach()
  expect(video.last?.packets[0]?.sequenceNumber).toBe(1)
  video.attach()
  stream.pushPackets(batch(2))
  video.detach()
  stream.pushPackets(batch(3))
  video.detach()
  stream.pushPackets(batch(4))
  expect(sent).toEqual([2, 3])
})

test("who watches the pump is called after each batch, until it does so no longer", () => {
  const stream = whipStream()
  const video = pump(stream)
  video.attach()
  let calls = 0
  const watch = () => calls++
  video.watch(watch)
  stream.pushPackets(batch(1))
  video.unwatch(watch)
  stream.pushPackets(batch(2))
  expect(calls).toBe(1)
})

test("packets that never came are counted until they come after all", () => {
  const stream = whipStream()
  const video = pump(stream)
  video.attach()
  const counts = [65_533, 1, 65_534, 65_535, 3].map((number) => {
    stream.pushPackets(batch(number))
    return video.missingPackets
  })
  expect(counts).toEqual([0, 3, 2, 1, 2])
  video.detach()
  for (const number of [4, 900]) stream.pushPackets(batch(number))
  video.attach()
  stream.pushPackets(batch(901))
  expect(video.missingPackets).toBe(2)
})
