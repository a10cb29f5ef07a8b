import { GatewayError } from "../errors.ts"

/** One element of an RTP header extension to write, RFC 8285. */
export interface HeaderExtension {
  /** Local identifier agreed in SDP (`a=extmap`): 1–14 in the one-byte form, 1–255 in the two-byte form. */
  readonly id: number
  /** 1–16 bytes in the one-byte form, 0–255 in the two-byte form. */
  readonly data: Uint8Array
}

/** The fixed fields of an RTP packet and where its parts lie; nothing is copied. */
export interface RtpHeader {
  readonly payloadType: number
  readonly marker: boolean
  /** 16 bits. */
  readonly sequenceNumber: number
  /** 32 bits, in ticks of the payload's clock. */
  readonly timestamp: number
  readonly ssrc: number
  /** True where the last bytes of the (decrypted) payload are padding. */
  readonly hasPadding: boolean
  /** "defined by profile" word of the header extension: 0xBEDE, 0x100x, another one, or 0 where there is none. */
  readonly extensionProfile: number
  /** Offsets of the extension's data (after its four-byte header); equal where there is none. */
  readonly extensionStart: number
  readonly extensionEnd: number
  /** Length of the whole header with CSRCs and extension: SRTP encrypts what follows. */
  readonly headerBytes: number
}

/** A parsed RTP packet. */
export interface RtpPacket extends RtpHeader {
  /** The whole packet, borrowed: the header extensions are read from it. */
  readonly bytes: Uint8Array
  /** Payload without padding, borrowed from the packet. */
  readonly payload: Uint8Array
}

/** What `serializeRtpPacket` needs. */
export interface RtpPacketFields {
  readonly payloadType: number
  readonly marker: boolean
  readonly sequenceNumber: number
  readonly timestamp: number
  readonly ssrc: number
  readonly csrcs?: readonly number[]
  readonly extensions?: readonly HeaderExtension[]
  readonly payload: Uint8Array
  /** Padding after the payload, 0–255 bytes, its own count byte included. */
  readonly paddingBytes?: number
}

/** Tells RTCP from RTP on a shared port: packet types 192–223 stand where RTP has marker and payload type (RFC 5761 section 4). */
export function isRtcp(datagram: Uint8Array): boolean {
  const packetType = datagram[1]
  return packetType !== undefined && packetType >= 192 && packetType <= 223
}

/**
 * Parses the header of an RTP or SRTP packet (RFC 3550 section 5.1). Padding is not looked at, since SRTP encrypts it.
 * Throws `rtp.packet` where the version is not 2 or the header does not fit into the datagram.
 */
export function parseRtpHeader(datagram: Uint8Array): RtpHeader {
  const length = datagram.length
  if (length < FIXED_HEADER_BYTES) throw new GatewayError("rtp.packet", `RTP packet of ${length} bytes`)
  const first = byteAt(datagram, 0)
  if (first >> 6 !== 2) throw new GatewayError("rtp.packet", `RTP version ${first >> 6}`)
  const second = byteAt(datagram, 1)
  let end = FIXED_HEADER_BYTES + (first & 0x0f) * 4
  let extensionProfile = 0
  let extensionStart = end
  if ((first & EXTENSION_BIT) !== 0) {
    extensionStart = end + 4
    if (extensionStart > length) throw new GatewayError("rtp.packet", "RTP header extension is cut off")
    extensionProfile = u16At(datagram, end)
    end = extensionStart + u16At(datagram, end + 2) * 4
  }
  if (end > length) throw new GatewayError("rtp.packet", `RTP header of ${end} bytes in ${length}`)
  return {
    payloadType: second & 0x7f,
    marker: second > 0x7f,
    sequenceNumber: u16At(datagram, 2),
    timestamp: u32At(datagram, 4),
    ssrc: u32At(datagram, 8),
    hasPadding: (first & PADDING_BIT) !== 0,
    extensionProfile,
    extensionStart,
    extensionEnd: end,
    headerBytes: end,
  }
}

/** Parses a plain (decrypted) RTP packet; throws `rtp.packet` as `parseRtpHeader` does, and where the padding is not possible. */
export function parseRtpPacket(packet: Uint8Array): RtpPacket {
  const header = parseRtpHeader(packet)
  let end = packet.length
  if (header.hasPadding) {
    const paddingBytes = end > header.headerBytes ? byteAt(packet, end - 1) : 0
    if (paddingBytes === 0 || paddingBytes > end - header.headerBytes) {
      throw new GatewayError("rtp.packet", `RTP padding of ${paddingBytes} bytes`)
    }
    end -= paddingBytes
  }
  return { ...header, bytes: packet, payload: packet.subarray(header.headerBytes, end) }
}

