import type { PassedAudioCodec } from "./codec.ts"
import type { ColorInfo } from "./color-info.ts"
import type { Vp9Format } from "./vp9.ts"

/**
 * The vocabulary of the frames lane. A frame refers to the immutable description of its track: a frame whose
 * `track` is another object than that of the frame before it starts a new configuration (new SPS, new rate), so that
 * description and data can never come out of step.
 */

/** What video tracks of all codecs may have. */
interface ColoredTrack {
  /** What an RTMP publisher says beside the video about its colours (HDR); of another origin, the video itself says it. */
  readonly colorInfo?: ColorInfo
}

/** H.264 as NAL units without start codes; parameter sets stand here, not in the frames. */
export interface H264Track extends ColoredTrack {
  readonly kind: "video"
  readonly codec: "h264"
  /** Sequence parameter sets, NAL header included; never empty. */
  readonly sps: readonly Uint8Array[]
  /** Picture parameter sets, NAL header included; never empty. */
  readonly pps: readonly Uint8Array[]
  readonly widthPx: number
  readonly heightPx: number
}

/** HEVC as NAL units without start codes; parameter sets stand here, not in the frames. */
export interface H265Track extends ColoredTrack {
  readonly kind: "video"
  readonly codec: "h265"
  /** Parameter sets, NAL header included; none of the lists is ever empty. */
  readonly vps: readonly Uint8Array[]
  readonly sps: readonly Uint8Array[]
  readonly pps: readonly Uint8Array[]
  readonly widthPx: number
  readonly heightPx: number
}

/** VP8; all that a decoder needs is in the frames. */
export interface Vp8Track extends ColoredTrack {
  readonly kind: "video"
  readonly codec: "vp8"
  readonly widthPx: number
  readonly heightPx: number
}

/** VP9; all that a decoder needs is in the frames. The format is that of the keyframes, for those who must announce it. */
export interface Vp9Track extends ColoredTrack, Vp9Format {
  readonly kind: "video"
  readonly codec: "vp9"
  readonly widthPx: number
  readonly heightPx: number
}

/** AV1 as open bitstream units; the sequence header stands here, and in the frames too. */
export interface Av1Track extends ColoredTrack {
  readonly kind: "video"
  readonly codec: "av1"
  /** The sequence header OBU, OBU header included, without a size field. */
  readonly sequenceHeader: Uint8Array
  readonly widthPx: number
  readonly heightPx: number
}

/** AAC as raw access units (no ADTS). */
export interface AacTrack {
  readonly kind: "audio"
  readonly codec: "aac"
  /** AudioSpecificConfig, ISO/IEC 14496-3 section 1.6.2.1. */
  readonly audioSpecificConfig: Uint8Array
  readonly sampleRateHz: number
  readonly channels: number
}

/** Opus as RTP carries it: one packet a frame, clock 48 kHz. */
export interface OpusTrack {
  readonly kind: "audio"
  readonly codec: "opus"
  readonly sampleRateHz: 48_000
  readonly channels: number
}

/** Sound that passes from RTMP to RTMP and FLV as it is. */
export interface PassedAudioTrack {
  readonly kind: "audio"
  readonly codec: PassedAudioCodec
  /** Sequence header, where the codec has one (FLAC). */
  readonly config: Uint8Array | undefined
  /** The first byte of a tag body without Enhanced RTMP: format, rate, size and type (FLV 10.1 section E.4.2.1); undefined with it. */
  readonly legacyFlags: number | undefined
  readonly sampleRateHz: number
  readonly channels: number
}

export type VideoTrack = H264Track | H265Track | Vp8Track | Vp9Track | Av1Track
export type AudioTrack = AacTrack | OpusTrack | PassedAudioTrack
export type Track = VideoTrack | AudioTrack

/** One picture with all that belongs to it. */
export interface VideoFrame<T extends VideoTrack = VideoTrack> {
  readonly track: T
  /** Decoding time on the stream's timeline. */
  readonly dtsUs: number
  /** Presentation time on the stream's timeline; differs from `dtsUs` only where there are B-frames. */
  readonly ptsUs: number
  readonly isKeyframe: boolean
  /**
   * H.264 and HEVC: all NAL units of the access unit but for parameter sets, AUD and filler. AV1: all OBUs of the temporal unit but for
   * temporal delimiters and padding, without size fields. VP8 and VP9: the one frame (of VP9 with spatial layers: the superframe).
   */
  readonly units: readonly Uint8Array[]
}

/** One audio frame: 1024 AAC samples as a rule, or one Opus packet. */
export interface AudioFrame<T extends AudioTrack = AudioTrack> {
  readonly track: T
  readonly ptsUs: number
  readonly data: Uint8Array
}

export type AacFrame = AudioFrame<AacTrack>
export type OpusFrame = AudioFrame<OpusTrack>
export type PassedAudioFrame = AudioFrame<PassedAudioTrack>
export type MediaFrame = VideoFrame | AacFrame | OpusFrame | PassedAudioFrame

/** Tells pictures from sound. */
export function isVideoTrack(track: Track): track is VideoTrack {
  return track.kind === "video"
}

/** Tells pictures from sound. */
export function isVideoFrame(frame: MediaFrame): frame is VideoFrame {
  return frame.track.kind === "video"
}

/** Narrows a frame to one codec. */
export function isFrameOf<Codec extends VideoTrack["codec"]>(
  frame: VideoFrame,
  codec: Codec,
): frame is VideoFrame<Extract<VideoTrack, { readonly codec: Codec }>> {
  return frame.track.codec === codec
}

/** Time at which a frame is decoded, which orders frames of both kinds. */
export function decodingTimeUs(frame: MediaFrame): number {
  return isVideoFrame(frame) ? frame.dtsUs : frame.ptsUs
}
