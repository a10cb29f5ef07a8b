import type { Thinning } from "./fanout.ts"

/** What the thinning of one track looks at in a batch. */
export interface ThinnableBatch {
  readonly timestamp: number
  readonly startsKeyframe: boolean
  readonly isDisposable?: true | undefined
  readonly packets: readonly { readonly sequenceNumber: number }[]
}

/**
 * Decides which pictures of a lane one viewer gets, and which number each packet has then: they run on without a gap where a picture was left
 * out, and a packet that the lane lacks keeps its place. Allocates nothing once it is made.
 */
export class TrackThinning {
  level: Thinning = "none"
  /** Pictures that were left out since the beginning. */
  leftOutCount = 0
  #isWaiting = false
  #timestamp: number | undefined
  #isLeavingOut = false
  /** The newest packet of the lane, unwrapped; undefined before the first one. */
  #newest: number | undefined
  #wasLeftOut = false
  /** What the lane lacks between two packets that are left out is left out too. */
  #hidesGaps = false
  /** Where something was left out: lane numbers from `#starts` on lose `#losses` in all. The newest ones, in a ring. */
  readonly #starts = new Float64Array(MAX_HOLES)
  readonly #losses = new Float64Array(MAX_HOLES)
  #holes = 0

  /** True while nothing but a keyframe may follow, as a picture was left out to which others refer. */
  get isWaiting(): boolean {
    return this.#isWaiting
  }

  /** How many packets were left out since `restart`. */
  get loss(): number {
    return this.#holes === 0 ? 0 : (this.#losses[(this.#holes - 1) % MAX_HOLES] as number)
  }

  /** Takes what `restart` does. */
  constructor(timestamp: number | undefined, newest: number | undefined) {
    this.#timestamp = timestamp
    this.#newest = newest
  }

  setLevel(level: Thinning): void {
    this.level = level === "untilKeyframe" ? "none" : level
    if (level === "untilKeyframe") this.#isWaiting = true
  }

  /**
   * Other packets follow, with other numbers, and a picture that can be decoded. `timestamp` is that of the picture that has begun, `newest` the lane's
   * number of the newest packet that was sent: what comes before it is late, and must not move the numbers of what is out already.
   */
  restart(timestamp: number | undefined, newest: number | undefined): void {
    this.#isWaiting = false
    this.#timestamp = timestamp
    this.#isLeavingOut = false
    this.#newest = newest
    this.#wasLeftOut = false
    this.#holes = 0
  }

  /** Decides on the next batch; all batches of one picture share what its first one got. Of late packets `place` decides. */
  leavesOut(batch: ThinnableBatch): boolean {
    const [first] = batch.packets
    if (first === undefined || this.#isLate(first.sequenceNumber)) return false
    const isSamePicture = batch.timestamp === this.#timestamp
    this.#timestamp = batch.timestamp
    this.#hidesGaps = isSamePicture || this.#isWaiting
    if (batch.startsKeyframe) {
      this.#isWaiting = false
      this.#isLeavingOut = false
    } else if (!isSamePicture) {
      this.#isLeavingOut = this.#isWaiting || this.level === "keyframes" || this.#leavesOutDisposable(batch)
      if (this.#isLeavingOut) this.leftOutCount++
      if (this.#isLeavingOut && batch.isDisposable !== true) this.#isWaiting = true
    }
    return this.#isLeavingOut
  }

  /**
   * Returns how much less the number of a packet is than without thinning, or -1 for one that is not sent. What comes late is sent where the
   * packets around it were, whatever it holds: its number is kept for it.
   */
  place(laneNumber: number, isLeftOut: boolean): number {
    const number = this.#unwrap(laneNumber)
    if (this.#newest !== undefined && number <= this.#newest) return this.#lossAt(number)
    if (isLeftOut) {
      const isJoined = this.#newest !== undefined && this.#wasLeftOut && this.#hidesGaps
      this.#addHole(isJoined ? (this.#newest as number) + 1 : number, number + 1)
    }
    this.#newest = number
    this.#wasLeftOut = isLeftOut
    this.#hidesGaps = true // up to the next picture
    return isLeftOut ? -1 : this.loss
  }

  /** The lane's number of a packet whose number without thinning would be this one; -1 where that is not known any more. */
  laneNumberOf(reduced: number): number {
    if (this.#newest === undefined) return reduced
    const newest = this.#newest - this.loss
    const number = newest + (((reduced - newest) << 16) >> 16)
    for (let i = this.#holes - 1; i >= this.#oldest; i--) {
      const loss = this.#losses[i % MAX_HOLES] as number
      if (number + loss >= (this.#starts[i % MAX_HOLES] as number)) return (number + loss) & 0xffff
    }
    return this.#oldest > 0 ? -1 : number & 0xffff
  }

  get #oldest(): number {
    return Math.max(0, this.#holes - MAX_HOLES)
  }

  #unwrap(laneNumber: number): number {
    const newest = this.#newest ?? laneNumber
    return newest + (((laneNumber - newest) << 16) >> 16)
  }

  #isLate(laneNumber: number): boolean {
    return this.#newest !== undefined && this.#unwrap(laneNumber) <= this.#newest
  }

  #leavesOutDisposable({ isDisposable }: ThinnableBatch): boolean {
    return this.level === "disposable" && isDisposable === true
  }

  #addHole(from: number, start: number): void {
    const loss = this.loss + start - from
    const last = (this.#holes - 1) % MAX_HOLES
    const isSame = this.#holes > 0 && this.#starts[last] === from
    const at = isSame ? last : this.#holes % MAX_HOLES
    if (!isSame) this.#holes++
    this.#starts[at] = start
    this.#losses[at] = loss
  }

  /** What a late packet loses; -1 for one in a hole, or from before the ones that are known. */
  #lossAt(number: number): number {
    for (let i = this.#holes - 1; i >= this.#oldest; i--) {
      const at = i % MAX_HOLES
      const lossBefore = i === 0 ? 0 : (this.#losses[(i - 1) % MAX_HOLES] as number)
      if (number >= (this.#starts[at] as number)) return this.#losses[at] as number
      const isInHole = number >= (this.#starts[at] as number) - (this.#losses[at] as number) + lossBefore
      if (isInHole || (i === this.#oldest && this.#oldest > 0)) return -1
    }
    return 0
  }
}

/** Four seconds of a stream with sixty pictures a second, every other one of which is left out. */
const MAX_HOLES = 128
