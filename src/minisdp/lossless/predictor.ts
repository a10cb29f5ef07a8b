import type { BinaryCoder } from "./binary-coder.ts"

/** Bits whose probabilities are learnt while they are coded. */
export class AdaptiveBits {
  readonly #probabilities: Uint16Array
  readonly #seen: Uint8Array
  #frozenProbabilities = new Uint16Array(0)
  #frozenSeen = new Uint8Array(0)

  constructor(size: number) {
    this.#probabilities = new Uint16Array(size).fill(0x8000)
    this.#seen = new Uint8Array(size)
  }

  /**
   * Codes a bit that has been seen in a special and in a general context: the less is known of the special one, the more
   * the general one says.
   */
  code(coder: BinaryCoder, special: number, general: number, bit: number): number {
    const probabilities = this.#probabilities
    const seen = this.#seen
    const ps = probabilities[special] as number
    const pg = probabilities[general] as number
    const ns = seen[special] as number
    const mixed = pg + (((ps - pg) * (TRUST[ns] as number)) >> 12)
    const p = mixed < MIN_PROBABILITY ? MIN_PROBABILITY : Math.min(mixed, MAX_PROBABILITY)
    const coded = coder.bit(p, bit)
    const target = coded === 1 ? 0xffff : 0
    const ng = seen[general] as number
    probabilities[special] = ps + (((target - ps) * (RATES[ns] as number)) >> 12)
    if (ns < SPECIAL_LIMIT) seen[special] = ns + 1
    if (general !== special) {
      probabilities[general] = pg + (((target - pg) * (RATES[ng] as number)) >> 12)
      if (ng < GENERAL_LIMIT) seen[general] = ng + 1
    }
    return coded
  }

  /** Remembers what has been learnt so far. */
  freeze(): void {
    this.#frozenProbabilities = this.#probabilities.slice()
    this.#frozenSeen = this.#seen.slice()
  }

  /** Forgets what has been learnt since `freeze`. */
  reset(): void {
    this.#probabilities.set(this.#frozenProbabilities)
    this.#seen.set(this.#frozenSeen)
  }
}

/** For each context the last two symbols that followed it, and how often in a row the last one did. */
export class Successors {
  readonly #bits: number
  readonly #tags: Uint16Array
  readonly #tops: Uint32Array
  readonly #seconds: Uint32Array
  readonly #streaks: Uint8Array
  #frozen: readonly (Uint8Array | Uint16Array | Uint32Array)[] = []

  constructor(bits: number) {
    this.#bits = bits
    this.#tags = new Uint16Array(1 << bits)
    this.#tops = new Uint32Array(1 << bits).fill(NONE)
    this.#seconds = new Uint32Array(1 << bits).fill(NONE)
    this.#streaks = new Uint8Array(1 << bits)
  }

  /** The last symbol after a context, or `NONE`. */
  top(hash: number): number {
    const slot = hash >>> (32 - this.#bits)
    return this.#tags[slot] === (hash & 0xffff) ? (this.#tops[slot] as number) : NONE
  }

  /** The symbol before that, or `NONE`. */
  second(hash: number): number {
    const slot = hash >>> (32 - this.#bits)
    return this.#tags[slot] === (hash & 0xffff) ? (this.#seconds[slot] as number) : NONE
  }

  /** How often in a row the last symbol followed, up to 7. */
  streak(hash: number): number {
    const slot = hash >>> (32 - this.#bits)
    return this.#tags[slot] === (hash & 0xffff) ? (this.#streaks[slot] as number) : 0
  }

  learn(hash: number, symbol: number): void {
    const slot = hash >>> (32 - this.#bits)
    if (this.#tags[slot] !== (hash & 0xffff)) {
      this.#tags[slot] = hash & 0xffff
      this.#tops[slot] = symbol
      this.#seconds[slot] = NONE
      this.#streaks[slot] = 1
    } else if (this.#tops[slot] === symbol) {
      if ((this.#streaks[slot] as number) < 7) this.#streaks[slot] = (this.#streaks[slot] as number) + 1
    } else {
      this.#seconds[slot] = this.#tops[slot] as number
      this.#tops[slot] = symbol
      this.#streaks[slot] = 1
    }
  }

  freeze(): void {
    this.#frozen = [this.#tags.slice(), this.#tops.slice(), this.#seconds.slice(), this.#streaks.slice()]
  }

  reset(): void {
    const [tags, tops, seconds, streaks] = this.#frozen
    this.#tags.set(tags as Uint16Array)
    this.#tops.set(tops as Uint32Array)
    this.#seconds.set(seconds as Uint32Array)
    this.#streaks.set(streaks as Uint8Array)
  }
}

/** What follows a context that was never seen. */
export const NONE = 0xffffffff

/** Adds a value to a hash of a context. */
export function mix(hash: number, value: number): number {
  const product = Math.imul(hash ^ value, 0x9e3779b1)
  return product ^ (product >>> 15)
}

const MIN_PROBABILITY = 48
const MAX_PROBABILITY = 0x10000 - MIN_PROBABILITY
const SPECIAL_LIMIT = 24
const GENERAL_LIMIT = 60
const RATES = new Uint16Array(64)
const TRUST = new Uint16Array(64)
for (let n = 0; n < 64; n++) {
  RATES[n] = Math.floor((4096 * 2) / (2 * n + 3))
  TRUST[n] = Math.floor((4096 * n) / (n + 2))
}
