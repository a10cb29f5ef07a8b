import { GatewayError } from "../errors.ts"
import type { VideoFrame } from "../media/frame.ts"
import { seiUserData } from "../media/sei.ts"
import {
  AmfDictionary,
  AmfExternalObject,
  AmfTypedObject,
  type AmfValue,
  AmfVector,
  AmfXml,
} from "../rtmp/amf-value.ts"
import { parseAmf0 } from "../rtmp/amf0.ts"

/** What a publisher sent beside its pictures for those who watch, in a form that JSON has. */
export type TimedMetadata =
  /** SEI user data of a picture: the payload in Base64. */
  | { readonly kind: "sei"; readonly uuid: string; readonly payload: string }
  /** A data message of RTMP or a script tag of FLV, `onTextData` or `onCuePoint` for example, with its values. */
  | { readonly kind: "data"; readonly name: string; readonly values: readonly Json[] }

/** What JSON can say. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }

/** The user data in a picture's SEI. */
export function metadataOfFrame(frame: VideoFrame): TimedMetadata[] {
  return seiUserData(frame).map(({ uuid, payload }) => ({ kind: "sei", uuid, payload: toBase64(payload) }))
}

/** What the body of a script tag says; undefined where it is damaged, has no name or is too long. */
export function metadataOfScript(payload: Uint8Array): TimedMetadata | undefined {
  if (payload.length > MAX_SCRIPT_BYTES) return undefined
  try {
    const [name, ...values] = parseAmf0(payload)
    return typeof name === "string" ? { kind: "data", name, values: values.map(toJson) } : undefined
  } catch (error) {
    if (error instanceof GatewayError) return undefined
    throw error
  }
}

/** Bytes become Base64, dates text as ISO 8601 has it, and what JSON cannot say null. */
function toJson(value: AmfValue): Json {
  if (value === null || value === undefined) return null
  if (typeof value === "number") return Number.isFinite(value) ? value : null
  if (typeof value === "string" || typeof value === "boolean") return value
  if (value instanceof Uint8Array) return toBase64(value)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (value instanceof AmfXml) return value.text
  if (value instanceof AmfVector) return value.content.items.map(toJson)
  if (value instanceof AmfExternalObject) return toJson(value.value)
  if (value instanceof AmfTypedObject) return namedValues(Object.entries(value.properties))
  if (value instanceof AmfDictionary) return value.entries.map(([key, item]) => [toJson(key), toJson(item)])
  if (value instanceof Map) return namedValues(value)
  if (Array.isArray(value)) return value.map(toJson)
  return namedValues(Object.entries(value))
}

function namedValues(entries: Iterable<readonly [string, AmfValue]>): Json {
  return Object.fromEntries(Array.from(entries, ([name, value]) => [name, toJson(value)]))
}

function toBase64(bytes: Uint8Array): string {
  let text = ""
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

const MAX_SCRIPT_BYTES = 16 * 1024
