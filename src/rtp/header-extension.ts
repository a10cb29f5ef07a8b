import {
  type HeaderExtensionIds,
  PASSED_EXTENSIONS,
  type PassedExtension,
  type PassedExtensionName,
} from "../media/header-extension.ts"
import { findHeaderExtension, type RtpPacket, readHeaderExtension } from "./packet.ts"

/**
 * The extensions that go on to viewers, with a copy of each value; undefined where the packet has none of them. An element that does not
 * fit into the one-byte form (1 to 16 bytes), in which viewers get it, is left out.
 */
export function readPassedExtensions(
  packet: RtpPacket,
  ids: HeaderExtensionIds,
): readonly PassedExtension[] | undefined {
  if (packet.extensionStart === packet.extensionEnd) return undefined
  let extensions: PassedExtension[] | undefined
  for (const name of PASSED_EXTENSIONS) {
    const value = readPassed(packet, name, ids)
    if (value === undefined) continue
    extensions ??= []
    extensions.push({ name, value })
  }
  return extensions
}

/**
 * The text of a mid, rid or repaired rid (RFC 9143 section 15.1, RFC 8852 section 3); undefined where the packet has none, or one that is no
 * token of visible ASCII characters, as those in SDP are. `id` is undefined where the extension was not agreed on.
 */
export function readTextExtension(packet: RtpPacket, id: number | undefined): string | undefined {
  const place = id === undefined ? -1 : findHeaderExtension(packet, id)
  if (place < 0) return undefined
  const start = place >>> 8
  const end = start + (place & 0xff)
  let text = ""
  for (let at = start; at < end; at++) {
    const character = packet.bytes[at] as number
    if (character <= 0x20 || character >= 0x7f) return undefined
    text += String.fromCharCode(character)
  }
  return text === "" ? undefined : text
}

/** The transport-wide sequence number, 16 bits (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 2); undefined where there is none. */
export function readTransportSequenceNumber(packet: RtpPacket, id: number | undefined): number | undefined {
  const place = id === undefined ? -1 : findHeaderExtension(packet, id)
  if (place < 0 || (place & 0xff) !== 2) return undefined
  const at = place >>> 8
  return ((packet.bytes[at] as number) << 8) | (packet.bytes[at + 1] as number)
}

/**
 * The value of abs-send-time: 24 bits, seconds in 6.18 fixed point, wrapping after 64 s. `nowUs` may be of any clock that runs evenly.
 * http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
 */
export function absSendTime(nowUs: number): number {
  return Math.floor(((nowUs % ABS_SEND_TIME_WRAP_US) * 2 ** 18) / 1_000_000)
}

function readPassed(packet: RtpPacket, name: PassedExtensionName, ids: HeaderExtensionIds): Uint8Array | undefined {
  const id = ids[name]
  const value = id === undefined ? undefined : readHeaderExtension(packet, id)
  return value === undefined || value.length === 0 || value.length > 16 ? undefined : new Uint8Array(value)
}

const ABS_SEND_TIME_WRAP_US = 64_000_000
