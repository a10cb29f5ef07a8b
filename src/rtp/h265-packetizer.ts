import { h265NalType } from "../media/h265.ts"
import { DEFAULT_MAX_PAYLOAD_BYTES } from "./h264-packetizer.ts"

/**
 * Cuts the NAL units of one access unit into RTP payloads, in order (RFC 7798 section 4.4). Neighbours that fit together share an aggregation
 * packet, a NAL unit above the bound (at least 16) becomes fragmentation units. Payloads may borrow from the NAL units; those too short for a
 * header are left out.
 */
export function packetizeH265(
  nalUnits: readonly Uint8Array[],
  { maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES }: { readonly maxPayloadBytes?: number } = {},
): Uint8Array[] {
  const bound = Math.max(maxPayloadBytes, 16)
  const payloads: Uint8Array[] = []
  let group: Uint8Array[] = []
  let groupBytes = HEADER_BYTES
  const flush = () => {
    if (group.length > 0) payloads.push(aggregate(group, groupBytes))
    group = []
    groupBytes = HEADER_BYTES
  }
  for (const nalUnit of nalUnits) {
    if (nalUnit.length < HEADER_BYTES) continue
    if (groupBytes + 2 + nalUnit.length > bound) flush()
    if (nalUnit.length > bound) fragment(nalUnit, bound, payloads)
    else {
      group.push(nalUnit)
      groupBytes += 2 + nalUnit.length
    }
  }
  flush()
  return payloads
}

/** RFC 7798 section 4.4.2: layer and temporal id are the lowest of all, F is set where any unit sets it. */
function aggregate(group: readonly Uint8Array[], totalBytes: number): Uint8Array {
  if (group.length === 1) return group[0] as Uint8Array
  const payload = new Uint8Array(totalBytes)
  let forbidden = 0
  let layerId = 63
  let temporalId = 7
  let at = HEADER_BYTES
  for (const nalUnit of group) {
    const [first = 0, second = 0] = nalUnit
    forbidden |= first & 0x80
    layerId = Math.min(layerId, ((first & 1) << 5) | (second >> 3))
    temporalId = Math.min(temporalId, second & 7)
    payload[at] = nalUnit.length >>> 8
    payload[at + 1] = nalUnit.length
    payload.set(nalUnit, at + 2)
    at += 2 + nalUnit.length
  }
  payload[0] = forbidden | (AP << 1) | (layerId >> 5)
  payload[1] = (layerId << 3) | temporalId
  return payload
}

/** RFC 7798 section 4.4.3. */
function fragment(nalUnit: Uint8Array, bound: number, payloads: Uint8Array[]): void {
  const [first = 0, second = 0] = nalUnit
  const bodyBytes = nalUnit.length - HEADER_BYTES
  const count = Math.ceil(bodyBytes / (bound - HEADER_BYTES - 1))
  const partBytes = Math.ceil(bodyBytes / count)
  for (let at = HEADER_BYTES; at < nalUnit.length; at += partBytes) {
    const part = nalUnit.subarray(at, at + partBytes)
    const payload = new Uint8Array(HEADER_BYTES + 1 + part.length)
    payload[0] = (first & 0x81) | (FU << 1)
    payload[1] = second
    payload[2] =
      (at === HEADER_BYTES ? FU_START : 0) | (at + partBytes >= nalUnit.length ? FU_END : 0) | h265NalType(nalUnit)
    payload.set(part, HEADER_BYTES + 1)
    payloads.push(payload)
  }
}

const HEADER_BYTES = 2
const AP = 48
const FU = 49
const FU_START = 0x80
const FU_END = 0x40
