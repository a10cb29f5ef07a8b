import type { WrappedPacket } from "./stun.ts"

/** What a datagram of the MiniSDP family is, by its first bytes. `sdp` covers the lossless form too. */
export type DatagramKind = WrappedPacket["kind"] | `stun-${WrappedPacket["kind"]}`

/** Tells by the first bytes whether a datagram belongs to MiniSDP, and to which part. Allocates nothing. SPEC section 1. */
export function classifyDatagram(bytes: Uint8Array): DatagramKind | undefined {
  if (bytes[0] === 0xff) {
    if (bytes[1] === 0x01) return "detect"
    if (bytes[1] !== 0x53 || bytes[3] !== 0x50) return undefined
    if (bytes[2] === 0x44) return "sdp"
    return bytes[2] === 0x54 ? "stop" : undefined
  }
  const isBinding = bytes.length >= 24 && (bytes[0] === 0 || bytes[0] === 1) && bytes[1] === 0x01
  if (!isBinding || bytes[20] !== 0x8f || !STUN_COOKIE.every((byte, index) => bytes[4 + index] === byte))
    return undefined
  if (bytes[21] === 0x03) return "stun-sdp"
  if (bytes[21] === 0x04) return "stun-stop"
  return bytes[21] === 0x05 ? "stun-detect" : undefined
}

const STUN_COOKIE = [0x21, 0x12, 0xa4, 0x42]
