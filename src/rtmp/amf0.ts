import { GatewayError } from "../errors.ts"
import { ByteReader, ByteWriter } from "../media/bytes.ts"
import { AMF_LIMITS, type AmfLimits, AmfMeter, type AmfReference } from "./amf-meter.ts"
import { AmfTypedObject, type AmfValue, AmfXml, isAnonymousObject } from "./amf-value.ts"
import { Amf3Decoder } from "./amf3-decoder.ts"
import { Amf3Encoder } from "./amf3-encoder.ts"

/**
 * Reads all values of a payload (AMF 0 specification, section 2), AMF3 values among them. Byte arrays borrow.
 *
 * Lenient where encoders are odd: a stray object end is skipped, an ECMA array may end with the payload instead of its end
 * marker, its count is only a hint. Throws `rtmp.amf` for unknown markers, beyond the limits and for references into an object that is
 * still open, `bytes.truncated` where a value is cut off.
 */
export function parseAmf0(payload: Uint8Array, limits: AmfLimits = AMF_LIMITS): AmfValue[] {
  const reader = new ByteReader(payload)
  const decoder = new Amf0Decoder(reader, new AmfMeter(limits))
  const values: AmfValue[] = []
  while (reader.remaining > 0) {
    if (reader.peek() === OBJECT_END) reader.skip(1)
    else values.push(decoder.value())
  }
  return values
}

/** How values are written. */
export interface Amf0Options {
  /** Objects that occur twice are referred to, which some peers cannot read, instead of written twice. */
  readonly hasReferences?: boolean
}

/**
 * Writes values one after another; the reverse of `parseAmf0`. What AMF0 has no form for (byte arrays, vectors, dictionaries) is written as
 * AMF3 behind the marker that changes to it. Throws `rtmp.amf` for names above 65535 bytes and for nesting deeper than 64.
 */
export function serializeAmf0(values: readonly AmfValue[], options: Amf0Options = {}): Uint8Array {
  const writer = new ByteWriter()
  const encoder = new Amf0Encoder(writer, options)
  for (const value of values) encoder.value(value)
  return writer.finish()
}

/** Reads values of one message from a reader, with one table of references. */
export class Amf0Decoder {
  readonly #reader: ByteReader
  readonly #meter: AmfMeter
  readonly #references: AmfReference[] = []
  #amf3: Amf3Decoder | undefined

  constructor(reader: ByteReader, meter: AmfMeter) {
    this.#reader = reader
    this.#meter = meter
  }

  value(depth = 0): AmfValue {
    this.#meter.value(depth)
    const reader = this.#reader
    const marker = reader.u8()
    switch (marker) {
      case NUMBER:
        return reader.f64()
      case BOOLEAN:
        return reader.u8() !== 0
      case STRING:
        return this.#text(reader.u16())
      case LONG_STRING:
        return this.#text(reader.u32())
      case XML_DOCUMENT:
        return new AmfXml(this.#text(reader.u32()))
      case NULL:
        return null
      case UNDEFINED:
      case UNSUPPORTED:
      case OBJECT_END:
        return undefined
      case OBJECT:
        return this.#complex(depth, () => this.#properties(depth))
      case TYPED_OBJECT:
        return this.#complex(depth, () => new AmfTypedObject(this.#text(reader.u16()), this.#properties(depth)))
      case ECMA_ARRAY:
        return this.#complex(depth, () => this.#ecmaArray(depth))
      case STRICT_ARRAY:
        return this.#complex(depth, () => this.#strictArray(depth))
      case DATE: {
        const milliseconds = reader.f64()
        reader.skip(2) // the time zone is reserved and should be ignored
        return new Date(milliseconds)
      }
      case REFERENCE:
        return this.#meter.repeat(this.#references[reader.u16()], depth)
      case AVM_PLUS:
        this.#amf3 ??= new Amf3Decoder(reader, this.#meter)
        return this.#amf3.value(depth)
      default:
        throw new GatewayError("rtmp.amf", `unsupported AMF0 marker ${marker}`)
    }
  }

  #complex<T extends AmfValue>(depth: number, read: () => T): T {
    const entry: AmfReference = { measured: undefined }
    this.#references.push(entry)
    return this.#meter.measure(entry, depth, read)
  }

