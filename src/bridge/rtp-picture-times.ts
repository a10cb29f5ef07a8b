/**
 * Takes the jitter out of the times of pictures, for readers that sort them into slots of one frame's length and take two in a slot for
 * an error (ffmpeg does). A camera's timestamps say when a busy machine took note of a picture, up to most of a frame late.
 *
 * Where most of the latest distances are about that of a common frame rate, times follow an even beat of this rate. It leaves out
 * beats as soon as the source is behind by most of one; where the source is ahead, it is followed slowly at first, and by much at once.
 * So a time is moved by little more than a frame. Without a beat, or where times go back since there are B-frames, they stay as
 * they are. An even source keeps its own period, whatever it is.
 */
export class PictureTimes {
  #sourceUs: number | undefined
  #smoothUs = 0
  #periodUs: number | undefined
  #steps: number[] = []
  #windowsWithout = 0

  /** Returns the time to use for the picture of this time, in µs. */
  next(ptsUs: number): number {
    const stepUs = ptsUs - (this.#sourceUs ?? ptsUs)
    this.#sourceUs = ptsUs
    if (stepUs <= 0 || stepUs > MAX_STEP_US) return this.#startOver(ptsUs)
    const periodUs = this.#learn(stepUs)
    if (periodUs === undefined) {
      this.#smoothUs = ptsUs
      return ptsUs
    }
    const elapsedUs = ptsUs - this.#smoothUs
    const beats = Math.max(1, Math.floor(elapsedUs / periodUs + GAP_BIAS))
    const aheadUs = beats * periodUs - elapsedUs
    if (aheadUs > periodUs * MAX_AHEAD) return this.#startOver(ptsUs)
    const excessUs = Math.max(0, aheadUs - periodUs * FREE_AHEAD)
    this.#smoothUs += beats * periodUs - excessUs * FOLLOW_GAIN
    return Math.round(this.#smoothUs)
  }

  #startOver(ptsUs: number): number {
    this.#steps = []
    this.#windowsWithout = 0
    this.#periodUs = undefined
    this.#smoothUs = ptsUs
    return ptsUs
  }

  /** Takes note of a distance and returns the period of the beat, if there is one. */
  #learn(stepUs: number): number | undefined {
    this.#steps.push(stepUs)
    const isFirst = this.#periodUs === undefined && this.#windowsWithout === 0
    if (this.#steps.length < (isFirst ? FIRST_WINDOW : WINDOW)) return this.#periodUs
    const foundUs = findPeriodUs(this.#steps)
    this.#steps = []
    this.#windowsWithout = foundUs === undefined ? this.#windowsWithout + 1 : 0
    if (foundUs !== undefined || this.#windowsWithout > MAX_WINDOWS_WITHOUT) this.#periodUs = foundUs
    return this.#periodUs
  }
}

/** The period of an even source, or that of the common rate that most of the distances have, if there is one. */
function findPeriodUs(steps: readonly number[]): number | undefined {
  const sorted = steps.toSorted((a, b) => a - b)
  const medianUs = sorted[sorted.length >> 1] as number
  const spreadUs = (sorted.at(-1) as number) - (sorted[0] as number)
  if (spreadUs <= EVEN_SPREAD_US) return steps.reduce((sum, stepUs) => sum + stepUs, 0) / steps.length
  const regular = steps.filter((stepUs) => Math.abs(stepUs - medianUs) < medianUs * REGULAR)
  if (regular.length < steps.length * MIN_REGULAR) return undefined
  return COMMON_PERIODS_US.find((periodUs) => Math.abs(periodUs - medianUs) < periodUs * TOLERANCE)
}

/** Of rates that are nearly the same (29.97 and 30) only the higher one: that a source is slower is made up by a gap now and then. */
const COMMON_PERIODS_US = [60, 50, 48, 30, 25, 24, 20, 15, 12, 10].map((rateHz) => 1_000_000 / rateHz)
const TOLERANCE = 0.02
/** What rounding to ticks makes of an even source, and more. */
const EVEN_SPREAD_US = 50
/** Longer steps are breaks. */
const MAX_STEP_US = 2_000_000
/** Distances that are looked at for a beat; fewer at first, as readers mostly begin with the first pictures. */
const WINDOW = 12
const FIRST_WINDOW = 5
/** So many times without one end it. */
const MAX_WINDOWS_WITHOUT = 4
const REGULAR = 0.4
const MIN_REGULAR = 0.6
/** A beat is left out only where no more than this part of it is missing, since a picture may be late and the next one not. */
const GAP_BIAS = 0.2
/** By how many beats times may be ahead of the source, and from where on they go back to it. */
const MAX_AHEAD = 1.5
const FREE_AHEAD = 0.5
const FOLLOW_GAIN = 1 / 64
