/**
 * The vocabulary of the frames lane. A frame refers to the immutable description of its track: a frame whose
 * `track` is another object than that of the frame before it starts a new configuration (new SPS, new rate), so that
 * description and data can never come out of step.
 */

/** H.264 as NAL units without start codes; parameter sets stand here, not in the frames. */
export interface H264Track {
  readonly kind: "video"
  readonly codec: "h264"
  /** Sequence parameter sets, NAL header included; never empty. */
  readonly sps: readonly Uint8Array[]
  /** Picture parameter sets, NAL header included; never empty. */
  readonly pps: readonly Uint8Array[]
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

export type VideoTrack = H264Track
export type AudioTrack = AacTrack | OpusTrack
export type Track = VideoTrack | AudioTrack

/** One access unit: all NAL units of one picture but for SPS, PPS, AUD and filler. */
export interface VideoFrame {
  readonly track: H264Track
  /** Decoding time on the stream's timeline. */
  readonly dtsUs: number
  /** Presentation time on the stream's timeline; differs from `dtsUs` only where there are B-frames. */
  readonly ptsUs: number
  readonly isKeyframe: boolean
  readonly nalUnits: readonly Uint8Array[]
}

/** One audio frame: 1024 AAC samples as a rule, or one Opus packet. */
export interface AudioFrame<T extends AudioTrack = AudioTrack> {
  readonly track: T
  readonly ptsUs: number
  readonly data: Uint8Array
}

export type AacFrame = AudioFrame<AacTrack>
export type OpusFrame = AudioFrame<OpusTrack>
export type MediaFrame = VideoFrame | AacFrame | OpusFrame

/** Tells pictures from sound. */
export function isVideoTrack(track: Track): track is VideoTrack {
  return track.kind === "video"
}
