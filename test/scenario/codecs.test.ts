import { describe, expect, test } from "vitest"
import { createVideoPacketizer } from "../../src/bridge/create-video-packetizer.ts"
import { frameToFlv, trackToFlv } from "../../src/bridge/frames-to-flv.ts"
import { concat } from "../../src/media/bytes.ts"
import { VIDEO_CODECS, type VideoCodec } from "../../src/media/codec.ts"
import type { VideoFrame } from "../../src/media/frame.ts"
import { codecFrame } from "../rtp/codec-frames.ts"
import { toHex } from "../support/bytes.ts"
import { advance, TestGateway, useFakeClock } from "./support-gateway.ts"
import { RtmpSource } from "./support-rtmp.ts"
import { expectIntact, TestViewer, WhipSource } from "./support-webrtc.ts"

useFakeClock()

const FRAME_MS = 40
const contentOf = ({ units }: VideoFrame) => units.map(toHex).join(" ")

/** Frames that differ from one another, a keyframe each second. */
function framesOf(codec: VideoCodec, count: number): VideoFrame[] {
  return Array.from({ length: count }, (_, i) =>
    codecFrame(codec, i % 25 === 0, [300 + i, 2_500], i * FRAME_MS * 1_000, i & 0x7f),
  )
}

/** Which of the frames that were sent came, -1 for one that is like none of them. */
function indexes(came: readonly VideoFrame[], sent: readonly VideoFrame[]): number[] {
  const contents = sent.map(contentOf)
  return came.map((frame) => contents.indexOf(contentOf(frame)))
}

/** Publishes frames by RTMP in real time, from a time of its own. */
function publishByRtmp(source: RtmpSource, frames: readonly VideoFrame[], fromMs = 0): void {
  const send = (parts: readonly Uint8Array[], timestampMs: number) =>
    source.media({ type: "video", timestampMs: fromMs + timestampMs, payload: concat(parts) })
  const track = frames[0]?.track
  if (track !== undefined) for (const { parts } of trackToFlv(track, 0)) send(parts, 0)
  for (const frame of frames) {
    const { parts, timestampMs } = frameToFlv(frame)
    send(parts, timestampMs)
    advance(FRAME_MS)
  }
}

/** Publishes frames by WHIP in real time. */
function publishByWhip(source: WhipSource, codec: VideoCodec, frames: readonly VideoFrame[], fromMs = 0): void {
  const packetizer = createVideoPacketizer(codec, {})
  for (const frame of frames) {
    const ticks = (fromMs + frame.ptsUs / 1_000) * 90
    source.send(...source.packets("video", ticks, packetizer.packetize(frame)))
    advance(FRAME_MS)
  }
}

