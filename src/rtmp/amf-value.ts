/**
 * A value of AMF0 or AMF3: anonymous objects are records (decoded ones have no prototype), ECMA arrays are Maps, strict arrays are
 * arrays, byte arrays are Uint8Arrays; the rest has a class of its own below.
 *
 * A value that was sent once and referred to later is one object in both places; there are no cycles.
 */
export type AmfValue =
  | number
  | boolean
  | string
  | null
  | undefined
  | Date
  | Uint8Array
  | AmfObject
  | ReadonlyMap<string, AmfValue>
  | readonly AmfValue[]
  | AmfTypedObject
  | AmfExternalObject
  | AmfXml
  | AmfVector
  | AmfDictionary

/** An anonymous object. */
export interface AmfObject {
  readonly [name: string]: AmfValue
}

/** An object of a named class. */
export class AmfTypedObject {
  readonly className: string
  readonly properties: AmfObject

  constructor(className: string, properties: AmfObject) {
    this.className = className
    this.properties = properties
  }
}

/** Classes of Flex that write themselves and whose form is known: all of them wrap one value. */
export type AmfExternalClass = (typeof AMF_EXTERNAL_CLASSES)[number]
export const AMF_EXTERNAL_CLASSES = [
  "flex.messaging.io.ArrayCollection",
  "flex.messaging.io.ArrayList",
  "flex.messaging.io.ObjectProxy",
] as const

/** An AMF3 object of a class that writes itself (externalizable). */
export class AmfExternalObject {
  readonly className: AmfExternalClass
  readonly value: AmfValue

  constructor(className: AmfExternalClass, value: AmfValue) {
    this.className = className
    this.value = value
  }
}

/** XML as text: of the old class XMLDocument, or of XML as in E4X (AMF3 only). */
export class AmfXml {
  readonly text: string
  readonly form: "document" | "e4x"

  constructor(text: string, form: "document" | "e4x" = "document") {
    this.text = text
    this.form = form
  }
}

/** A typed array of AMF3. `typeName` is the class of the items of an object vector, `*` or empty for any. */
export class AmfVector {
  readonly content:
    | { readonly type: "int" | "uint" | "double"; readonly items: readonly number[] }
    | { readonly type: "object"; readonly typeName: string; readonly items: readonly AmfValue[] }
  readonly isFixed: boolean

  constructor(content: AmfVector["content"], isFixed = false) {
    this.content = content
    this.isFixed = isFixed
  }
}

/** A dictionary of AMF3, whose keys can be any values. */
export class AmfDictionary {
  readonly entries: readonly (readonly [AmfValue, AmfValue])[]
  readonly hasWeakKeys: boolean

  constructor(entries: readonly (readonly [AmfValue, AmfValue])[], hasWeakKeys = false) {
    this.entries = entries
    this.hasWeakKeys = hasWeakKeys
  }
}

/** Values with names, in whatever shape a peer sends them. */
export type AmfRecord = AmfObject | ReadonlyMap<string, AmfValue> | AmfTypedObject

/** True where a value is an object or an ECMA array, the shapes in which peers send named values. */
export function isAmfRecord(value: AmfValue): value is AmfRecord {
  return value instanceof AmfTypedObject || value instanceof Map || isAnonymousObject(value)
}

/** Looks a name up in an object or an ECMA array; undefined for anything else. */
export function amfField(value: AmfValue, name: string): AmfValue {
  if (value instanceof Map) return value.get(name)
  if (value instanceof AmfTypedObject) return ownField(value.properties, name)
  if (value instanceof AmfExternalObject) return amfField(value.value, name)
  return isAnonymousObject(value) ? ownField(value, name) : undefined
}

/** True for an anonymous object, which is what is left when no other kind of value fits. */
export function isAnonymousObject(value: AmfValue): value is AmfObject {
  if (typeof value !== "object" || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function ownField(object: AmfObject, name: string): AmfValue {
  return Object.hasOwn(object, name) ? object[name] : undefined
}
