/**
 * Finds decoding times for frames that carry only a presentation time, as RTP does. Without B-frames both are the same. Where a presentation
 * time goes back, the depth of the reordering is learned from it, and from then on the n-th frame in decoding order gets the n-th smallest
 * presentation time, that depth of frames earlier: even, and not after its own presentation. Only the frames that
 * teach it (one or two at the first B-frames), and such as are closer together than a millisecond, get a decoding time after their
 * presentation time, since an earlier one was given away before.
 */
export class DecodingTimes {
  /** Presentation times that have not become decoding times yet, sorted. */
  #waiting: number[] = []
  /** The latest presentation times in decoding order. */
  #recent: number[] = []
  #depth = 0
  #lastUs = Number.NEGATIVE_INFINITY

  /** Returns the decoding time of the next frame in decoding order; it rises by `MIN_STEP_US` at least. */
  next(ptsUs: number): number {
    const previousUs = this.#recent.at(-1)
    if (previousUs !== undefined && Math.abs(ptsUs - previousUs) > MAX_STEP_US) {
      this.#waiting = []
      this.#recent = []
    }
    this.#learn(ptsUs)
    insertSorted(this.#waiting, ptsUs)
    const candidateUs = this.#waiting.length > this.#depth ? (this.#waiting.shift() as number) : this.#lastUs
    this.#lastUs = Math.max(candidateUs, this.#lastUs + MIN_STEP_US)
    if (this.#lastUs === Number.NEGATIVE_INFINITY) this.#lastUs = ptsUs
    return this.#lastUs
  }

  /** The depth is the number of frames that come before one in decoding order and after it on the screen. */
  #learn(ptsUs: number): void {
    let earlierButLater = 0
    for (const otherUs of this.#recent) if (otherUs > ptsUs) earlierButLater++
    this.#depth = Math.min(Math.max(this.#depth, earlierButLater), MAX_DEPTH)
    this.#recent.push(ptsUs)
    if (this.#recent.length > MAX_DEPTH) this.#recent.shift()
  }
}

function insertSorted(times: number[], timeUs: number): void {
  let at = times.length
  while (at > 0 && (times[at - 1] as number) > timeUs) at--
  times.splice(at, 0, timeUs)
}

/** Timestamps of FLV are milliseconds; with this distance no two become the same. */
const MIN_STEP_US = 1_000
/** The decoded picture buffer holds no more frames (ITU-T H.264 annex A). */
const MAX_DEPTH = 16
/** A longer step is a break of the timeline and no reordering. */
const MAX_STEP_US = 2_000_000
