import { GatewayError } from "../../../errors.ts"

/** Length of an RTP header with its CSRC list and extension. Throws `srtp.packet` where it does not fit. RFC 3550 section 5.1. */
export function rtpHeaderBytes(packet: Uint8Array, end: number): number {
  if (end < 12 || (packet[0] as number) >> 6 !== 2) throw new GatewayError("srtp.packet", "not an RTP packet")
  let length = 12 + 4 * ((packet[0] as number) & 0xf)
  if ((packet[0] as number) & 0x10) {
    if (length + 4 > end) throw new GatewayError("srtp.packet", "header extension is cut off")
    length += 4 + 4 * (((packet[length + 2] as number) << 8) | (packet[length + 3] as number))
  }
  if (length > end) throw new GatewayError("srtp.packet", "RTP header is longer than the packet")
  return length
}

/** Reads a big-endian word. */
export function readU32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16)
  return (high | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0
}

/** Writes a big-endian word. */
export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
