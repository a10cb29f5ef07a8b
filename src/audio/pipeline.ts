import { GatewayError } from "../errors.ts"
import { type AudioCodec, CODEC_RATE_HZ, type OpenAudioCodec } from "./codec.ts"
import { SampleClock } from "./sample-clock.ts"
import type { TimedAudio, TranscoderConfig } from "./transcoder.ts"

/** What one pushed frame led to; a frame that failed may still have output, its concealment. */
export interface TranscodeResult {
  readonly frames: TimedAudio[]
  readonly error?: GatewayError
}

/**
 * A transcoder without its worker: timestamps, concealment of what is lost or damaged, and a new codec whenever the old
 * one has stopped working. It never throws for what a peer sends.
 *
 * The first output lies before the first input by the codecs' delay (6.5 ms of Opus, 21.3 ms of AAC), so it can be
 * negative.
 */
export class TranscodingPipeline {
  readonly #config: TranscoderConfig
  readonly #openCodec: OpenAudioCodec
  #codec: AudioCodec | undefined
  #clock = new SampleClock()
  /** Position at which the next coded frame begins. */
  #nextFrame = 0
  /** Samples of the last frame that decoded: the length of one that is lost. */
  #frameSamples = 0
  #damagedFrames = 0
  /** Timestamp of the first frame of those that have made no sound, if the last one made none. */
  #silentSinceUs: number | undefined
  #pushesUntilOpen = 0

  constructor(config: TranscoderConfig, openCodec: OpenAudioCodec) {
    this.#config = config
    this.#openCodec = openCodec
  }

  /** Takes one coded frame; `data` is borrowed until it returns. */
  push(input: TimedAudio): TranscodeResult {
    const frames: TimedAudio[] = []
    try {
      const codec = this.#openedCodec()
      if (!codec) return { frames }
      const error = this.#decode(codec, input)
      this.#takeAll(codec, frames)
      return error ? { frames, error } : { frames }
    } catch (cause) {
      this.#codec = undefined
      return { frames, error: asGatewayError(cause) }
    }
  }

  /** Opens the codec if there is none; one that cannot be opened is tried again after a while. */
  #openedCodec(): AudioCodec | undefined {
    if (this.#codec) return this.#codec
    if (this.#pushesUntilOpen-- > 0) return
    this.#pushesUntilOpen = PUSHES_BETWEEN_OPENS
    this.#codec = this.#openCodec(this.#config)
    this.#pushesUntilOpen = 0
    this.#clock = new SampleClock()
    this.#nextFrame = 0
    this.#damagedFrames = 0
    this.#silentSinceUs = undefined
    return this.#codec
  }

  /** Returns what is wrong with the frame; throws where the codec has to be replaced. */
  #decode(codec: AudioCodec, { ptsUs, data }: TimedAudio): GatewayError | undefined {
    if (data.length === 0) return new GatewayError("audio.transcode", "empty audio frame")
    if (this.#config.direction === "opus-to-aac") this.#concealGap(codec, ptsUs, data)
    const position = codec.position
    const stretch = this.#clock.align(ptsUs, position)
    const error = pushInto(codec, data, stretch)
    const decodedSamples = codec.position - position
    if (decodedSamples > 0) {
      this.#frameSamples = decodedSamples - stretch
      this.#damagedFrames = 0
      this.#silentSinceUs = undefined
      return error
    }
    this.#concealDamage(codec)
    this.#silentSinceUs ??= ptsUs
    const silentUs = Math.abs(ptsUs - this.#silentSinceUs)
    if (silentUs < MAX_SILENT_US && this.#damagedFrames < MAX_DAMAGED_FRAMES) return error
    const message = error?.message ?? "the decoder makes no sound of what it gets"
    throw new GatewayError("audio.transcode", message, { cause: error })
  }

  /** RFC 7587: one packet a frame with exact timestamps, so a few frames' gap before a packet are lost packets. */
  #concealGap(codec: AudioCodec, ptsUs: number, next: Uint8Array): void {
    if (this.#frameSamples === 0) return
    const gapSamples = (this.#clock.offsetUs(ptsUs, codec.position) * CODEC_RATE_HZ) / 1_000_000
    if (gapSamples > MAX_CONCEALED_SAMPLES + this.#frameSamples / 2) return
    for (let lost = Math.round(gapSamples / this.#frameSamples - GAP_BIAS); lost > 0; lost--) {
      codec.conceal(this.#frameSamples, lost === 1 ? next : undefined)
    }
  }

  #concealDamage(codec: AudioCodec): void {
    this.#damagedFrames++
    if (this.#frameSamples === 0 || this.#damagedFrames * this.#frameSamples > MAX_CONCEALED_SAMPLES) return
    codec.conceal(Math.min(this.#frameSamples, MAX_CONCEALED_SAMPLES))
  }

  #takeAll(codec: AudioCodec, frames: TimedAudio[]): void {
    for (let data = codec.take(); data; data = codec.take()) {
      const delayUs = (codec.delaySamples * 1_000_000) / CODEC_RATE_HZ
      frames.push({ ptsUs: Math.round(this.#clock.timeAtUs(this.#nextFrame) - delayUs), data })
      this.#nextFrame += codec.frameSamples
    }
  }
}

function pushInto(codec: AudioCodec, data: Uint8Array, stretchSamples: number): GatewayError | undefined {
  try {
    codec.push(data, stretchSamples)
  } catch (error) {
    if (error instanceof GatewayError) return error
    throw error
  }
}

function asGatewayError(cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  return new GatewayError("audio.transcode", `the codec failed: ${message}`, { cause })
}

/** Longest loss that is concealed, 120 ms; libopus fades to silence over it. */
const MAX_CONCEALED_SAMPLES = 5760
/** A gap counts from three quarters of a packet on, so that small unevenness never inserts one. */
const GAP_BIAS = 0.25
/** Input that makes no sound for this long gets a new codec. */
const MAX_SILENT_US = 200_000
/** The same where timestamps stand still. */
const MAX_DAMAGED_FRAMES = 20
const PUSHES_BETWEEN_OPENS = 50