describe.each(VIDEO_CODECS)("%s", (codec) => {
  test.each([
    { network: "a good network", lossRate: 0, jitterMs: 0 },
    { network: "loss and reordering", lossRate: 0.05, jitterMs: 12 },
  ])("viewers of an RTMP publisher get every frame, through $network", (network) => {
    const gateway = new TestGateway()
    const frames = framesOf(codec, 75)
    const source = RtmpSource.publishing(gateway)
    publishByRtmp(source, frames.slice(0, 10))
    const early = new TestViewer(gateway, { ...network, codec, port: 1 })
    publishByRtmp(source, frames.slice(10, 35))
    const late = new TestViewer(gateway, { ...network, codec, port: 2 })
    publishByRtmp(source, frames.slice(35, 70))
    for (const viewer of [early, late]) viewer.isLossy = false // a loss at the very end would show by nothing
    publishByRtmp(source, frames.slice(70))
    advance(1_000)
    // A decoder that holds pictures back gets the first one again for each of them.
    const primer = codec === "h265" ? 2 : 0
    expect(indexes(early.frames, frames)).toEqual([...Array(primer).fill(0), ...frames.keys()])
    expect(indexes(late.frames, frames)).toEqual([...Array(primer).fill(25), ...[...frames.keys()].slice(25)])
    for (const viewer of [early, late]) expectIntact(gateway, viewer)
    expect(gateway.stream.videoCodec).toBe(codec)
  })

  test("readers of frames get every picture of a WHIP publisher, and nothing damaged", () => {
    const gateway = new TestGateway()
    const source = new WhipSource(gateway, { codec })
    const frames = framesOf(codec, 60)
    publishByWhip(source, codec, frames.slice(0, 10))
    const seen: VideoFrame[] = []
    gateway.stream.lanes.videoFrames.subscribe((frame) => seen.push(frame), { replay: true })
    publishByWhip(source, codec, frames.slice(10))
    expect(indexes(seen, frames)).toEqual([...frames.keys()])
    expect(seen.map(({ isKeyframe }) => isKeyframe)).toEqual(frames.map(({ isKeyframe }) => isKeyframe))
    const steps = seen.slice(1).map(({ dtsUs }, i) => dtsUs - (seen[i]?.dtsUs ?? 0))
    expect(Math.min(...steps)).toBeGreaterThan(0)
    expect(gateway.bugs).toEqual([])
  })

  test("the frames that readers get can be written as FLV and read again", () => {
    const gateway = new TestGateway()
    const source = RtmpSource.publishing(gateway)
    const seen: VideoFrame[] = []
    const frames = framesOf(codec, 30)
    publishByRtmp(source, frames.slice(0, 1))
    gateway.stream.lanes.videoFrames.subscribe((frame) => seen.push(frame), { replay: true })
    publishByRtmp(source, frames.slice(1))
    expect(indexes(seen, frames)).toEqual([...frames.keys()])
  })
})

test("when the codec changes, viewers are told to come again, and the lane's numbers go on", () => {
  const gateway = new TestGateway()
  const source = RtmpSource.publishing(gateway)
  publishByRtmp(source, framesOf("vp9", 10))
  const before = new TestViewer(gateway, { codec: "vp9", port: 1 })
  publishByRtmp(source, framesOf("vp9", 30).slice(10))
  const last = gateway.stream.lanes.videoPackets.last
  publishByRtmp(source, framesOf("av1", 10), 30 * FRAME_MS)
  expect(before.endedBecause).toContain("another codec")
  const after = new TestViewer(gateway, { codec: "av1", port: 2 })
  publishByRtmp(source, framesOf("av1", 30).slice(10), 30 * FRAME_MS)
  expect(indexes(after.frames, framesOf("av1", 30))).toEqual([...Array(30).keys()])
  const [first] = gateway.stream.lanes.videoPackets.cached
  expect(((first?.timestamp ?? 0) - (last?.timestamp ?? 0)) | 0).toBeGreaterThan(0)
  expectIntact(gateway, after)
})

test("a publisher that takes over in another codec and form begins with a keyframe, for readers and viewers that come then", () => {
  const gateway = new TestGateway()
  const first = new WhipSource(gateway, { codec: "vp9" })
  const read: VideoFrame[] = []
  publishByWhip(first, "vp9", framesOf("vp9", 10))
  gateway.stream.lanes.videoFrames.subscribe((frame) => read.push(frame), { replay: true })
  const viewer = new TestViewer(gateway, { codec: "vp9", port: 1 })
  publishByWhip(first, "vp9", framesOf("vp9", 30).slice(10))
  const second = RtmpSource.publishing(gateway)
  publishByRtmp(second, framesOf("h265", 20))
  expect(first.endedBecause).toBeDefined()
  expect(viewer.endedBecause).toContain("another codec")
  const sent = [...framesOf("vp9", 30), ...framesOf("h265", 20)]
  expect(indexes(read, sent)).toEqual([...sent.keys()])
  const steps = read.slice(1).map(({ dtsUs }, i) => dtsUs - (read[i]?.dtsUs ?? 0))
  expect(Math.min(...steps)).toBeGreaterThan(0)
  const next = new TestViewer(gateway, { codec: "h265", port: 2 })
  publishByRtmp(second, framesOf("h265", 25).slice(20))
  expect(indexes(next.frames, framesOf("h265", 25)).slice(2)).toEqual([...Array(25).keys()])
  expect(gateway.bugs).toEqual([])
})
