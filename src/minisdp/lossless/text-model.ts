import type { BinaryCoder } from "./binary-coder.ts"
import { mix } from "./predictor.ts"

/**
 * Codes text that no template has, character by character: four contexts (one to four characters back) say how likely each
 * bit is, and a mixer learns whom to believe. Slow, but few lines of an offer need it.
 */
export class TextModel {
  readonly #probabilities = new Uint16Array(1 << TABLE_BITS).fill(0x8000)
  readonly #weights = new Int32Array(CONTEXTS * 256).fill(0x5000)
  readonly #slots = new Int32Array(CONTEXTS)
  readonly #stretched = new Int32Array(CONTEXTS)
  readonly #hashes = new Int32Array(CONTEXTS)
  #frozen: readonly [Uint16Array, Int32Array] | undefined
  #isChanged = false
  #history = 0

  /** Begins a text; `kind` tells texts of different sorts apart. */
  begin(kind: number): void {
    this.#history = kind & 0xff
    this.#isChanged = true
  }

  /** Codes one UTF-16 code unit: those above 127 as three symbols. */
  unit(coder: BinaryCoder, unit: number): number {
    const first = this.#symbol(coder, unit < 0x80 ? unit : 0x80 | (unit >>> 14))
    if (first < 0x80) return first
    const middle = this.#symbol(coder, (unit >>> 7) & 0x7f)
    return ((first & 3) << 14) | ((middle & 0x7f) << 7) | (this.#symbol(coder, unit & 0x7f) & 0x7f)
  }

  freeze(): void {
    this.#frozen = [this.#probabilities.slice(), this.#weights.slice()]
    this.#isChanged = false
  }

  reset(): void {
    if (!this.#isChanged || this.#frozen === undefined) return
    this.#probabilities.set(this.#frozen[0])
    this.#weights.set(this.#frozen[1])
    this.#isChanged = false
  }

  #symbol(coder: BinaryCoder, symbol: number): number {
    let context = 0
    for (let i = 0; i < CONTEXTS; i++) {
      context = mix(context, ((this.#history >>> (8 * i)) & 0xff) + 1 + 256 * i)
      this.#hashes[i] = context
    }
    let node = 1
    for (let i = 7; i >= 0; i--) node = (node << 1) | this.#bit(coder, node, (symbol >>> i) & 1)
    const coded = node & 0xff
    this.#history = (this.#history << 8) | coded
    return coded
  }

  #bit(coder: BinaryCoder, node: number, bit: number): number {
    const weights = this.#weights
    let dot = 0
    for (let i = 0; i < CONTEXTS; i++) {
      const slot = mix(this.#hashes[i] as number, node) >>> (32 - TABLE_BITS)
      const stretched = STRETCH[(this.#probabilities[slot] as number) >>> 4] as number
      this.#slots[i] = slot
      this.#stretched[i] = stretched
      dot += stretched * (weights[node * CONTEXTS + i] as number)
    }
    const p = squash(Math.floor(dot / 0x10000))
    const coded = coder.bit(p * 16 + 8, bit)
    const error = (coded << 12) - p
    for (let i = 0; i < CONTEXTS; i++) {
      const slot = this.#slots[i] as number
      const old = this.#probabilities[slot] as number
      this.#probabilities[slot] = coded === 1 ? old + ((0xffff - old) >> 2) : old - (old >> 2)
      const at = node * CONTEXTS + i
      weights[at] = (weights[at] as number) + (((this.#stretched[i] as number) * error + 0x1000) >> 13)
    }
    return coded
  }
}

/** The probability (12 bits) whose logarithm of odds, in 1/256, is x: between points of a table, so the same everywhere. */
function squash(x: number): number {
  if (x >= 2047) return 4095
  if (x <= -2047) return 1
  const at = x + 2048
  const low = SQUASH[at >> 7] as number
  const high = SQUASH[(at >> 7) + 1] as number
  return (low * (128 - (at & 127)) + high * (at & 127) + 64) >> 7
}

const CONTEXTS = 4
const TABLE_BITS = 16
/** 4096 / (1 + exp(−x/256)) for x from −2048 to 2048 in steps of 128. */
const SQUASH = [
  1, 2, 4, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047, 2549, 2994, 3348, 3607, 3785, 3901, 3975,
  4022, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094,
]
/** The inverse of `squash` for each of 4,096 probabilities. */
const STRETCH = new Int16Array(4096)
for (let x = -2047, next = 0; x <= 2047; x++) {
  const p = squash(x)
  for (; next <= p; next++) STRETCH[next] = x
}
STRETCH[4095] = 2047
