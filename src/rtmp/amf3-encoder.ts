import { GatewayError } from "../errors.ts"
import { ByteWriter } from "../media/bytes.ts"
import {
  AmfDictionary,
  AmfExternalObject,
  type AmfObject,
  AmfTypedObject,
  type AmfValue,
  AmfVector,
  AmfXml,
} from "./amf-value.ts"
import { AMF3_MARKER } from "./amf3-marker.ts"

/**
 * Writes values one after another; the reverse of `parseAmf3`. Strings, objects and classes that occur again are referred to. Throws
 * `rtmp.amf` for empty names of properties, for which AMF3 has no form, and for nesting deeper than 64.
 */
export function serializeAmf3(values: readonly AmfValue[]): Uint8Array {
  const writer = new ByteWriter()
  const encoder = new Amf3Encoder(writer)
  for (const value of values) encoder.value(value)
  return writer.finish()
}

/** Writes values of one message, with one set of reference tables. */
export class Amf3Encoder {
  readonly #writer: ByteWriter
  readonly #strings = new Map<string, number>()
  readonly #references = new Map<object, number>()
  /** Classes by name and names of properties. */
  readonly #traits = new Map<string, number>()

  constructor(writer: ByteWriter) {
    this.#writer = writer
  }

  value(value: AmfValue, depth = 0): void {
    const writer = this.#writer
    if (value === undefined) writer.u8(AMF3_MARKER.undefined)
    else if (value === null) writer.u8(AMF3_MARKER.null)
    else if (typeof value === "boolean") writer.u8(value ? AMF3_MARKER.true : AMF3_MARKER.false)
    else if (typeof value === "number") this.#number(value)
    else if (typeof value === "string") {
      writer.u8(AMF3_MARKER.string)
      this.#string(value)
    } else this.#complex(value, depth)
  }

