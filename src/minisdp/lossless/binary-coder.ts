import { GatewayError } from "../../errors.ts"

/**
 * A binary arithmetic coder that runs both ways: an encoder takes each bit and writes it, a decoder ignores what it is given
 * and returns what was written. So one piece of code describes a format in both directions and cannot disagree with itself.
 */
export class BinaryCoder {
  readonly isDecoder: boolean
  #bytes: Uint8Array
  #at = 0
  #low = 0
  #high = MAX_31
  #code = 0
  /** The byte whose lowest bit is not in the code yet. */
  #last = 0

  private constructor(bytes: Uint8Array, isDecoder: boolean, offset: number) {
    this.isDecoder = isDecoder
    this.#bytes = bytes
    this.#at = offset
    if (!isDecoder) return
    // 31 bits, so that all numbers stay small integers, which engines are fastest with.
    for (let i = 0; i < 3; i++) this.#code = (this.#code << 8) | this.#next()
    this.#last = this.#next()
    this.#code = (this.#code << 7) | (this.#last >>> 1)
  }

  /** A coder that writes, after the bytes of a prefix. */
  static encoder(...prefix: number[]): BinaryCoder {
    const coder = new BinaryCoder(new Uint8Array(512), false, 0)
    for (const byte of prefix) coder.#write(byte)
    return coder
  }

  /** A coder that reads what an encoder has written; what comes before `offset` is left alone. */
  static decoder(bytes: Uint8Array, offset = 0): BinaryCoder {
    return new BinaryCoder(bytes, true, offset)
  }

  /** How many steps a decoder may still take: what a packet asks for is bounded by its length, not by what it claims. */
  budget = Number.MAX_SAFE_INTEGER

  /** Counts a step of work; throws `minisdp.packet` where a packet asks for more than its length allows. */
  step(cost = 1): void {
    this.budget -= cost
    if (this.budget < 0) throw new GatewayError("minisdp.packet", "the SDP is too long for the packet that it is in")
  }

  /** Codes one bit. `probability` is that of a 1, as 16-bit fraction from 1 to 65,535. */
  bit(probability: number, bit: number): number {
    const range = this.#high - this.#low
    const split = this.#low + (range >>> 16) * probability + (Math.imul(range & 0xffff, probability) >>> 16)
    const coded = this.isDecoder ? (this.#code <= split ? 1 : 0) : bit
    if (coded === 1) this.#high = split
    else this.#low = split + 1
    while ((this.#low ^ this.#high) >>> 23 === 0) this.#shift()
    return coded
  }

  /** Codes `count` bits (at most 16) that nothing is known about, the high ones first. */
  bits(count: number, value: number): number {
    let coded = 0
    for (let i = count - 1; i >= 0; i--) coded = (coded << 1) | this.bit(0x8000, (value >>> i) & 1)
    return coded
  }

  /** Ends an encoder and returns its bytes: as few as tell the last bits apart, where a decoder reads zeros after them. */
  finish(): Uint8Array {
    for (let kept = 0; kept <= 4; kept++) {
      const mask = kept === 4 ? MAX_31 : MAX_31 & ~(MAX_31 >>> (8 * kept))
      const value = this.#high & mask
      if (value < this.#low) continue
      for (let i = 0; i < kept; i++) this.#write(((value << 1) >>> (24 - 8 * i)) & 0xff)
      break
    }
    return this.#bytes.slice(0, this.#at)
  }

  #shift(): void {
    if (this.isDecoder) {
      const next = this.#next()
      this.#code = ((this.#code << 8) & MAX_31) | ((this.#last & 1) << 7) | (next >>> 1)
      this.#last = next
    } else this.#write(this.#high >>> 23)
    this.#low = (this.#low << 8) & MAX_31
    this.#high = ((this.#high << 8) & MAX_31) | 0xff
  }

  #next(): number {
    const at = this.#at++
    if (at < this.#bytes.length) return this.#bytes[at] as number
    // The encoder leaves zeros out at the end, never more than one word of them.
    if (at >= this.#bytes.length + 4) throw new GatewayError("minisdp.packet", "the SDP is cut off")
    return 0
  }

  #write(byte: number): void {
    if (this.#at === this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2)
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    this.#bytes[this.#at++] = byte
  }
}

const MAX_31 = 0x7fffffff
