import { ticksToUs } from "../media/time.ts"

/**
 * Evens out the times of audio frames by counting samples: RTMP timestamps are rounded to milliseconds and often uneven. Small
 * differences are left alone, larger ones followed slowly, and a real jump at once.
 */
export class FlvAudioClock {
  readonly #sampleRateHz: number
  #anchorUs = 0
  #samples = 0
  #lastUs = Number.NEGATIVE_INFINITY

  constructor(sampleRateHz: number) {
    this.#sampleRateHz = sampleRateHz
  }

  /** Time of a frame of `samples` that the timeline puts at `timeUs`; strictly increasing. */
  next(timeUs: number, samples: number): number {
    const expectedUs = this.#anchorUs + ticksToUs(this.#samples, this.#sampleRateHz)
    const errorUs = timeUs - expectedUs
    if (this.#lastUs === Number.NEGATIVE_INFINITY || Math.abs(errorUs) > JUMP_US) {
      this.#anchorUs = timeUs
      this.#samples = 0
    } else if (Math.abs(errorUs) > TOLERANCE_US) this.#anchorUs += Math.trunc(errorUs / FOLLOW_FRAMES)
    const smoothUs = this.#anchorUs + ticksToUs(this.#samples, this.#sampleRateHz)
    this.#samples += samples
    this.#lastUs = Math.max(smoothUs, this.#lastUs + 1)
    return this.#lastUs
  }
}

/** Covers the rounding to milliseconds of both ends and the jitter of good encoders. */
const TOLERANCE_US = 5_000
const JUMP_US = 200_000
/** A difference is made up for over about this many frames. */
const FOLLOW_FRAMES = 32
