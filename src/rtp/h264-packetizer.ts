import { GatewayError } from "../errors.ts"

/** How a frame is cut into RTP payloads. */
export interface H264PacketizerOptions {
  /** Upper bound of a payload; at least 16. */
  readonly maxPayloadBytes?: number
  /** `packetization-mode` of RFC 6184 section 6: 1 aggregates and fragments, 0 sends single NAL units only. */
  readonly packetizationMode?: 0 | 1
}

/**
 * Payload bound that keeps a UDP payload within 1200 bytes, the size that passes everywhere: less 12 bytes of RTP header,
 * 32 of header extensions and 16 of SRTP tag.
 */
export const DEFAULT_MAX_PAYLOAD_BYTES = 1140

/**
 * Cuts the NAL units of one access unit into RTP payloads, in order (RFC 6184 section 5). Neighbours that fit together share a
 * STAP-A, a NAL unit above the bound becomes FU-As of equal size (the last one smaller), so that the packets of a frame
 * can be handed to the kernel as equal segments. Payloads may borrow from the NAL units.
 *
 * Mode 0 knows neither: a NAL unit above the bound cannot be sent at all, and throws `rtp.payload`. A viewer in mode 0 thus needs a publisher
 * whose slices fit (x264 `slice-max-size`); browsers that offer mode 0 offer mode 1 too.
 */
export function packetizeH264(nalUnits: readonly Uint8Array[], options: H264PacketizerOptions = {}): Uint8Array[] {
  const maxPayloadBytes = Math.max(options.maxPayloadBytes ?? DEFAULT_MAX_PAYLOAD_BYTES, 16)
  if (options.packetizationMode === 0) return singleNalUnits(nalUnits, maxPayloadBytes)
  const payloads: Uint8Array[] = []
  let group: Uint8Array[] = []
  let groupBytes = 1
  for (const nalUnit of nalUnits) {
    if (nalUnit.length === 0) continue
    if (groupBytes + 2 + nalUnit.length > maxPayloadBytes && group.length > 0) {
      payloads.push(aggregate(group, groupBytes))
      group = []
      groupBytes = 1
    }
    if (nalUnit.length > maxPayloadBytes) fragment(nalUnit, maxPayloadBytes, payloads)
    else {
      group.push(nalUnit)
      groupBytes += 2 + nalUnit.length
    }
  }
  if (group.length > 0) payloads.push(aggregate(group, groupBytes))
  return payloads
}

function singleNalUnits(nalUnits: readonly Uint8Array[], maxPayloadBytes: number): Uint8Array[] {
  return nalUnits.filter((nalUnit) => {
    if (nalUnit.length <= maxPayloadBytes) return nalUnit.length > 0
    throw new GatewayError("rtp.payload", `NAL unit of ${nalUnit.length} bytes in packetization mode 0`)
  })
}

/** STAP-A, RFC 6184 section 5.7.1: F is set where any unit sets it, NRI is the highest of all. */
function aggregate(group: readonly Uint8Array[], totalBytes: number): Uint8Array {
  if (group.length === 1) return group[0] as Uint8Array
  const payload = new Uint8Array(totalBytes)
  let forbidden = 0
  let nri = 0
  let at = 1
  for (const nalUnit of group) {
    const header = nalUnit[0] as number
    forbidden |= header & 0x80
    nri = Math.max(nri, header & 0x60)
    payload[at] = nalUnit.length >>> 8
    payload[at + 1] = nalUnit.length
    payload.set(nalUnit, at + 2)
    at += 2 + nalUnit.length
  }
  payload[0] = forbidden | nri | STAP_A
  return payload
}

/** FU-A, RFC 6184 section 5.8. */
function fragment(nalUnit: Uint8Array, maxPayloadBytes: number, payloads: Uint8Array[]): void {
  const header = nalUnit[0] as number
  const bodyBytes = nalUnit.length - 1
  const count = Math.ceil(bodyBytes / (maxPayloadBytes - 2))
  const partBytes = Math.ceil(bodyBytes / count)
  for (let at = 1; at < nalUnit.length; at += partBytes) {
    const part = nalUnit.subarray(at, at + partBytes)
    const payload = new Uint8Array(2 + part.length)
    payload[0] = (header & 0xe0) | FU_A
    payload[1] = (at === 1 ? FU_START : 0) | (at + partBytes >= nalUnit.length ? FU_END : 0) | (header & 0x1f)
    payload.set(part, 2)
    payloads.push(payload)
  }
}

const STAP_A = 24
const FU_A = 28
const FU_START = 0x80
const FU_END = 0x40
