import { seededRandom } from "../rtp/h264-stream.ts"

/** How a network treats datagrams. */
export interface LinkOptions {
  readonly seed?: number
  readonly lossRate?: number
  readonly delayMs?: number
  /** Each datagram takes up to so much longer, so that they overtake one another. */
  readonly jitterMs?: number
  /** What the link carries; more waits in front of it. */
  readonly bitrateBps?: number
  /** How long datagrams wait there at most: later ones are lost. */
  readonly queueMs?: number
}

/** One direction of a bad network. */
export class LossyLink {
  readonly #options: Required<LinkOptions>
  /** What the link carries from now on. */
  bitrateBps: number
  readonly #random: () => number
  readonly #deliver: (datagram: Uint8Array) => void
  lostCount = 0
  #freeAtMs = 0

  constructor(deliver: (datagram: Uint8Array) => void, options: LinkOptions = {}) {
    this.#options = {
      seed: 1,
      lossRate: 0,
      delayMs: 10,
      jitterMs: 0,
      bitrateBps: Number.POSITIVE_INFINITY,
      queueMs: 1_000,
      ...options,
    }
    this.bitrateBps = this.#options.bitrateBps
    this.#random = seededRandom(this.#options.seed)
    this.#deliver = deliver
  }

  /** How long a datagram would wait now. */
  get queuedMs(): number {
    return Math.max(this.#freeAtMs - Date.now(), 0)
  }

  send(datagram: Uint8Array): void {
    const { lossRate, delayMs, jitterMs, queueMs } = this.#options
    if (this.#random() < lossRate || this.queuedMs > queueMs) {
      this.lostCount++
      return
    }
    const copy = new Uint8Array(datagram)
    const waitMs = this.queuedMs + (datagram.length * 8_000) / this.bitrateBps
    this.#freeAtMs = Date.now() + waitMs
    setTimeout(() => this.#deliver(copy), Math.round(waitMs + delayMs + this.#random() * jitterMs))
  }
}