  #number(value: number): void {
    const isInteger = Number.isInteger(value) && value >= MIN_INTEGER && value <= MAX_INTEGER && !Object.is(value, -0)
    if (!isInteger) this.#writer.u8(AMF3_MARKER.double).f64(value)
    else {
      this.#writer.u8(AMF3_MARKER.integer)
      this.#u29(value & MAX_U29)
    }
  }

  #complex(value: object & AmfValue, depth: number): void {
    if (depth > MAX_WRITTEN_DEPTH) throw new GatewayError("rtmp.amf", `AMF nested deeper than ${MAX_WRITTEN_DEPTH}`)
    this.#writer.u8(markerOf(value))
    const index = this.#references.get(value)
    if (index !== undefined) {
      this.#u29(index * 2)
      return
    }
    this.#references.set(value, this.#references.size)
    if (value instanceof Date) {
      this.#header(0)
      this.#writer.f64(value.getTime())
    } else if (value instanceof AmfXml) this.#bytes(ENCODER.encode(value.text))
    else if (value instanceof Uint8Array) this.#bytes(value)
    else if (value instanceof AmfVector) this.#vector(value, depth)
    else if (value instanceof AmfDictionary) this.#dictionary(value, depth)
    else if (value instanceof Map) this.#ecmaArray(value, depth)
    else if (Array.isArray(value)) {
      this.#header(value.length)
      this.#string("")
      for (const item of value as readonly AmfValue[]) this.value(item, depth + 1)
    } else if (value instanceof AmfExternalObject) {
      this.#traitsOf(value.className, [], "external")
      this.value(value.value, depth + 1)
    } else if (value instanceof AmfTypedObject) {
      const names = Object.keys(value.properties)
      this.#traitsOf(value.className, names, "sealed")
      for (const name of names) this.value(value.properties[name], depth + 1)
    } else {
      this.#traitsOf("", [], "dynamic")
      this.#named(Object.entries(value as AmfObject), depth)
    }
  }

  #ecmaArray(map: ReadonlyMap<string, AmfValue>, depth: number): void {
    this.#header(0)
    this.#named(map, depth)
  }

  #named(properties: Iterable<readonly [string, AmfValue]>, depth: number): void {
    for (const [name, value] of properties) {
      if (name === "") throw new GatewayError("rtmp.amf", "a property without a name has no form in AMF3")
      this.#string(name)
      this.value(value, depth + 1)
    }
    this.#string("")
  }

  #traitsOf(className: string, names: readonly string[], form: keyof typeof TRAITS_FORM): void {
    const key = JSON.stringify([form, className, ...names])
    const index = this.#traits.get(key)
    if (index !== undefined) {
      this.#u29(index * 4 + 1)
      return
    }
    this.#traits.set(key, this.#traits.size)
    this.#u29(names.length * 16 + TRAITS_FORM[form])
    this.#string(className)
    for (const name of names) this.#string(name)
  }

  #vector({ content, isFixed }: AmfVector, depth: number): void {
    this.#header(content.items.length)
    this.#writer.u8(isFixed ? 1 : 0)
    if (content.type === "object") {
      this.#string(content.typeName)
      for (const item of content.items) this.value(item, depth + 1)
    } else if (content.type === "double") for (const item of content.items) this.#writer.f64(item)
    else for (const item of content.items) this.#writer.u32(item)
  }

  #dictionary({ entries, hasWeakKeys }: AmfDictionary, depth: number): void {
    this.#header(entries.length)
    this.#writer.u8(hasWeakKeys ? 1 : 0)
    for (const [key, value] of entries) {
      this.value(key, depth + 1)
      this.value(value, depth + 1)
    }
  }

  #string(value: string): void {
    if (value === "") {
      this.#header(0)
      return
    }
    const index = this.#strings.get(value)
    if (index === undefined) {
      this.#strings.set(value, this.#strings.size)
      this.#bytes(ENCODER.encode(value))
    } else this.#u29(index * 2)
  }

  #bytes(bytes: Uint8Array): void {
    this.#header(bytes.length)
    this.#writer.bytes(bytes)
  }

  /** A length or count of something that is written out and not referred to. */
  #header(count: number): void {
    this.#u29(count * 2 + 1)
  }

  #u29(value: number): void {
    const writer = this.#writer
    if (value < 0x80) writer.u8(value)
    else if (value < 0x4000) writer.u8((value >> 7) | 0x80).u8(value & 0x7f)
    else if (value < 0x20_0000)
      writer
        .u8((value >> 14) | 0x80)
        .u8(((value >> 7) & 0x7f) | 0x80)
        .u8(value & 0x7f)
    else if (value <= MAX_U29) {
      writer.u8((value >> 22) | 0x80).u8(((value >> 15) & 0x7f) | 0x80)
      writer.u8(((value >> 8) & 0x7f) | 0x80).u8(value & 0xff)
    } else throw new GatewayError("rtmp.amf", "too long for AMF3")
  }
}

function markerOf(value: object & AmfValue): number {
  if (value instanceof Date) return AMF3_MARKER.date
  if (value instanceof AmfXml) return value.form === "document" ? AMF3_MARKER.xmlDocument : AMF3_MARKER.xml
  if (value instanceof Uint8Array) return AMF3_MARKER.byteArray
  if (value instanceof AmfVector) return VECTOR_MARKERS[value.content.type]
  if (value instanceof AmfDictionary) return AMF3_MARKER.dictionary
  return value instanceof Map || Array.isArray(value) ? AMF3_MARKER.array : AMF3_MARKER.object
}

const ENCODER = new TextEncoder()

const MAX_WRITTEN_DEPTH = 64
const MAX_U29 = 2 ** 29 - 1
const MAX_INTEGER = 2 ** 28 - 1
const MIN_INTEGER = -(2 ** 28)
const VECTOR_MARKERS = {
  int: AMF3_MARKER.vectorInt,
  uint: AMF3_MARKER.vectorUint,
  double: AMF3_MARKER.vectorDouble,
  object: AMF3_MARKER.vectorObject,
} as const
/** Lowest four bits of a class that is written out: its names are all there are, more follow, or it writes itself. */
const TRAITS_FORM = { sealed: 0b0011, dynamic: 0b1011, external: 0b0111 } as const
