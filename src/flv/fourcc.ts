import type { PassedAudioCodec, VideoCodec } from "../media/codec.ts"

/** Reads four characters as they stand in Enhanced RTMP tags; unprintable ones come out as dots, so it is safe to log. */
export function fourCcText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => (byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("")
}

/** Bytes of a FourCC code. */
export function fourCcBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

/** A FourCC code as `onMetaData` has it: its bytes as a big-endian number (Enhanced RTMP v2, "Enhancing onMetaData"). */
export function fourCcNumber(text: string): number {
  return fourCcBytes(text).reduce((number, byte) => number * 256 + byte, 0)
}

/** The text of such a number. */
export function fourCcOfNumber(number: number): string {
  const bits = number >>> 0
  return fourCcText(Uint8Array.of(bits >>> 24, bits >>> 16, bits >>> 8, bits))
}

/** FourCC codes of video, Enhanced RTMP v2 "Enhanced Video". */
export const VIDEO_FOURCC: Readonly<Record<VideoCodec, string>> = {
  h264: "avc1",
  h265: "hvc1",
  av1: "av01",
  vp9: "vp09",
  vp8: "vp08",
}

/** FourCC codes of the audio codecs that have one, Enhanced RTMP v2 "Enhanced Audio". */
export const AUDIO_FOURCC = {
  aac: "mp4a",
  opus: "Opus",
  mp3: ".mp3",
  flac: "fLaC",
  "ac-3": "ac-3",
  "ec-3": "ec-3",
} as const satisfies Partial<Record<AudioTagCodec, string>>

/** Audio codecs that tags can carry. */
export type AudioTagCodec = "aac" | "opus" | PassedAudioCodec
/** Those that have a FourCC code. */
export type FourCcAudioCodec = keyof typeof AUDIO_FOURCC

/** Tells the codecs that have a FourCC code from those of before. */
export function hasFourCc(codec: AudioTagCodec): codec is FourCcAudioCodec {
  return codec in AUDIO_FOURCC
}

/** The video codec of a FourCC code; undefined for those that nothing here carries. */
export function videoCodecOfFourCc(fourCc: string): VideoCodec | undefined {
  return VIDEO_BY_FOURCC.get(fourCc)
}

/** The audio codec of a FourCC code; undefined for those that nothing here carries. */
export function audioCodecOfFourCc(fourCc: string): FourCcAudioCodec | undefined {
  return AUDIO_BY_FOURCC.get(fourCc)
}

function inverse<Codec extends string>(codes: Readonly<Record<Codec, string>>): ReadonlyMap<string, Codec> {
  return new Map((Object.entries(codes) as [Codec, string][]).map(([codec, fourCc]) => [fourCc, codec]))
}

const VIDEO_BY_FOURCC = inverse(VIDEO_FOURCC)
const AUDIO_BY_FOURCC = inverse(AUDIO_FOURCC)
