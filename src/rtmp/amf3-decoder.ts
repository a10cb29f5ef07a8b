import { GatewayError } from "../errors.ts"
import { ByteReader } from "../media/bytes.ts"
import { AMF_LIMITS, type AmfLimits, AmfMeter, type AmfReference } from "./amf-meter.ts"
import {
  AMF_EXTERNAL_CLASSES,
  AmfDictionary,
  type AmfExternalClass,
  AmfExternalObject,
  AmfTypedObject,
  type AmfValue,
  AmfVector,
  AmfXml,
} from "./amf-value.ts"
import { AMF3_MARKER } from "./amf3-marker.ts"

/**
 * Reads all values of a payload (AMF 3 specification, section 3). Byte arrays borrow. An array that has names becomes a Map, with its
 * numbered part under the numbers as names.
 *
 * Throws `rtmp.amf` for unknown markers, objects that write themselves in a way that is not known, beyond the limits and for
 * references into an object that is still open, `bytes.truncated` where a value is cut off.
 */
export function parseAmf3(payload: Uint8Array, limits: AmfLimits = AMF_LIMITS): AmfValue[] {
  const reader = new ByteReader(payload)
  const decoder = new Amf3Decoder(reader, new AmfMeter(limits))
  const values: AmfValue[] = []
  while (reader.remaining > 0) values.push(decoder.value())
  return values
}

/** Reads values of one message from a reader, with one set of reference tables. */
export class Amf3Decoder {
  readonly #reader: ByteReader
  readonly #meter: AmfMeter
  readonly #strings: string[] = []
  readonly #references: AmfReference[] = []
  readonly #traits: Traits[] = []

  constructor(reader: ByteReader, meter: AmfMeter) {
    this.#reader = reader
    this.#meter = meter
  }

  value(depth = 0): AmfValue {
    this.#meter.value(depth)
    const marker = this.#reader.u8()
    switch (marker) {
      case AMF3_MARKER.undefined:
        return undefined
      case AMF3_MARKER.null:
        return null
      case AMF3_MARKER.false:
        return false
      case AMF3_MARKER.true:
        return true
      case AMF3_MARKER.integer:
        return (this.#u29() << 3) >> 3
      case AMF3_MARKER.double:
        return this.#reader.f64()
      case AMF3_MARKER.string:
        return this.#string()
      default:
        return this.#complex(marker, depth)
    }
  }

  /** Everything that can be referred to: a number whose lowest bit is 0 is an index into the table. */
  #complex(marker: number, depth: number): AmfValue {
    const read = this.#readerOf(marker)
    const header = this.#u29()
    if ((header & 1) === 0) return this.#meter.repeat(this.#references[header >> 1], depth)
    const entry: AmfReference = { measured: undefined }
    this.#references.push(entry)
    return this.#meter.measure(entry, depth, () => read(header >> 1, depth))
  }

