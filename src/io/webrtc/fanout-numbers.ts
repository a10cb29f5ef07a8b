import { PACKETS_WITH_MID } from "./fanout.ts"
import { PacketIndexTracker } from "./srtp/packet-index.ts"

/** Gives out the sequence numbers of one SSRC, each only once, seen as the receiver does it: as 48-bit indices of RFC 3711. */
export class SentNumbers {
  readonly #tracker = new PacketIndexTracker()
  readonly #firstSequenceNumber: number
  #firstIndex = -1
  #earliestIndex = 0

  /** `firstSequenceNumber` is what `next` is before any was taken. */
  constructor(firstSequenceNumber: number) {
    this.#firstSequenceNumber = firstSequenceNumber & 0xffff
  }

  /** One more than the highest number that was taken, 16 bits. */
  get next(): number {
    const { highest } = this.#tracker.window
    return highest < 0 ? this.#firstSequenceNumber : (highest + 1) & 0xffff
  }

  /** Takes a number; false where that was done before, or where it comes too late: long after the newest, or after `startEpoch`. */
  take(sequenceNumber: number): boolean {
    const index = this.#tracker.estimate(sequenceNumber)
    const { window } = this.#tracker
    if (index < this.#earliestIndex || !window.isFresh(index)) return false
    if (this.#firstIndex < 0) {
      this.#firstIndex = index
      this.#earliestIndex = index
    }
    window.accept(index)
    return true
  }

  /** From now on numbers stand for other packets, so only those after the highest so far can be taken. */
  startEpoch(): void {
    const { highest } = this.#tracker.window
    if (highest >= 0) this.#earliestIndex = highest + 1
  }

  /** How many numbers after it were taken or skipped; negative for one that was not reached yet. */
  age(sequenceNumber: number): number {
    return this.#tracker.window.highest - this.#tracker.estimate(sequenceNumber)
  }

  /** False for a number from before `startEpoch`. */
  isOfEpoch(sequenceNumber: number): boolean {
    return this.#tracker.estimate(sequenceNumber) >= this.#earliestIndex
  }

  /** True for the first numbers of the SSRC, taken or not. */
  isAtStart(sequenceNumber: number): boolean {
    return this.#tracker.estimate(sequenceNumber) - this.#firstIndex < PACKETS_WITH_MID
  }
}
