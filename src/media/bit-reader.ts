import { GatewayError } from "../errors.ts"

/** Reads bits from the most significant one on; every read is checked and throws `bytes.truncated` past the end. */
export class BitReader {
  readonly #bytes: Uint8Array
  #bitOffset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get remainingBits(): number {
    return this.#bytes.length * 8 - this.#bitOffset
  }

  /** Reads an unsigned number of up to 32 bits. */
  bits(count: number): number {
    if (count > this.remainingBits) throw new GatewayError("bytes.truncated", `need ${count} bits`)
    let value = 0
    for (let left = count; left > 0; ) {
      const inByte = this.#bitOffset & 7
      const taken = Math.min(left, 8 - inByte)
      const byte = this.#bytes[this.#bitOffset >> 3] as number
      value = value * 2 ** taken + ((byte >> (8 - inByte - taken)) & ((1 << taken) - 1))
      this.#bitOffset += taken
      left -= taken
    }
    return value
  }

  flag(): boolean {
    return this.bits(1) === 1
  }

  skip(count: number): void {
    if (count > this.remainingBits) throw new GatewayError("bytes.truncated", `need ${count} bits`)
    this.#bitOffset += count
  }

  /** Unsigned exponential Golomb code, ITU-T H.264 section 9.1; throws `bytes.truncated` for a code above 32 bits too. */
  ue(): number {
    let zeros = 0
    while (!this.flag()) {
      zeros++
      if (zeros > 32) throw new GatewayError("bytes.truncated", "exponential Golomb code is too long")
    }
    return 2 ** zeros - 1 + this.bits(zeros)
  }

  /** Signed exponential Golomb code, ITU-T H.264 section 9.1.1. */
  se(): number {
    const code = this.ue()
    return code % 2 === 0 ? -code / 2 : (code + 1) / 2
  }
}
