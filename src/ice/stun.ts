import { GatewayError } from "../errors.ts"
import { ByteReader, ByteWriter, equalBytes } from "../media/bytes.ts"
import { crc32 } from "./crc32.ts"
import { parseIpAddress, type SocketAddress } from "./ip-address.ts"

/** HMAC-SHA1, 20 bytes; handed in because pure code has no cryptography of its own. */
export type HmacSha1 = (key: Uint8Array, data: Uint8Array) => Uint8Array

/** One attribute; the value is without its padding. */
export interface StunAttribute {
  readonly type: number
  readonly value: Uint8Array
}

/** A STUN message. Parsed ones borrow from the datagram and hold only what stands before MESSAGE-INTEGRITY. */
export interface StunMessage {
  readonly messageClass: number
  readonly method: number
  /** 12 bytes. */
  readonly transactionId: Uint8Array
  readonly attributes: readonly StunAttribute[]
}

/** A parsed message and where its MESSAGE-INTEGRITY attribute begins, if it has one. */
export interface ParsedStunMessage extends StunMessage {
  readonly integrityOffset: number | undefined
}

/**
 * Reads one datagram: a header of 20 bytes (type, length, magic cookie, transaction id), then attributes padded to four bytes. A
 * FINGERPRINT must be right if it is there; integrity is for `hasValidIntegrity`, once the password is known. What follows
 * MESSAGE-INTEGRITY is not covered by it and so is left out. Throws `stun.message` or `bytes.truncated`. RFC 8489 sections 5 and 14.
 */
export function parseStunMessage(datagram: Uint8Array): ParsedStunMessage {
  const reader = new ByteReader(datagram)
  const type = reader.u16()
  const length = reader.u16()
  if (type > 0x3fff || reader.u32() !== MAGIC_COOKIE) throw new GatewayError("stun.message", "not a STUN message")
  if (length % 4 !== 0 || length !== datagram.length - HEADER_BYTES) {
    throw new GatewayError("stun.message", `length field ${length} in a datagram of ${datagram.length} bytes`)
  }
  const transactionId = reader.take(12)
  const attributes: StunAttribute[] = []
  let integrityOffset: number | undefined
  while (reader.remaining > 0) {
    const offset = reader.offset
    const attributeType = reader.u16()
    const value = reader.take(reader.u16())
    reader.skip(-value.length & 3)
    if (attributeType === FINGERPRINT) {
      if (reader.remaining > 0 || !isFingerprint(datagram, offset, value)) {
        throw new GatewayError("stun.message", "FINGERPRINT does not match")
      }
    } else if (integrityOffset === undefined) {
      if (attributeType !== MESSAGE_INTEGRITY) attributes.push({ type: attributeType, value })
      else if (value.length === INTEGRITY_BYTES) integrityOffset = offset
      else throw new GatewayError("stun.message", `MESSAGE-INTEGRITY of ${value.length} bytes`)
    }
  }
  const messageClass = ((type >> 7) & 2) | ((type >> 4) & 1)
  const method = (type & 0xf) | ((type >> 1) & 0x70) | ((type >> 2) & 0xf80)
  return { messageClass, method, transactionId, attributes, integrityOffset }
}

/** True where the message carries a MESSAGE-INTEGRITY made with this key (the ICE password). RFC 8489 section 14.5. */
export function hasValidIntegrity(
  datagram: Uint8Array,
  message: ParsedStunMessage,
  key: Uint8Array,
  hmacSha1: HmacSha1,
): boolean {
  const offset = message.integrityOffset
  if (offset === undefined) return false
  const covered = datagram.slice(0, offset)
  setLength(covered, offset + ATTRIBUTE_HEADER_BYTES + INTEGRITY_BYTES)
  const expected = hmacSha1(key, covered)
  const start = offset + ATTRIBUTE_HEADER_BYTES
  let difference = 0 // constant time, so that the answer's delay tells nothing
  for (let i = 0; i < INTEGRITY_BYTES; i++) difference |= (expected[i] as number) ^ (datagram[start + i] as number)
  return difference === 0
}

