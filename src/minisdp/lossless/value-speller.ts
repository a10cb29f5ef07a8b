import type { BinaryCoder } from "./binary-coder.ts"
import { type AdaptiveBits, mix } from "./predictor.ts"
import { ADDRESS6, DIGEST, type HoleKind, NUMBER, UUID } from "./templates.ts"
import type { TextModel } from "./text-model.ts"

/** Spells values that could not be foretold: each kind in the binary form in which it is shortest. */
export class ValueSpeller {
  readonly #bits: AdaptiveBits
  readonly #text: TextModel

  constructor(bits: AdaptiveBits, text: TextModel) {
    this.#bits = bits
    this.#text = text
  }

  /** Codes the text in a hole. `context` is a hash of the template and the hole's place in it. */
  value(coder: BinaryCoder, kind: HoleKind, context: number, value: string): string {
    if (kind === NUMBER) return this.#decimal(coder, context, value)
    if (kind === UUID) return this.#uuid(coder, context, value)
    if (kind === DIGEST) return this.#digest(coder, context, value)
    if (kind === ADDRESS6) return this.#address6(coder, context, value)
    return this.#token(coder, context, value)
  }

  /** Codes a whole number below 2^53: how many bits it has, then those after the first. */
  number(coder: BinaryCoder, context: number, value: number): number {
    const width = this.tree(coder, mix(context, 1), NUMBER, 6, coder.isDecoder ? 0 : bitLength(value))
    if (width <= 1) return width
    const rest = width - 1
    const base = 2 ** rest
    const adaptive = Math.min(rest, 2)
    const low = value - base
    const scale = 2 ** (rest - adaptive)
    const head = this.tree(
      coder,
      mix(mix(context, 2), width),
      8 + Math.min(width, 40),
      adaptive,
      Math.floor(low / scale),
    )
    return base + head * scale + this.#raw(coder, rest - adaptive, low % scale)
  }

  /** Codes a symbol of `width` bits, each in the context of those before it. */
  tree(coder: BinaryCoder, context: number, general: number, width: number, symbol: number): number {
    let node = 1
    for (let i = width - 1; i >= 0; i--) {
      const special = mix(context, node) >>> (32 - SPELLED_BITS)
      const bit = this.#bits.code(coder, special, GENERAL_BASE + general * 64 + (node & 63), (symbol >>> i) & 1)
      node = (node << 1) | bit
    }
    return node - (1 << width)
  }

  /** Bits without a model, any number up to 53. */
  #raw(coder: BinaryCoder, count: number, value: number): number {
    let result = 0
    for (let left = count; left > 0; left -= 16) {
      const take = Math.min(left, 16)
      const shifted = Math.floor(value / 2 ** (left - take)) % 0x10000
      result = result * 2 ** take + coder.bits(take, shifted)
    }
    return result
  }

  #decimal(coder: BinaryCoder, context: number, value: string): string {
    const isLong = this.#flag(coder, context, 0, value.length > 15)
    if (!isLong) return String(this.number(coder, context, Number(value)))
    const whole = coder.isDecoder ? 0n : BigInt(value)
    let decoded = 0n
    for (let shift = 48n; shift >= 0n; shift -= 16n) {
      decoded = (decoded << 16n) | BigInt(coder.bits(16, Number((whole >> shift) & 0xffffn)))
    }
    return decoded.toString()
  }

  #uuid(coder: BinaryCoder, context: number, value: string): string {
    const digits = value.replaceAll("-", "")
    const isRandom = this.#flag(coder, context, 1, digits[12] === "4" && "89ab".includes(digits[16] as string))
    let text = ""
    for (let i = 0; i < 32; i++) {
      const digit = Number.parseInt(digits[i] ?? "0", 16)
      if (isRandom && i === 12) text += "4"
      else if (isRandom && i === 16) text += HEX[8 | coder.bits(2, digit & 3)]
      else text += HEX[coder.bits(4, digit)]
      if (i === 7 || i === 11 || i === 15 || i === 19) text += "-"
    }
    return text
  }

  #digest(coder: BinaryCoder, context: number, value: string): string {
    const pairs = this.tree(coder, mix(context, 3), 1, 8, (value.length + 1) / 3)
    const isUpper = this.#flag(coder, context, 2, /[A-F]/.test(value) || !/[a-f]/.test(value))
    let text = ""
    for (let i = 0; i < pairs; i++) {
      const byte = coder.bits(8, Number.parseInt(value.slice(3 * i, 3 * i + 2), 16))
      text += `${i === 0 ? "" : ":"}${HEX[byte >> 4]}${HEX[byte & 15]}`
    }
    return isUpper ? text.toUpperCase() : text
  }

  #address6(coder: BinaryCoder, context: number, value: string): string {
    const groups = value.split(":")
    const count = this.tree(coder, mix(context, 4), 2, 6, groups.length)
    const parts: string[] = []
    for (let i = 0; i < count; i++) {
      const group = groups[i] ?? ""
      const isEmpty = this.#flag(coder, context, 3, group === "")
      parts.push(isEmpty ? "" : this.number(coder, mix(0, 6), Number.parseInt(group, 16)).toString(16))
    }
    return parts.join(":")
  }

  #token(coder: BinaryCoder, context: number, value: string): string {
    const length = this.number(coder, mix(context, 5), value.length)
    const alphabet = this.tree(coder, mix(context, 6), 4, 1, /^[0-9a-f]*$/.test(value) ? 1 : 0)
    let text = ""
    for (let i = 0; i < length; i++) {
      if (alphabet === 1) text += HEX[coder.bits(4, Number.parseInt(value[i] ?? "0", 16))]
      else text += BASE64[coder.bits(6, BASE64.indexOf(value[i] ?? "A"))]
    }
    return text
  }

  #flag(coder: BinaryCoder, context: number, general: number, value: boolean): boolean {
    return this.tree(coder, mix(context, 7), 48 + general, 1, value ? 1 : 0) === 1
  }

  /** Codes text of any kind; 0 ends it. Texts with a character 0 are coded with their length in front. */
  text(coder: BinaryCoder, kind: number, value: string): string {
    const hasZero = this.tree(coder, mix(kind, 8), 5, 1, value.includes("\0") ? 1 : 0) === 1
    const length = hasZero ? this.number(coder, mix(kind, 9), value.length) : Number.MAX_SAFE_INTEGER
    this.#text.begin(kind)
    let text = ""
    for (let i = 0; i < length; i++) {
      coder.step(STEPS_OF_A_CHARACTER)
      const unit = this.#text.unit(coder, i < value.length ? value.charCodeAt(i) : 0)
      if (unit === 0 && !hasZero) break
      text += String.fromCharCode(unit)
    }
    return text
  }
}

function bitLength(value: number): number {
  return value < 2 ** 32 ? 32 - Math.clz32(value) : 32 + bitLength(Math.floor(value / 2 ** 32))
}

/** A spelled character takes about as long as three values. */
const STEPS_OF_A_CHARACTER = 3
const SPELLED_BITS = 14
const GENERAL_BASE = 1 << SPELLED_BITS
/** How many adaptive bits a speller needs. */
export const SPELLER_BITS = GENERAL_BASE + 64 * 64
const HEX = "0123456789abcdef"
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
