/** What a transcoder is made for: the codec that comes in, and the bitrate of the one that goes out. */
export type TranscoderConfig =
  | {
      readonly direction: "aac-to-opus"
      /** AudioSpecificConfig of the input, ISO/IEC 14496-3 section 1.6.2.1. */
      readonly audioSpecificConfig: Uint8Array
      readonly bitrateBps: number
    }
  | { readonly direction: "opus-to-aac"; readonly channels: 1 | 2; readonly bitrateBps: number }

/** One coded audio frame and the time at which its first sample is heard, on the stream's timeline. */
export interface TimedAudio {
  readonly ptsUs: number
  readonly data: Uint8Array
}

/** What a transcoder reports to the one that opened it. */
export interface TranscoderEvents {
  /**
   * A coded frame; `ptsUs` is corrected for the delay of both codecs and counted in samples, so it is exactly even but
   * for jumps of the input. The first lies before the first input by the encoder's delay (6.5 ms of Opus, 21.3 ms of
   * AAC) and can be negative.
   */
  onFrame(frame: TimedAudio): void
  /** Input that could not be used, once a second at most; the transcoder goes on (it starts the codec anew if it must). */
  onError(error: Error): void
}

/** An open transcoder. `push` borrows `data` only until it returns. */
export interface AudioTranscoder {
  push(frame: TimedAudio): void
  /** Ends it; no event comes afterwards. */
  close(): void
}

/** Opens transcoders; the port that the WebAssembly worker implements, and others may. */
export interface AudioTranscoders {
  open(config: TranscoderConfig, events: TranscoderEvents): AudioTranscoder
  /** Ends all transcoders and their workers. */
  close(): Promise<void>
}