/** Writes a message, with MESSAGE-INTEGRITY where a key is given, and always with FINGERPRINT as ICE wants it (RFC 8445 section 7). */
export function serializeStunMessage(
  message: StunMessage,
  integrity?: { key: Uint8Array; hmacSha1: HmacSha1 },
): Uint8Array {
  const { method, messageClass } = message
  const type =
    (method & 0xf) |
    ((method & 0x70) << 1) |
    ((method & 0xf80) << 2) |
    ((messageClass & 1) << 4) |
    ((messageClass & 2) << 7)
  const writer = new ByteWriter(128).u16(type).u16(0).u32(MAGIC_COOKIE).bytes(message.transactionId)
  for (const attribute of message.attributes) {
    writer.u16(attribute.type).u16(attribute.value.length).bytes(attribute.value)
    for (let padding = -attribute.value.length & 3; padding > 0; padding--) writer.u8(0)
  }
  const body = writer.finish()
  const integrityBytes = integrity ? ATTRIBUTE_HEADER_BYTES + INTEGRITY_BYTES : 0
  const datagram = new Uint8Array(body.length + integrityBytes + FINGERPRINT_ATTRIBUTE_BYTES)
  datagram.set(body)
  let end = body.length
  if (integrity) {
    setLength(datagram, end + integrityBytes)
    const tag = integrity.hmacSha1(integrity.key, datagram.subarray(0, end))
    datagram.set([0, MESSAGE_INTEGRITY, 0, INTEGRITY_BYTES], end)
    datagram.set(tag, end + ATTRIBUTE_HEADER_BYTES)
    end += integrityBytes
  }
  setLength(datagram, datagram.length)
  const view = new DataView(datagram.buffer)
  view.setUint16(end, FINGERPRINT)
  view.setUint16(end + 2, 4)
  view.setUint32(end + 4, (crc32(datagram.subarray(0, end)) ^ FINGERPRINT_XOR) >>> 0)
  return datagram
}

/** Value of XOR-MAPPED-ADDRESS: the address, masked so that no address translator rewrites it. RFC 8489 section 14.2. */
export function serializeXorAddress(source: SocketAddress, transactionId: Uint8Array): Uint8Array {
  const address = parseIpAddress(source.address)
  const writer = new ByteWriter(20)
  writer
    .u8(0)
    .u8(address.length === 4 ? 1 : 2)
    .u16(source.port ^ (MAGIC_COOKIE >>> 16))
  const mask = new ByteWriter(16).u32(MAGIC_COOKIE).bytes(transactionId).finish()
  for (let i = 0; i < address.length; i++) writer.u8((address[i] as number) ^ (mask[i] as number))
  return writer.finish()
}

/** The first attribute of that type, if any. */
export function findAttribute(message: StunMessage, type: number): Uint8Array | undefined {
  return message.attributes.find((attribute) => attribute.type === type)?.value
}

function isFingerprint(datagram: Uint8Array, offset: number, value: Uint8Array): boolean {
  const expected = new ByteWriter(4).u32((crc32(datagram.subarray(0, offset)) ^ FINGERPRINT_XOR) >>> 0).finish()
  return equalBytes(value, expected)
}

function setLength(datagram: Uint8Array, messageEnd: number): void {
  const length = messageEnd - HEADER_BYTES
  datagram[2] = length >> 8
  datagram[3] = length
}

export const BINDING = 1
export const CLASS_REQUEST = 0
export const CLASS_INDICATION = 1
export const CLASS_SUCCESS = 2
export const CLASS_ERROR = 3

export const USERNAME = 0x0006
export const MESSAGE_INTEGRITY = 0x0008
export const ERROR_CODE = 0x0009
export const UNKNOWN_ATTRIBUTES = 0x000a
export const XOR_MAPPED_ADDRESS = 0x0020
export const PRIORITY = 0x0024
export const USE_CANDIDATE = 0x0025
export const FINGERPRINT = 0x8028
export const ICE_CONTROLLED = 0x8029
export const ICE_CONTROLLING = 0x802a

const MAGIC_COOKIE = 0x2112a442
const FINGERPRINT_XOR = 0x5354554e
const HEADER_BYTES = 20
const ATTRIBUTE_HEADER_BYTES = 4
const INTEGRITY_BYTES = 20
const FINGERPRINT_ATTRIBUTE_BYTES = 8
