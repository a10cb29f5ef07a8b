/**
 * Measures a bitrate over a sliding window. The window is kept in slots of a twentieth, so that memory and work per call stay the same
 * however much passes; nothing is allocated after the constructor. A meter that just began rises to the full rate within one window.
 */
export class RateMeter {
  readonly #slotMs: number
  readonly #slots = new Float64Array(SLOTS)
  #bytes = 0
  /** Number of the newest slot since the clock's zero. */
  #newest = 0

  /** One second is long enough to even out the frames of a video. */
  constructor(windowMs = 1_000) {
    this.#slotMs = windowMs / SLOTS
  }

  /** Counts bytes that passed at `nowMs`; where the clock goes back, they count for the newest time seen. */
  add(bytes: number, nowMs: number): void {
    this.#advance(nowMs)
    this.#slots[this.#newest % SLOTS] = (this.#slots[this.#newest % SLOTS] as number) + bytes
    this.#bytes += bytes
  }

  /** Bits per second over the window that ends at `nowMs`. */
  bitrateBps(nowMs: number): number {
    this.#advance(nowMs)
    // The newest slot is not over yet: the window is as long as what the slots cover.
    const coveredMs = (SLOTS - 1) * this.#slotMs + Math.max(nowMs - this.#newest * this.#slotMs, 0)
    return Math.round((this.#bytes * 8_000) / coveredMs)
  }

  #advance(nowMs: number): void {
    const slot = Math.floor(nowMs / this.#slotMs)
    if (slot <= this.#newest) return
    for (let passed = Math.max(this.#newest + 1, slot - SLOTS + 1); passed <= slot; passed++) {
      this.#bytes -= this.#slots[passed % SLOTS] as number
      this.#slots[passed % SLOTS] = 0
    }
    this.#newest = slot
  }
}

const SLOTS = 20
