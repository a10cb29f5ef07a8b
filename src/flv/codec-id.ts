import type { PassedAudioCodec, VideoCodec } from "../media/codec.ts"
import {
  type AudioTagCodec,
  audioCodecOfFourCc,
  type FourCcAudioCodec,
  fourCcOfNumber,
  videoCodecOfFourCc,
} from "./fourcc.ts"

/** Video codec ids of FLV (10.1 section E.4.3.1); 12 is what Chinese encoders use for HEVC without Enhanced RTMP. */
export const VIDEO_ID = { h264: 7, h265: 12 } as const

/** Sound formats of FLV (10.1 section E.4.2.1) that Enhanced RTMP does not replace. */
export const AUDIO_ID = { exHeader: 9, aac: 10 } as const

/** The codec of a video codec id of tags; undefined for the old ones that nothing here carries. */
export function videoCodecOfId(id: number): VideoCodec | undefined {
  if (id === VIDEO_ID.h264) return "h264"
  return id === VIDEO_ID.h265 ? "h265" : undefined
}

/** How people call the codec of a video codec id. */
export function videoIdTitle(id: number): string {
  return VIDEO_TITLES[id] ?? `video codec ${id}`
}

/** The codec of a sound format that is passed on as it is; undefined for AAC and for unknown ones. */
export function passedCodecOfId(id: number): PassedAudioCodec | undefined {
  return PASSED[id]
}

/** The sound format of a codec that has no FourCC code. */
export function legacyIdOf(codec: Exclude<AudioTagCodec, FourCcAudioCodec>): number {
  return LEGACY_AUDIO_ID[codec]
}

/** Reads `videocodecid` of `onMetaData`: a number of FLV, or a FourCC code as a number or as text. */
export function videoCodecOfMetadata(value: unknown): VideoCodec | undefined {
  if (typeof value === "string") return videoCodecOfFourCc(value)
  if (typeof value !== "number") return undefined
  return value < LEGACY_IDS ? videoCodecOfId(value) : videoCodecOfFourCc(fourCcOfNumber(value))
}

/** Reads `audiocodecid` of `onMetaData` in the same way. */
export function audioCodecOfMetadata(value: unknown): AudioTagCodec | undefined {
  if (typeof value === "string") return audioCodecOfFourCc(value)
  if (typeof value !== "number") return undefined
  if (value >= LEGACY_IDS) return audioCodecOfFourCc(fourCcOfNumber(value))
  return value === AUDIO_ID.aac ? "aac" : passedCodecOfId(value)
}

const LEGACY_IDS = 16
const VIDEO_TITLES: Readonly<Record<number, string>> = {
  2: "Sorenson H.263",
  3: "Screen Video",
  4: "VP6",
  5: "VP6 with alpha",
  6: "Screen Video 2",
}
const PASSED: Readonly<Record<number, PassedAudioCodec>> = {
  0: "pcm",
  1: "adpcm",
  2: "mp3",
  3: "pcm",
  4: "nellymoser",
  5: "nellymoser",
  6: "nellymoser",
  7: "pcma",
  8: "pcmu",
  11: "speex",
  14: "mp3",
}
/** Of those with several, the general one. */
const LEGACY_AUDIO_ID = { adpcm: 1, pcm: 3, nellymoser: 6, pcma: 7, pcmu: 8, speex: 11 } as const
