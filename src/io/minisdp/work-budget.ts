/**
 * Bounds the time that goes into work which anyone can cause: a share of all time, and some at once after a pause. Packets are unpacked before their senders
 * are known, and some are made to take long; media must go on meanwhile.
 */
export class WorkBudget {
  readonly #share: number
  readonly #burstMs: number
  #leftMs: number
  #atMs = 0

  constructor({ share, burstMs }: { readonly share: number; readonly burstMs: number }) {
    this.#share = share
    this.#burstMs = burstMs
    this.#leftMs = burstMs
  }

  /** Whether there is time for another piece of work. */
  hasTime(nowMs: number): boolean {
    this.#leftMs = Math.min(this.#burstMs, this.#leftMs + (nowMs - this.#atMs) * this.#share)
    this.#atMs = nowMs
    return this.#leftMs > 0
  }

  /** Tells how long a piece took; where that was more than there was, the next one waits longer. */
  spend(durationMs: number): void {
    this.#leftMs -= durationMs
  }
}
