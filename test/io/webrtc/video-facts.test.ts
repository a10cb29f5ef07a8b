import { expect, test } from "vitest"
import type { LiveStream } from "../../../src/hub/live-stream.ts"
import { videoFacts } from "../../../src/io/webrtc/video-facts.ts"
import { VIDEO_CODECS, type VideoCodec } from "../../../src/media/codec.ts"
import type { Track } from "../../../src/media/frame.ts"
import { CODEC_TRACKS } from "../../rtp/codec-frames.ts"
import { hex } from "../../support/bytes.ts"

const factsOf = (videoCodec: VideoCodec | undefined, tracks: Iterable<Track>) =>
  videoFacts({ videoCodec, tracks } as unknown as LiveStream)

test("each codec of frames says its profile, where it has some", () => {
  const facts = VIDEO_CODECS.map((codec) => factsOf(codec, [CODEC_TRACKS[codec]]))
  expect(facts.map(({ codec, profileIdc }) => [codec, profileIdc])).toEqual([
    ["h264", 0x42],
    ["h265", 1],
    ["vp8", undefined],
    ["vp9", 0],
    ["av1", 0],
  ])
})

test.each([
  { name: "VP9 of 10 bits", track: { ...CODEC_TRACKS.vp9, profile: 2 } as Track, profileIdc: 2 },
  {
    name: "AV1 High",
    track: { ...CODEC_TRACKS.av1, sequenceHeader: hex("0820000003b4ed90068020") } as Track,
    profileIdc: 1,
  },
  {
    name: "HEVC of 4:4:4",
    track: {
      ...CODEC_TRACKS.h265,
      sps: [hex("4201010408000003009e0800000300003c9001410183b8432caca94985ffe03b003bad010000030001000003001908")],
    } as Track,
    profileIdc: 4,
  },
])("$name is not taken for the usual profile", ({ track, profileIdc }) => {
  expect(factsOf(track.codec as VideoCodec, [track])).toEqual({ codec: track.codec, profileIdc })
})

test("a stream of packets says its codec alone, and one without video yet counts as H.264", () => {
  expect(factsOf("av1", [])).toEqual({ codec: "av1" })
  expect(factsOf(undefined, [])).toEqual({ codec: "h264" })
  expect(factsOf("vp9", [CODEC_TRACKS.h264])).toEqual({ codec: "vp9" })
})
