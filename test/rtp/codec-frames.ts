import { concat } from "../../src/media/bytes.ts"
import type { VideoCodec } from "../../src/media/codec.ts"
import type { VideoFrame, VideoTrack } from "../../src/media/frame.ts"
import { parseVp9Keyframe } from "../../src/media/vp9.ts"
import { hex } from "../support/bytes.ts"
import { PPS, SPS_320, slice } from "./h264-stream.ts"

/** Parameter sets that x265 wrote: 320x180 with B-frames, two reordered pictures. */
export const H265_VPS = hex("40010c01ffff01600000030090000003000003003c959409")
export const H265_SPS = hex("42010101600000030090000003000003003ca00a080c1f3e595952930bc05a020000030002000003003210")
export const H265_PPS = hex("4401c073c189")
/** Sequence header of Chromium's AV1, 158x90, without a size field. */
export const AV1_SEQUENCE_HEADER = hex("0800000003b4ed90068020")

const VP9_KEYFRAME = hex("82 498342 2013f00ef0")
const VP8_KEYFRAME = hex("10 0200 9d012a 4001 f000")
const AV1_KEYFRAME = hex("30 10")
const AV1_INTER_FRAME = hex("30 30")

/** A track of each codec, as depacketizers make it of `codecFrame`. */
export const CODEC_TRACKS: Readonly<Record<VideoCodec, VideoTrack>> = {
  h264: { kind: "video", codec: "h264", sps: [SPS_320], pps: [PPS], widthPx: 320, heightPx: 240 },
  h265: {
    kind: "video",
    codec: "h265",
    vps: [H265_VPS],
    sps: [H265_SPS],
    pps: [H265_PPS],
    widthPx: 320,
    heightPx: 180,
  },
  vp8: { kind: "video", codec: "vp8", widthPx: 320, heightPx: 240 },
  vp9: {
    kind: "video",
    codec: "vp9",
    ...(parseVp9Keyframe(VP9_KEYFRAME) as NonNullable<ReturnType<typeof parseVp9Keyframe>>),
  },
  av1: { kind: "video", codec: "av1", sequenceHeader: AV1_SEQUENCE_HEADER, widthPx: 158, heightPx: 90 },
}

/** A frame of some units of the sizes given, whose bodies tell one from another; of VP8 and VP9 it has one of the size of all. */
export function codecFrame(
  codec: VideoCodec,
  isKeyframe: boolean,
  sizesBytes: readonly number[],
  ptsUs: number,
  fill = 0x55,
): VideoFrame {
  const body = (bytes: number) => new Uint8Array(bytes).fill(fill)
  const all = sizesBytes.reduce((sum, bytes) => sum + bytes, 0)
  const units = (): Uint8Array[] => {
    switch (codec) {
      case "h264":
        return sizesBytes.map((bytes, i) => slice(isKeyframe ? 0x65 : 0x41, bytes + 2, i === 0, fill))
      case "h265":
        return sizesBytes.map((bytes, i) =>
          concat([hex(isKeyframe ? "2601" : "0201"), Uint8Array.of(i === 0 ? 0x80 : 0), body(bytes)]),
        )
      case "vp8":
        return [concat([isKeyframe ? VP8_KEYFRAME : hex("11 0200"), body(all)])]
      case "vp9":
        return [concat([isKeyframe ? VP9_KEYFRAME : hex("86 00"), body(all)])]
      case "av1": {
        const frames = sizesBytes.map((bytes) => concat([isKeyframe ? AV1_KEYFRAME : AV1_INTER_FRAME, body(bytes)]))
        return isKeyframe ? [AV1_SEQUENCE_HEADER, ...frames] : frames
      }
    }
  }
  return { track: CODEC_TRACKS[codec], dtsUs: ptsUs, ptsUs, isKeyframe, units: units() }
}
