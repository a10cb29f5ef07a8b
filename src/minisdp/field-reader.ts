import { malformed } from "./malformed.ts"
import { decodeText } from "./text.ts"

/** One field of a packet as `explainDatagram` lists it. */
export interface PacketField {
  /** Bytes from the start of what was read. */
  readonly offset: number
  readonly length: number
  readonly name: string
  /** The value as text. */
  value: string
  /** What the value says; empty where it speaks for itself. */
  meaning: string
}

/**
 * Reads named big-endian fields, each checked against the end; throws `minisdp.packet` with the field's name. A list handed in
 * collects the fields, so that explaining a packet takes no second parser.
 */
export class FieldReader {
  readonly bytes: Uint8Array
  readonly #view: DataView
  readonly #fields: PacketField[] | undefined
  #offset = 0

  constructor(bytes: Uint8Array, fields?: PacketField[]) {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#fields = fields
  }

  get offset(): number {
    return this.#offset
  }

  get remaining(): number {
    return this.bytes.length - this.#offset
  }

  u8(name: string): number {
    const at = this.#advance(1, name)
    return this.#noteNumber(at, 1, name, this.#view.getUint8(at))
  }

  u16(name: string): number {
    const at = this.#advance(2, name)
    return this.#noteNumber(at, 2, name, this.#view.getUint16(at))
  }

  u16le(name: string): number {
    const at = this.#advance(2, name)
    return this.#noteNumber(at, 2, name, this.#view.getUint16(at, true))
  }

  u32(name: string): number {
    const at = this.#advance(4, name)
    return this.#noteNumber(at, 4, name, this.#view.getUint32(at))
  }

  /** Borrows the next `length` bytes. */
  take(length: number, name: string): Uint8Array {
    const at = this.#advance(length, name)
    const value = this.bytes.subarray(at, at + length)
    if (this.#fields !== undefined && length > 0) this.#fields.push(field(at, length, name, hex(value)))
    return value
  }

  /** UTF-8 text of `length` bytes without control characters. */
  text(length: number, name: string): string {
    const at = this.#advance(length, name)
    const value = decodeText(this.bytes.subarray(at, at + length), name)
    if (this.#fields !== undefined) this.#fields.push(field(at, length, name, JSON.stringify(value)))
    return value
  }

  /** A reader for the next `length` bytes alone, whose fields land in the same list. */
  part(length: number, name: string): FieldReader {
    const end = this.#offset + length
    if (length > this.remaining) this.#advance(length, name)
    const reader = new FieldReader(this.bytes.subarray(0, end), this.#fields)
    reader.#offset = this.#offset
    this.#offset = end
    return reader
  }

  /** Says what the last field means; the text is made only where fields are collected. */
  meaning(text: () => string): void {
    const last = this.#fields?.at(-1)
    if (last !== undefined) last.meaning = text()
  }

  /** Lists what is left as one field. */
  noteRest(name: string): void {
    if (this.remaining > 0) this.take(this.remaining, name)
  }

  #noteNumber(offset: number, length: number, name: string, value: number): number {
    this.#fields?.push(field(offset, length, name, String(value)))
    return value
  }

  #advance(length: number, name: string): number {
    const at = this.#offset
    if (length > this.bytes.length - at) {
      throw malformed(`${name} needs ${length} bytes at offset ${at}, the packet ends at ${this.bytes.length}`)
    }
    this.#offset = at + length
    return at
  }
}

function field(offset: number, length: number, name: string, value: string): PacketField {
  return { offset, length, name, value, meaning: "" }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}