  #properties(depth: number): Record<string, AmfValue> {
    const object: Record<string, AmfValue> = Object.create(null)
    this.#eachProperty(depth, (name, value) => {
      object[name] = value
    })
    return object
  }

  #ecmaArray(depth: number): ReadonlyMap<string, AmfValue> {
    const map = new Map<string, AmfValue>()
    this.#reader.skip(4)
    this.#eachProperty(depth, (name, value) => map.set(name, value))
    return map
  }

  #eachProperty(depth: number, set: (name: string, value: AmfValue) => void): void {
    const reader = this.#reader
    while (reader.remaining > 0) {
      const name = this.#text(reader.u16())
      if (name === "" && (reader.remaining === 0 || reader.peek() === OBJECT_END)) {
        if (reader.remaining > 0) reader.skip(1)
        return
      }
      set(name, this.value(depth + 1))
    }
  }

  #strictArray(depth: number): readonly AmfValue[] {
    const count = this.#reader.u32()
    if (count > this.#reader.remaining) throw new GatewayError("rtmp.amf", `array of ${count} values is cut off`)
    const values: AmfValue[] = []
    for (let i = 0; i < count; i++) values.push(this.value(depth + 1))
    return values
  }

  #text(length: number): string {
    const bytes = this.#reader.take(length)
    this.#meter.bytes(length)
    return DECODER.decode(bytes)
  }
}

/** Writes values of one message. */
class Amf0Encoder {
  readonly #writer: ByteWriter
  readonly #references: Map<object, number> | undefined
  #amf3: Amf3Encoder | undefined

  constructor(writer: ByteWriter, options: Amf0Options) {
    this.#writer = writer
    this.#references = options.hasReferences === true ? new Map() : undefined
  }

  value(value: AmfValue, depth = 0): void {
    const writer = this.#writer
    if (value === undefined) writer.u8(UNDEFINED)
    else if (value === null) writer.u8(NULL)
    else if (typeof value === "number") writer.u8(NUMBER).f64(value)
    else if (typeof value === "boolean") writer.u8(BOOLEAN).u8(value ? 1 : 0)
    else if (typeof value === "string") this.#string(value)
    else if (value instanceof Date) writer.u8(DATE).f64(value.getTime()).u16(0)
    else if (value instanceof AmfXml && value.form === "document")
      this.#longText(XML_DOCUMENT, ENCODER.encode(value.text))
    else this.#complex(value, depth)
  }

  #complex(value: object & AmfValue, depth: number): void {
    if (depth > MAX_WRITTEN_DEPTH) throw new GatewayError("rtmp.amf", `AMF nested deeper than ${MAX_WRITTEN_DEPTH}`)
    const writer = this.#writer
    if (value instanceof Map) {
      if (!this.#refer(value)) this.#properties(writer.u8(ECMA_ARRAY).u32(value.size), value, depth)
    } else if (Array.isArray(value)) {
      if (this.#refer(value)) return
      writer.u8(STRICT_ARRAY).u32(value.length)
      for (const item of value as readonly AmfValue[]) this.value(item, depth + 1)
    } else if (value instanceof AmfTypedObject) {
      if (this.#refer(value)) return
      writer.u8(TYPED_OBJECT)
      this.#name(value.className)
      this.#properties(writer, Object.entries(value.properties), depth)
    } else if (isAnonymousObject(value)) {
      if (!this.#refer(value)) this.#properties(writer.u8(OBJECT), Object.entries(value), depth)
    } else {
      this.#amf3 ??= new Amf3Encoder(writer)
      writer.u8(AVM_PLUS)
      this.#amf3.value(value, depth)
    }
  }

  /** Writes a reference where the object was written before. */
  #refer(value: object): boolean {
    const index = this.#references?.get(value)
    if (index === undefined) {
      this.#references?.set(value, this.#references.size)
      return false
    }
    if (index > 0xffff) return false
    this.#writer.u8(REFERENCE).u16(index)
    return true
  }

  #properties(writer: ByteWriter, properties: Iterable<readonly [string, AmfValue]>, depth: number): void {
    for (const [name, value] of properties) {
      this.#name(name)
      this.value(value, depth + 1)
    }
    writer.u16(0).u8(OBJECT_END)
  }

  #name(name: string): void {
    const bytes = ENCODER.encode(name)
    if (bytes.length > 0xffff)
      throw new GatewayError("rtmp.amf", `a name of ${bytes.length} bytes is too long for AMF0`)
    this.#writer.u16(bytes.length).bytes(bytes)
  }

  #string(value: string): void {
    const bytes = ENCODER.encode(value)
    if (bytes.length > 0xffff) this.#longText(LONG_STRING, bytes)
    else this.#writer.u8(STRING).u16(bytes.length).bytes(bytes)
  }

  #longText(marker: number, bytes: Uint8Array): void {
    this.#writer.u8(marker).u32(bytes.length).bytes(bytes)
  }
}

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true })
const ENCODER = new TextEncoder()

const MAX_WRITTEN_DEPTH = 64

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
const AVM_PLUS = 0x11
