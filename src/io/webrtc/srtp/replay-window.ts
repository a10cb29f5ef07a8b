/**
 * Remembers which of the newest 1024 packet indices were seen, so that none is accepted twice. RFC 3711 section 3.3.2 asks for
 * 64 at least; a retransmission at a high bitrate over a long path comes later than that.
 */
export class ReplayWindow {
  readonly #seen = new Uint32Array(WINDOW_PACKETS / 32)
  #highest = -1

  /** The highest index accepted so far, -1 before the first. */
  get highest(): number {
    return this.#highest
  }

  /** True where a packet with this index may still be accepted. */
  isFresh(index: number): boolean {
    if (index > this.#highest) return true
    if (index < 0 || this.#highest - index >= WINDOW_PACKETS) return false
    const slot = index % WINDOW_PACKETS
    return (((this.#seen[slot >> 5] as number) >>> (slot & 31)) & 1) === 0
  }

  /** Marks an index as seen; only for authenticated packets, as it moves the window. */
  accept(index: number): void {
    if (index - this.#highest >= WINDOW_PACKETS) this.#seen.fill(0)
    else for (let skipped = this.#highest + 1; skipped < index; skipped++) this.#clear(skipped)
    if (index > this.#highest) this.#highest = index
    const slot = index % WINDOW_PACKETS
    this.#seen[slot >> 5] = (this.#seen[slot >> 5] as number) | (1 << (slot & 31))
  }

  #clear(index: number): void {
    const slot = index % WINDOW_PACKETS
    this.#seen[slot >> 5] = (this.#seen[slot >> 5] as number) & ~(1 << (slot & 31))
  }
}

const WINDOW_PACKETS = 1024