/**
 * The data of one header extension element by its id, in the one-byte or the two-byte form (RFC 8285 sections 4.2 and 4.3), borrowed
 * from the packet; undefined where the packet has none. A damaged element ends the list, as the RFC asks for id 15. Never throws.
 */
export function readHeaderExtension(packet: RtpPacket, id: number): Uint8Array | undefined {
  const place = findHeaderExtension(packet, id)
  return place < 0 ? undefined : packet.bytes.subarray(place >>> 8, (place >>> 8) + (place & 0xff))
}

/** Where the data of an element lies, as offset × 256 + length, or -1: for readers that take a number out of every packet. */
export function findHeaderExtension(packet: RtpPacket, id: number): number {
  const { bytes, extensionProfile, extensionEnd } = packet
  const isOneByteForm = extensionProfile === ONE_BYTE_PROFILE
  if (!isOneByteForm && (extensionProfile & 0xfff0) !== TWO_BYTE_PROFILE) return -1
  let at = packet.extensionStart
  while (at < extensionEnd) {
    const first = byteAt(bytes, at++)
    if (first === 0) continue // padding between elements
    if (!isOneByteForm && at >= extensionEnd) return -1
    const elementId = isOneByteForm ? first >> 4 : first
    const length = isOneByteForm ? (first & 0x0f) + 1 : byteAt(bytes, at++)
    if ((isOneByteForm && (elementId === 0 || elementId === 15)) || length > extensionEnd - at) return -1
    if (elementId === id) return at * 256 + length
    at += length
  }
  return -1
}

/** Writes the twelve fixed bytes of a header without CSRCs, extension and padding, and returns the offset after them. */
export function writeRtpHeader(target: Uint8Array, offset: number, fields: Omit<RtpPacketFields, "payload">): number {
  target[offset] = 0x80
  target[offset + 1] = (fields.marker ? 0x80 : 0) | (fields.payloadType & 0x7f)
  putU16(target, offset + 2, fields.sequenceNumber)
  putU32(target, offset + 4, fields.timestamp)
  putU32(target, offset + 8, fields.ssrc)
  return offset + FIXED_HEADER_BYTES
}

/** Serializes a whole packet; extensions take the one-byte form where all of them fit into it (RFC 8285 section 4.1.2). */
export function serializeRtpPacket(fields: RtpPacketFields): Uint8Array {
  const csrcs = fields.csrcs ?? []
  const extensions = fields.extensions ?? []
  const paddingBytes = fields.paddingBytes ?? 0
  const oneByteForm = extensions.every(({ id, data }) => id < 15 && data.length >= 1 && data.length <= 16)
  const extensionBytes = extensions.reduce((sum, { data }) => sum + data.length + (oneByteForm ? 1 : 2), 0)
  const extensionWords = Math.ceil(extensionBytes / 4)
  const headerBytes = FIXED_HEADER_BYTES + csrcs.length * 4 + (extensions.length > 0 ? 4 + extensionWords * 4 : 0)
  const packet = new Uint8Array(headerBytes + fields.payload.length + paddingBytes)

  let at = writeRtpHeader(packet, 0, fields)
  packet[0] = 0x80 | (paddingBytes > 0 ? PADDING_BIT : 0) | (extensions.length > 0 ? EXTENSION_BIT : 0) | csrcs.length
  for (const csrc of csrcs) at = putU32(packet, at, csrc)
  if (extensions.length > 0) {
    at = putU16(packet, at, oneByteForm ? ONE_BYTE_PROFILE : TWO_BYTE_PROFILE)
    at = putU16(packet, at, extensionWords)
    for (const { id, data } of extensions) {
      if (oneByteForm) packet[at++] = (id << 4) | (data.length - 1)
      else {
        packet[at++] = id
        packet[at++] = data.length
      }
      packet.set(data, at)
      at += data.length
    }
  }
  packet.set(fields.payload, headerBytes)
  if (paddingBytes > 0) packet[packet.length - 1] = paddingBytes
  return packet
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number
}

function u16At(bytes: Uint8Array, at: number): number {
  return (byteAt(bytes, at) << 8) | byteAt(bytes, at + 1)
}

function u32At(bytes: Uint8Array, at: number): number {
  return ((u16At(bytes, at) << 16) | u16At(bytes, at + 2)) >>> 0
}

function putU16(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
  return at + 2
}

function putU32(bytes: Uint8Array, at: number, value: number): number {
  putU16(bytes, at, value >>> 16)
  return putU16(bytes, at + 2, value)
}

const FIXED_HEADER_BYTES = 12
const PADDING_BIT = 0x20
const EXTENSION_BIT = 0x10
const ONE_BYTE_PROFILE = 0xbede
const TWO_BYTE_PROFILE = 0x1000
