import { expect, test } from "vitest"
import { SPS_320, SPS_640 } from "../rtp/h264-stream.ts"
import { toHex } from "../support/bytes.ts"
import { advance, TestGateway, useFakeClock } from "./support-gateway.ts"
import { picture } from "./support-pictures.ts"
import { RtmpSink, RtmpSource, rtmpSlice } from "./support-rtmp.ts"
import { expectContinuous, expectIntact, TestViewer, WhipSource } from "./support-webrtc.ts"

useFakeClock()

const FRAME_MS = 40
const KEYFRAME_INTERVAL = 10

/** Publishes over RTMP in real time, timestamps from 0, and returns the pictures' slices. */
function publishRtmp(source: RtmpSource, firstId: number, count: number, sps = SPS_320): string[] {
  source.headers(sps)
  return Array.from({ length: count }, (_, i) => {
    const isKeyframe = i % KEYFRAME_INTERVAL === 0
    source.picture(i * FRAME_MS, firstId + i, isKeyframe)
    source.sound(i * FRAME_MS, firstId + i)
    advance(FRAME_MS)
    return toHex(rtmpSlice(firstId + i, isKeyframe))
  })
}

/** Publishes by WHIP in real time; `send` says in which order the packets of each picture go. */
function publishWhip(
  source: WhipSource,
  firstId: number,
  count: number,
  send: (packets: Uint8Array[], i: number) => void = (packets) => source.send(...packets),
): string[] {
  return Array.from({ length: count }, (_, i) => {
    const { units, payloads } = picture(firstId + i, { isKeyframe: i % KEYFRAME_INTERVAL === 0, sps: SPS_640 })
    send(source.packets("video", i * FRAME_MS * 90, payloads), i)
    source.send(...source.packets("audio", i * FRAME_MS * 48, [Uint8Array.of(0xfc, firstId + i)]))
    advance(FRAME_MS)
    return units.map(toHex).join(" ")
  })
}

function expectOneTimeline(sink: RtmpSink): void {
  for (const list of [sink.pictures, sink.sounds]) {
    const steps = list.slice(1).map(({ timestampMs }, i) => timestampMs - (list[i]?.timestampMs ?? 0))
    expect(Math.min(...steps)).toBeGreaterThan(0)
    expect(Math.max(...steps)).toBeLessThan(500)
  }
}

function expectOneClock(viewer: TestViewer): void {
  const steps = viewer.audio.slice(1).map(({ timestamp, sequenceNumber }, i) => {
    const before = viewer.audio[i] ?? { timestamp: 0, sequenceNumber: 0 }
    expect((sequenceNumber - before.sequenceNumber) & 0xffff).toBe(1)
    return (timestamp - before.timestamp) | 0
  })
  expect(Math.min(...steps)).toBeGreaterThan(0)
  expect(Math.max(...steps)).toBeLessThan(48_000 / 2)
}

const contents = (list: readonly { readonly units: readonly Uint8Array[] }[]) =>
  list.map(({ units }) => units.map(toHex).join(" "))

test("from RTMP to WHIP and back: viewers stay, numbers and times go on, readers get each new header", () => {
  const gateway = new TestGateway()
  const first = RtmpSource.publishing(gateway)
  const viewer = new TestViewer(gateway)
  const sink = new RtmpSink(gateway)
  const stream = gateway.stream
  const published = publishRtmp(first, 0, 25)
  const second = new WhipSource(gateway)
  expect(first.endedBecause).toMatch(/took over/)
  published.push(...publishWhip(second, 100, 25))
  const third = RtmpSource.publishing(gateway)
  expect(second.endedBecause).toMatch(/took over/)
  // What the publishers before still send reaches nobody.
  first.picture(5_000, 77, true)
  second.send(...second.packets("video", 90_000, picture(78, { isKeyframe: true }).payloads))
  published.push(...publishRtmp(third, 200, 25))
  advance(1_000)

  expect(gateway.stream).toBe(stream)
  expect(gateway.bugs).toEqual([])
  expect([viewer.endedBecause, sink.endedBecause]).toEqual([undefined, undefined])
  expect(contents(sink.pictures)).toEqual(published)
  expect(contents(viewer.frames)).toEqual(published)
  const headers = sink.seen.flatMap((message) => (message.type === "videoConfig" ? message.sps.map(toHex) : []))
  expect(headers).toEqual([SPS_320, SPS_640, SPS_320].map(toHex))
  expect(sink.seen.filter(({ type }) => type === "audioConfig")).toHaveLength(3)
  expectOneTimeline(sink)
  expectIntact(gateway, viewer)
  expectOneClock(viewer)
})