  #readerOf(marker: number): (header: number, depth: number) => AmfValue {
    switch (marker) {
      case AMF3_MARKER.xmlDocument:
        return (length) => new AmfXml(this.#text(length), "document")
      case AMF3_MARKER.xml:
        return (length) => new AmfXml(this.#text(length), "e4x")
      case AMF3_MARKER.date:
        return () => new Date(this.#reader.f64())
      case AMF3_MARKER.array:
        return (count, depth) => this.#array(count, depth)
      case AMF3_MARKER.object:
        return (flags, depth) => this.#object(this.#readTraits(flags), depth)
      case AMF3_MARKER.byteArray:
        return (length) => this.#bytes(length)
      case AMF3_MARKER.vectorInt:
        return (count) => this.#numbers("int", count, 4)
      case AMF3_MARKER.vectorUint:
        return (count) => this.#numbers("uint", count, 4)
      case AMF3_MARKER.vectorDouble:
        return (count) => this.#numbers("double", count, 8)
      case AMF3_MARKER.vectorObject:
        return (count, depth) => this.#objects(count, depth)
      case AMF3_MARKER.dictionary:
        return (count, depth) => this.#dictionary(count, depth)
      default:
        throw new GatewayError("rtmp.amf", `unsupported AMF3 marker ${marker}`)
    }
  }

  #array(count: number, depth: number): AmfValue {
    const firstName = this.#string()
    if (firstName === "") return this.#list(count, depth)
    const map = new Map<string, AmfValue>()
    for (let name = firstName; name !== ""; name = this.#string()) map.set(name, this.value(depth + 1))
    for (const [index, value] of this.#list(count, depth).entries()) map.set(String(index), value)
    return map
  }

  #object(traits: Traits, depth: number): AmfValue {
    const { className, names, isDynamic, isExternal } = traits
    if (isExternal) return new AmfExternalObject(externalClass(className), this.value(depth + 1))
    const properties: Record<string, AmfValue> = Object.create(null)
    for (const name of names) {
      this.#meter.bytes(name.length)
      properties[name] = this.value(depth + 1)
    }
    if (isDynamic) {
      for (let name = this.#string(); name !== ""; name = this.#string()) properties[name] = this.value(depth + 1)
    }
    if (className === "") return properties
    this.#meter.bytes(className.length)
    return new AmfTypedObject(className, properties)
  }

  #readTraits(flags: number): Traits {
    if ((flags & 1) === 0) {
      const known = this.#traits[flags >> 1]
      if (known === undefined)
        throw new GatewayError("rtmp.amf", `a reference to class ${flags >> 1}, which is not there`)
      return known
    }
    const count = flags >> 3
    this.#checkCount(count, 1)
    const className = this.#string()
    const names: string[] = []
    for (let i = 0; i < count; i++) names.push(this.#string())
    const traits = { className, names, isExternal: (flags & 2) !== 0, isDynamic: (flags & 4) !== 0 }
    this.#traits.push(traits)
    return traits
  }

  #numbers(type: "int" | "uint" | "double", count: number, itemBytes: number): AmfVector {
    const reader = this.#reader
    const isFixed = reader.u8() !== 0
    this.#checkCount(count, itemBytes)
    this.#meter.bytes(count * itemBytes)
    const items: number[] = []
    for (let i = 0; i < count; i++) {
      items.push(type === "double" ? reader.f64() : type === "int" ? reader.u32() | 0 : reader.u32())
    }
    return new AmfVector({ type, items }, isFixed)
  }

  #objects(count: number, depth: number): AmfVector {
    const isFixed = this.#reader.u8() !== 0
    const typeName = this.#string()
    return new AmfVector({ type: "object", typeName, items: this.#list(count, depth) }, isFixed)
  }

  #dictionary(count: number, depth: number): AmfDictionary {
    const hasWeakKeys = this.#reader.u8() !== 0
    this.#checkCount(count, 2)
    const entries: [AmfValue, AmfValue][] = []
    for (let i = 0; i < count; i++) entries.push([this.value(depth + 1), this.value(depth + 1)])
    return new AmfDictionary(entries, hasWeakKeys)
  }

  #list(count: number, depth: number): AmfValue[] {
    this.#checkCount(count, 1)
    const values: AmfValue[] = []
    for (let i = 0; i < count; i++) values.push(this.value(depth + 1))
    return values
  }

  /** Nothing is begun that announces more items than there are bytes for. */
  #checkCount(count: number, itemBytes: number): void {
    if (count * itemBytes > this.#reader.remaining) {
      throw new GatewayError("rtmp.amf", `a list of ${count} items is cut off`)
    }
  }

  #string(): string {
    const header = this.#u29()
    if ((header & 1) === 0) {
      const known = this.#strings[header >> 1]
      if (known === undefined)
        throw new GatewayError("rtmp.amf", `a reference to string ${header >> 1}, which is not there`)
      this.#meter.bytes(known.length)
      return known
    }
    const value = this.#text(header >> 1)
    if (value !== "") this.#strings.push(value)
    return value
  }

  #text(length: number): string {
    return DECODER.decode(this.#bytes(length))
  }

  #bytes(length: number): Uint8Array {
    const bytes = this.#reader.take(length)
    this.#meter.bytes(length)
    return bytes
  }

  /** Section 1.3.1: seven bits in each of up to three bytes, while the highest bit is set, then eight. */
  #u29(): number {
    let value = 0
    for (let i = 0; i < 3; i++) {
      const byte = this.#reader.u8()
      value = (value << 7) | (byte & 0x7f)
      if (byte < 0x80) return value
    }
    return (value << 8) | this.#reader.u8()
  }
}

/** The class of an object as it stands on the wire. */
interface Traits {
  readonly className: string
  readonly names: readonly string[]
  readonly isDynamic: boolean
  readonly isExternal: boolean
}

function externalClass(className: string): AmfExternalClass {
  const known = AMF_EXTERNAL_CLASSES.find((name) => name === className)
  if (known === undefined) {
    throw new GatewayError("rtmp.amf", `objects of class ${className.slice(0, 64)} write themselves in an unknown way`)
  }
  return known
}

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true })
