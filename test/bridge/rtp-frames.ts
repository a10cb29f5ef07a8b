import type { H264Track, OpusTrack, VideoFrame } from "../../src/media/frame.ts"
import { PPS, SPS_320, slice } from "../rtp/h264-stream.ts"

/** A track of 320x240 with one SPS and one PPS. */
export const TRACK: H264Track = {
  kind: "video",
  codec: "h264",
  sps: [SPS_320],
  pps: [PPS],
  widthPx: 320,
  heightPx: 240,
}

/** A stereo Opus track. */
export const OPUS_TRACK: OpusTrack = { kind: "audio", codec: "opus", sampleRateHz: 48_000, channels: 2 }

/** NAL headers of the kinds of frames that tests send. */
export const NAL = { idr: 0x65, p: 0x41, referencedB: 0x21, b: 0x01 } as const

/** A frame of one slice; times are counted in frames of 40 ms. */
export function frame(type: keyof typeof NAL, ptsFrames: number, dtsFrames = ptsFrames, sizeBytes = 100): VideoFrame {
  return {
    track: TRACK,
    dtsUs: dtsFrames * 40_000,
    ptsUs: ptsFrames * 40_000,
    isKeyframe: type === "idr",
    units: [slice(NAL[type], sizeBytes)],
  }
}

/** What may be shown of pictures of which some are hurt: each run from a keyframe on, up to the first one that is. */
export function decodable<T extends { readonly isKeyframe: boolean }>(
  pictures: readonly T[],
  isHurt: (one: T, index: number) => boolean,
): T[] {
  let isWhole = false
  return pictures.filter((one, index) => {
    isWhole = (isWhole || one.isKeyframe) && !isHurt(one, index)
    return isWhole
  })
}