test.each([1, 2, 3])(
  "packets that were out of order when the publisher changed take nobody's number (%i late)",
  (lateCount) => {
    const gateway = new TestGateway()
    const first = new WhipSource(gateway)
    const viewer = new TestViewer(gateway)
    const sink = new RtmpSink(gateway)
    const published = publishWhip(first, 0, 15, (packets, i) => {
      if (i < 14) first.send(...packets)
      else first.send(...packets.slice(lateCount), ...packets.slice(0, lateCount))
    })
    published.push(...publishWhip(new WhipSource(gateway, { ssrc: 0x200, firstSequenceNumber: 7 }), 100, 15))
    published.push(...publishRtmp(RtmpSource.publishing(gateway), 200, 15))
    advance(1_000)
    expectIntact(gateway, viewer)
    expect(contents(viewer.frames)).toEqual(published)
    expect(contents(sink.pictures)).toEqual(published)
    expectOneTimeline(sink)
  },
)

test("a viewer is still being brought up to date when the publisher changes", () => {
  const gateway = new TestGateway()
  const first = new WhipSource(gateway)
  for (let id = 0; id < 200; id++) {
    const { payloads } = picture(id, { isKeyframe: id === 0, slices: 8, sliceBytes: 3_000 })
    first.send(...first.packets("video", id * 900, payloads))
    advance(10)
  }
  const viewer = new TestViewer(gateway)
  advance(100)
  const seenBefore = viewer.video.length
  expect(seenBefore).toBeGreaterThan(0)
  const published = publishRtmp(RtmpSource.publishing(gateway), 0, 20)
  advance(1_000)
  // The picture that was being sent is cut off, which nobody minds with a keyframe behind it.
  expectContinuous(gateway, viewer)
  expect(contents(viewer.frames).slice(-20)).toEqual(published)
})

test("a reader of pictures is ended when they come in a codec that RTMP does not carry; a reader of sound stays until pictures come", () => {
  const gateway = new TestGateway()
  const source = RtmpSource.publishing(gateway)
  const sink = new RtmpSink(gateway)
  publishRtmp(source, 0, 10)
  gateway.stream.useVideo("packets", "vp8")
  expect(sink.endedBecause).toMatch(/play the stream again/)
  const listener = new RtmpSink(gateway)
  for (let i = 0; i < 5; i++) {
    source.sound(1_000 + i * FRAME_MS, i)
    advance(FRAME_MS)
  }
  expect(listener.sounds.length).toBeGreaterThan(3)
  gateway.stream.useVideo("packets", "av1")
  expect(listener.endedBecause).toBeUndefined()
  gateway.stream.useVideo("packets", "h264")
  expect(listener.endedBecause).toMatch(/play the stream again/)
  expect(gateway.bugs).toEqual([])
})

test("an RTMP publisher that takes over in mid-GOP is not shown before its keyframe", () => {
  const gateway = new TestGateway()
  const published = publishRtmp(RtmpSource.publishing(gateway), 0, 10)
  const viewer = new TestViewer(gateway)
  const sink = new RtmpSink(gateway)
  advance(100)
  const second = RtmpSource.publishing(gateway)
  second.headers(SPS_640)
  for (let i = 0; i < 5; i++) {
    second.picture(i * FRAME_MS, 100 + i)
    advance(FRAME_MS)
  }
  published.push(...publishRtmp(second, 200, 10, SPS_640))
  advance(1_000)
  expect(contents(sink.pictures)).toEqual(published)
  expect(contents(viewer.frames)).toEqual(published)
})
