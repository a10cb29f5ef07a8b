/** Makes new inputs of known ones, the same ones for the same seed. */
export class Mutator {
  readonly #samples: readonly Uint8Array[]
  readonly #buffer: Uint8Array
  #state: number
  #length = 0

  constructor(samples: readonly Uint8Array[], seed: number) {
    this.#samples = samples
    this.#buffer = new Uint8Array(samples.reduce((most, { length }) => Math.max(most, length), 0) + 128)
    this.#state = Math.imul(seed, 0x9e3779b1) || 1 // xorshift would stay at zero
  }

  /** The next input, at most 128 bytes longer than the longest sample; it holds until the next call. */
  next(): Uint8Array {
    const sample = this.#sample()
    this.#buffer.set(sample)
    this.#length = sample.length
    for (let rounds = 1 + this.#below(4); rounds > 0; rounds--) this.#mutate()
    return this.#buffer.subarray(0, this.#length)
  }

  #mutate(): void {
    const buffer = this.#buffer
    const at = this.#below(this.#length)
    const size = 1 + this.#below(8)
    switch (this.#below(8)) {
      case 0:
        buffer[at] = (buffer[at] as number) ^ (1 << this.#below(8))
        break
      case 1:
        buffer[at] = this.#below(256)
        break
      case 2:
        buffer[at] = EDGES[this.#below(EDGES.length)] as number
        break
      case 3: // a length field of two bytes
        buffer[at] = this.#below(3) === 0 ? 0xff : 0
        if (at + 1 < this.#length) buffer[at + 1] = this.#below(256)
        break
      case 4:
        this.#length = at
        break
      case 5: // out with some bytes
        buffer.copyWithin(at, Math.min(at + size, this.#length), this.#length)
        this.#length = Math.max(at, this.#length - size)
        break
      case 6: // twice the same bytes
        if (this.#length + size > buffer.length) break
        buffer.copyWithin(at + size, at, this.#length)
        this.#length += size
        break
      default: {
        const other = this.#sample()
        const from = this.#below(other.length)
        const part = other.subarray(from, Math.min(from + 64, from + buffer.length - at))
        buffer.set(part, at)
        this.#length = Math.max(this.#length, at + part.length)
      }
    }
  }

  #sample(): Uint8Array {
    return this.#samples[this.#below(this.#samples.length)] as Uint8Array
  }

  /** Xorshift of 32 bits: quick, and good enough to hit bytes with. */
  #below(limit: number): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return limit === 0 ? 0 : (x >>> 0) % limit
  }
}

/** Values at which things change: signs, sizes, masks. */
const EDGES = [0x00, 0x01, 0x02, 0x03, 0x07, 0x0f, 0x10, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xfe, 0xff]
