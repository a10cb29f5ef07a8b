import type { VideoFrame } from "./frame.ts"
import { NAL_TYPE, nalType, unescapeRbsp } from "./h264.ts"
import { h265NalType } from "./h265.ts"

/** User data that a publisher has put into a picture, SEI user_data_unregistered (ITU-T H.264 section D.2.7, H.265 section D.3.7). */
export interface SeiUserData {
  /** What tells the kind of data, with dashes. */
  readonly uuid: string
  readonly payload: Uint8Array
}

/** Finds the user data in the SEI of a picture of H.264 or HEVC. Damage ends a message's list; what is too long is left out. */
export function seiUserData({ track, units }: VideoFrame): SeiUserData[] {
  const found: SeiUserData[] = []
  for (const nalUnit of units) {
    const isH264Sei = track.codec === "h264" && nalType(nalUnit) === NAL_TYPE.sei
    const isH265Sei = track.codec === "h265" && H265_SEI.has(h265NalType(nalUnit))
    if (!isH264Sei && !isH265Sei) continue
    if (nalUnit.length <= MAX_NAL_BYTES) readMessages(unescapeRbsp(nalUnit.subarray(isH264Sei ? 1 : 2)), found)
    if (found.length >= MAX_MESSAGES) break
  }
  return found
}

/** ITU-T H.264 section 7.3.2.3.1: type and size are sums of bytes, of which all but the last are 255. */
function readMessages(rbsp: Uint8Array, found: SeiUserData[]): void {
  let at = 0
  const readSum = () => {
    let sum = 0
    while (rbsp[at] === 0xff) sum += rbsp[at++] as number
    return sum + (rbsp[at++] ?? 0)
  }
  // One byte is left for rbsp_trailing_bits.
  while (at + 1 < rbsp.length && found.length < MAX_MESSAGES) {
    const type = readSum()
    const size = readSum()
    if (at + size > rbsp.length) return
    if (type === USER_DATA_UNREGISTERED && size >= UUID_BYTES) {
      const uuid = formatUuid(rbsp.subarray(at, at + UUID_BYTES))
      found.push({ uuid, payload: rbsp.slice(at + UUID_BYTES, at + size) })
    }
    at += size
  }
}

function formatUuid(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-")
}

const USER_DATA_UNREGISTERED = 5
const UUID_BYTES = 16
/** PREFIX_SEI and SUFFIX_SEI, ITU-T H.265 table 7-1. */
const H265_SEI: ReadonlySet<number> = new Set([39, 40])
const MAX_NAL_BYTES = 16 * 1024
/** Of one picture. */
const MAX_MESSAGES = 16
