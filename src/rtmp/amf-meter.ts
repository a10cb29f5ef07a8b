import { GatewayError } from "../errors.ts"
import type { AmfValue } from "./amf-value.ts"

/**
 * Bounds of what a payload may decode to. What a reference repeats counts again, so that a few bytes cannot stand for a value that takes
 * for ever to walk through or to write.
 */
export interface AmfLimits {
  readonly maxDepth: number
  readonly maxValues: number
  /** For all text, byte arrays and vectors of numbers together. */
  readonly maxBytes: number
}

/** Far more than any peer sends in one message. */
export const AMF_LIMITS: AmfLimits = { maxDepth: 32, maxValues: 262_144, maxBytes: 4 * 1024 * 1024 }

/** An entry of a reference table. */
export interface AmfReference {
  /** Undefined while the value is being read. */
  measured:
    | { readonly value: AmfValue; readonly values: number; readonly bytes: number; readonly height: number }
    | undefined
}

/** Counts what is decoded from one payload against the limits; throws `rtmp.amf` beyond them. */
export class AmfMeter {
  readonly #limits: AmfLimits
  #values = 0
  #bytes = 0
  /** The deepest value since the innermost open one began. */
  #deepest = 0

  constructor(limits: AmfLimits = AMF_LIMITS) {
    this.#limits = limits
  }

  /** Counts a value at a depth, 0 being the outermost. */
  value(depth: number): void {
    this.#add(depth, 1, 0)
  }

  /** Counts text or a byte array. */
  bytes(count: number): void {
    this.#add(0, 0, count)
  }

  /** Reads a value that may contain others, and notes in its entry what it weighs; the entry must not be referred to before that. */
  measure<T extends AmfValue>(entry: AmfReference, depth: number, read: () => T): T {
    const { values, bytes } = { values: this.#values, bytes: this.#bytes }
    const outerDeepest = this.#deepest
    this.#deepest = depth
    const value = read()
    entry.measured = { value, values: this.#values - values, bytes: this.#bytes - bytes, height: this.#deepest - depth }
    this.#deepest = Math.max(outerDeepest, this.#deepest)
    return value
  }

  /** Gives the value of an entry once more; throws `rtmp.amf` for one that does not exist or is still open, which would make a cycle. */
  repeat(entry: AmfReference | undefined, depth: number): AmfValue {
    const measured = entry?.measured
    if (measured === undefined) throw new GatewayError("rtmp.amf", "a reference to nothing or into itself")
    this.#add(depth + measured.height, measured.values, measured.bytes)
    return measured.value
  }

  #add(depth: number, values: number, bytes: number): void {
    const { maxDepth, maxValues, maxBytes } = this.#limits
    if (depth > this.#deepest) this.#deepest = depth
    this.#values += values
    this.#bytes += bytes
    if (depth > maxDepth) throw new GatewayError("rtmp.amf", `AMF nested deeper than ${maxDepth}`)
    if (this.#values > maxValues) throw new GatewayError("rtmp.amf", `more than ${maxValues} AMF values`)
    if (this.#bytes > maxBytes) throw new GatewayError("rtmp.amf", `AMF of more than ${maxBytes} bytes`)
  }
}
