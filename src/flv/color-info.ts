import { GatewayError } from "../errors.ts"
import { COLOR_INFO_FIELDS, type ColorInfo } from "../media/color-info.ts"
import { amfField, isAmfRecord } from "../rtmp/amf-value.ts"
import { parseAmf0, serializeAmf0 } from "../rtmp/amf0.ts"

/**
 * Reads `colorInfo` from the pairs of name and value in a video metadata tag (Enhanced RTMP v2 "Metadata Frame"): the newest one; null where it
 * is reset; undefined where there is none, or where it cannot be read, since pictures are shown without it too.
 */
export function parseColorInfo(amf: Uint8Array): ColorInfo | null | undefined {
  const values = read(amf)
  const at = values.lastIndexOf("colorInfo")
  if (at < 0) return undefined
  const info: Record<string, Record<string, number>> = {}
  for (const [group, fields] of Object.entries(COLOR_INFO_FIELDS)) {
    const given = amfField(values[at + 1], group)
    if (!isAmfRecord(given)) continue
    const numbers = fields.flatMap((field): [string, number][] => {
      const value = amfField(given, field)
      return typeof value === "number" && Number.isFinite(value) ? [[field, value]] : []
    })
    if (numbers.length > 0) info[group] = Object.fromEntries(numbers)
  }
  return Object.keys(info).length > 0 ? (info as ColorInfo) : null
}

/** Writes such pairs. */
export function serializeColorInfo(info: ColorInfo): Uint8Array {
  return serializeAmf0(["colorInfo", info])
}

function read(amf: Uint8Array) {
  try {
    return parseAmf0(amf)
  } catch (error) {
    if (error instanceof GatewayError) return []
    throw error
  }
}
