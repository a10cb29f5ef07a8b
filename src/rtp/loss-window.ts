/**
 * Sums a receiver's reports up until they are about enough packets to tell something: browsers report several times a second, and of ten packets
 * three may be lost by chance.
 */
export class LossWindow {
  #highest: number | undefined
  #sinceMs = 0
  #expected = 0
  #lost = 0

  /**
   * Takes the highest sequence number of a report, with its wraps, and the share of packets that was lost since the last one. Returns the share since
   * the last return where there was enough, else undefined.
   */
  onReport(extendedHighestSequenceNumber: number, lossShare: number, nowMs: number): number | undefined {
    const expected = (extendedHighestSequenceNumber - (this.#highest ?? extendedHighestSequenceNumber)) | 0
    if (this.#highest === undefined) this.#sinceMs = nowMs
    this.#highest = extendedHighestSequenceNumber
    this.#expected += Math.max(expected, 0)
    this.#lost += Math.max(expected, 0) * lossShare
    if (this.#expected < MIN_PACKETS || nowMs - this.#sinceMs < WINDOW_MS) return undefined
    const share = this.#lost / this.#expected
    this.#sinceMs = nowMs
    this.#expected = 0
    this.#lost = 0
    return share
  }
}

const MIN_PACKETS = 50
const WINDOW_MS = 2_000
