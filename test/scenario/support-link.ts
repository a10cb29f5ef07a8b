import { seededRandom } from "../rtp/h264-stream.ts"

/** How a network treats datagrams. */
export interface LinkOptions {
  readonly seed?: number
  readonly lossRate?: number
  readonly delayMs?: number
  /** Each datagram takes up to so much longer, so that they overtake one another. */
  readonly jitterMs?: number
}

/** One direction of a bad network. */
export class LossyLink {
  readonly #options: Required<LinkOptions>
  readonly #random: () => number
  readonly #deliver: (datagram: Uint8Array) => void
  lostCount = 0

  constructor(deliver: (datagram: Uint8Array) => void, options: LinkOptions = {}) {
    this.#options = { seed: 1, lossRate: 0, delayMs: 10, jitterMs: 0, ...options }
    this.#random = seededRandom(this.#options.seed)
    this.#deliver = deliver
  }

  send(datagram: Uint8Array): void {
    const { lossRate, delayMs, jitterMs } = this.#options
    if (this.#random() < lossRate) {
      this.lostCount++
      return
    }
    const copy = new Uint8Array(datagram)
    setTimeout(() => this.#deliver(copy), Math.round(delayMs + this.#random() * jitterMs))
  }
}
