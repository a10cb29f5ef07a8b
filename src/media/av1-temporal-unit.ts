import { GatewayError } from "../errors.ts"
import { OBU_TYPE, obuType } from "./av1.ts"
import { leb128Bytes, readLeb128, writeLeb128 } from "./av1-obu.ts"

/**
 * Cuts a temporal unit in the low-overhead format (AV1 bitstream specification section 5.2), which FLV and MP4 have, into OBUs without size
 * fields; temporal delimiters, tile lists and padding are left out. Each OBU is a copy. Throws `media.av1` where sizes do not fit.
 */
export function splitObus(data: Uint8Array): Uint8Array[] {
  const obus: Uint8Array[] = []
  for (let at = 0; at < data.length; ) {
    const header = data[at] as number
    const headerBytes = (header & HAS_EXTENSION) === 0 ? 1 : 2
    let from = at + headerBytes
    let end = data.length
    if ((header & HAS_SIZE) !== 0) {
      const size = readLeb128(data, from)
      if (size === undefined) throw new GatewayError("media.av1", "the size of an OBU is cut off")
      from += size.bytes
      end = from + size.value
    }
    if (from > data.length || end > data.length)
      throw new GatewayError("media.av1", "an OBU is longer than its picture")
    if (obus.length >= MAX_OBUS) throw new GatewayError("media.av1", `more than ${MAX_OBUS} OBUs in a picture`)
    if (!DROPPED_TYPES.has(obuType(data.subarray(at)))) obus.push(withoutSize(data, at, headerBytes, from, end))
    at = end
  }
  return obus
}

/** An OBU without a size field as the two parts of one with it; the second borrows from it. */
export function obuWithSize(obu: Uint8Array): [head: Uint8Array, payload: Uint8Array] {
  const [header = 0, extension = 0] = obu
  const headerBytes = Math.min((header & HAS_EXTENSION) === 0 ? 1 : 2, obu.length)
  const payload = obu.subarray(headerBytes)
  const head = new Uint8Array(headerBytes + leb128Bytes(payload.length))
  head[0] = header | HAS_SIZE
  if (headerBytes === 2) head[1] = extension
  writeLeb128(head, headerBytes, payload.length)
  return [head, payload]
}

function withoutSize(data: Uint8Array, at: number, headerBytes: number, from: number, end: number): Uint8Array {
  const obu = new Uint8Array(headerBytes + end - from)
  obu.set(data.subarray(at, at + headerBytes))
  obu[0] = (data[at] as number) & ~HAS_SIZE
  obu.set(data.subarray(from, end), headerBytes)
  return obu
}

const HAS_EXTENSION = 0x04
const HAS_SIZE = 0x02
const MAX_OBUS = 8_192
const TILE_LIST = 8
const PADDING = 15
const DROPPED_TYPES: ReadonlySet<number> = new Set([OBU_TYPE.temporalDelimiter, TILE_LIST, PADDING])
