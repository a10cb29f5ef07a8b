import type { TranscoderConfig } from "./transcoder.ts"

/**
 * One decoder and one encoder back to back, without a notion of time: what a backend implements below
 * `TranscodingPipeline`. Sound is counted in samples at 48 kHz, whatever the rate of the input.
 */
export interface AudioCodec {
  /** Samples of one coded frame: 960 of Opus, 1024 of AAC. */
  readonly frameSamples: number
  /** By how many samples the sound of a coded frame lies before the samples it was made from (look-ahead, priming). */
  readonly delaySamples: number
  /** Samples pushed and concealed since the codec was opened: where on the output's timeline the input ends. */
  readonly position: number
  /**
   * Decodes one packet and makes its sound `stretchSamples` longer (shorter if negative, at most 0.5 %). Throws
   * `audio.transcode` where the packet is damaged; anything else that it throws means that the codec is unusable.
   */
  push(data: Uint8Array, stretchSamples: number): void
  /** Stands in for up to 5760 lost samples; `next` is the packet that follows the loss, which may describe it. */
  conceal(samples: number, next?: Uint8Array): void
  /** Returns the next coded frame, the caller's to keep, or undefined until more is pushed. */
  take(): Uint8Array | undefined
}

/** Opens a codec; throws `audio.transcode` where the configuration cannot be used. */
export type OpenAudioCodec = (config: TranscoderConfig) => AudioCodec

/** The rate at which codecs count samples, and that of both outputs. */
export const CODEC_RATE_HZ = 48_000
