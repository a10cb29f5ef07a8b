import { GatewayError } from "../errors.ts"
import { ByteReader, ByteWriter } from "../media/bytes.ts"

/** A value of AMF0: objects are records without a prototype, ECMA arrays are Maps, unsupported values are undefined. */
export type AmfValue =
  | number
  | boolean
  | string
  | null
  | undefined
  | Date
  | AmfObject
  | ReadonlyMap<string, AmfValue>
  | readonly AmfValue[]

/** An anonymous or typed object; the class name of a typed one is dropped. */
export interface AmfObject {
  readonly [name: string]: AmfValue
}

/**
 * Reads all values of a payload (AMF 0 specification, section 2).
 *
 * Lenient where encoders are odd: a stray object end is skipped, an ECMA array may end with the payload instead of its end
 * marker, its count is only a hint. Throws `rtmp.amf` for unknown markers, for nesting deeper than 16 and for references into
 * an object that is still open, `bytes.truncated` where a value is cut off.
 */
export function parseAmf0(payload: Uint8Array): AmfValue[] {
  const decoder = new Decoder(payload)
  const values: AmfValue[] = []
  while (!decoder.atEnd) {
    if (decoder.peek() === OBJECT_END) decoder.skipMarker()
    else values.push(decoder.value(0))
  }
  return values
}

/** Writes values one after another; the reverse of `parseAmf0`. */
export function serializeAmf0(values: readonly AmfValue[]): Uint8Array {
  const writer = new ByteWriter()
  for (const value of values) writeValue(writer, value)
  return writer.finish()
}

/** True where a value is an object or an ECMA array, the two shapes in which peers send named values. */
export function isAmfRecord(value: AmfValue): value is AmfObject | ReadonlyMap<string, AmfValue> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

/** Looks a name up in an object or an ECMA array; undefined for anything else. */
export function amfField(value: AmfValue, name: string): AmfValue {
  if (value instanceof Map) return value.get(name)
  return isAmfRecord(value) ? (value as AmfObject)[name] : undefined
}

type MutableRecord = Record<string, AmfValue>

class Decoder {
  readonly #bytes: Uint8Array
  readonly #reader: ByteReader
  readonly #complex: AmfValue[] = []
  readonly #open = new Set<AmfValue>()

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#reader = new ByteReader(bytes)
  }

  get atEnd(): boolean {
    return this.#reader.remaining === 0
  }

  peek(): number | undefined {
    return this.#bytes[this.#reader.offset]
  }

  skipMarker(): void {
    this.#reader.skip(1)
  }

  value(depth: number): AmfValue {
    if (depth > MAX_DEPTH) throw new GatewayError("rtmp.amf", `nested deeper than ${MAX_DEPTH}`)
    const reader = this.#reader
    const marker = reader.u8()
    switch (marker) {
      case NUMBER:
        return reader.f64()
      case BOOLEAN:
        return reader.u8() !== 0
      case STRING:
        return text(reader.take(reader.u16()))
      case LONG_STRING:
      case XML_DOCUMENT:
        return text(reader.take(reader.u32()))
      case NULL:
        return null
      case UNDEFINED:
      case UNSUPPORTED:
      case OBJECT_END:
        return undefined
      case TYPED_OBJECT:
        reader.skip(reader.u16())
        return this.#object(depth)
      case OBJECT:
        return this.#object(depth)
      case ECMA_ARRAY:
        return this.#ecmaArray(depth)
      case STRICT_ARRAY:
        return this.#strictArray(depth)
      case DATE: {
        const milliseconds = reader.f64()
        reader.skip(2) // the time zone is reserved and should be ignored
        return new Date(milliseconds)
      }
      case REFERENCE:
        return this.#reference(reader.u16())
      default:
        throw new GatewayError("rtmp.amf", `unsupported AMF0 marker ${marker}`)
    }
  }

  #object(depth: number): AmfValue {
    const object: MutableRecord = Object.create(null)
    this.#enter(object)
    this.#properties(depth, (name, value) => {
      object[name] = value
    })
    this.#open.delete(object)
    return object
  }

  #ecmaArray(depth: number): AmfValue {
    const map = new Map<string, AmfValue>()
    this.#enter(map)
    this.#reader.skip(4)
    this.#properties(depth, (name, value) => map.set(name, value))
    this.#open.delete(map)
    return map
  }

  #properties(depth: number, set: (name: string, value: AmfValue) => void): void {
    while (!this.atEnd) {
      const name = text(this.#reader.take(this.#reader.u16()))
      if (name === "" && (this.atEnd || this.peek() === OBJECT_END)) {
        if (!this.atEnd) this.skipMarker()
        return
      }
      set(name, this.value(depth + 1))
    }
  }

  #strictArray(depth: number): AmfValue {
    const count = this.#reader.u32()
    if (count > this.#reader.remaining) throw new GatewayError("rtmp.amf", `array of ${count} values is cut off`)
    const values: AmfValue[] = []
    this.#enter(values)
    for (let i = 0; i < count; i++) values.push(this.value(depth + 1))
    this.#open.delete(values)
    return values
  }

  #enter(value: AmfValue): void {
    this.#complex.push(value)
    this.#open.add(value)
  }

  #reference(index: number): AmfValue {
    const value = this.#complex[index]
    if (value === undefined || this.#open.has(value)) throw new GatewayError("rtmp.amf", `bad reference ${index}`)
    return value
  }
}

function writeValue(writer: ByteWriter, value: AmfValue): void {
  if (value === undefined) writer.u8(UNDEFINED)
  else if (value === null) writer.u8(NULL)
  else if (typeof value === "number") writer.u8(NUMBER).f64(value)
  else if (typeof value === "boolean") writer.u8(BOOLEAN).u8(value ? 1 : 0)
  else if (typeof value === "string") writeString(writer, value)
  else if (value instanceof Date) writer.u8(DATE).f64(value.getTime()).u16(0)
  else if (value instanceof Map) writeProperties(writer.u8(ECMA_ARRAY).u32(value.size), value)
  else if (Array.isArray(value)) {
    writer.u8(STRICT_ARRAY).u32(value.length)
    for (const item of value) writeValue(writer, item)
  } else writeProperties(writer.u8(OBJECT), Object.entries(value))
}

function writeString(writer: ByteWriter, value: string): void {
  const bytes = ENCODER.encode(value)
  if (bytes.length <= 0xffff) writer.u8(STRING).u16(bytes.length)
  else writer.u8(LONG_STRING).u32(bytes.length)
  writer.bytes(bytes)
}

function writeProperties(writer: ByteWriter, properties: Iterable<readonly [string, AmfValue]>): void {
  for (const [name, value] of properties) {
    const bytes = ENCODER.encode(name)
    writer.u16(bytes.length).bytes(bytes)
    writeValue(writer, value)
  }
  writer.u16(0).u8(OBJECT_END)
}

function text(bytes: Uint8Array): string {
  return DECODER.decode(bytes)
}

const DECODER = new TextDecoder()
const ENCODER = new TextEncoder()

const MAX_DEPTH = 16

const NUMBER = 0x00
const BOOLEAN = 0x01
const STRING = 0x02
const OBJECT = 0x03
const NULL = 0x05
const UNDEFINED = 0x06
const REFERENCE = 0x07
const ECMA_ARRAY = 0x08
const OBJECT_END = 0x09
const STRICT_ARRAY = 0x0a
const DATE = 0x0b
const LONG_STRING = 0x0c
const UNSUPPORTED = 0x0d
const XML_DOCUMENT = 0x0f
const TYPED_OBJECT = 0x10
