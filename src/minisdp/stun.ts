import { ByteWriter } from "../media/bytes.ts"
import { columnXor, crc32 } from "./checksum.ts"
import { FieldReader } from "./field-reader.ts"
import { checked, malformed } from "./malformed.ts"

/** A packet inside a STUN message. SPEC section 9. */
export interface WrappedPacket {
  readonly kind: "sdp" | "stop" | "detect"
  readonly isResponse: boolean
  /** The packet itself; borrowed from the datagram unless that was obfuscated. */
  readonly packet: Uint8Array
  /** 4 bytes with which packet and transaction id are XORed on the wire; only kind `sdp`. */
  readonly xorKey: Uint8Array | undefined
}

/**
 * How the message ends: with the FINGERPRINT of RFC 8489 section 14.7, or with the value of the reference encoder in its place,
 * which no receiver checks and which was computed before the length was set.
 */
export type StunFingerprint = "rfc8489" | "reference"

/**
 * Puts a packet into a STUN binding request or response, 40 to 51 bytes longer than itself.
 * Throws `minisdp.packet` where a key is given for another kind than `sdp`.
 */
export function wrapInStun(wrapped: WrappedPacket, fingerprint: StunFingerprint = "rfc8489"): Uint8Array {
  const { kind, isResponse, packet, xorKey } = wrapped
  if (xorKey !== undefined && (kind !== "sdp" || xorKey.length !== KEY_BYTES)) {
    throw malformed("only an SDP packet can be obfuscated, and with a key of 4 bytes")
  }
  checked(packet.length, MAX_STUN_BYTES - 64, "length of the packet in STUN")
  const writer = new ByteWriter(packet.length + 64)
  writer
    .u16(isResponse ? RESPONSE : REQUEST)
    .u16(0)
    .u32(COOKIE)
    .bytes(xor(TRANSACTION_ID, xorKey))
  writer
    .u16(ATTRIBUTES[kind])
    .u16(packet.length)
    .bytes(xor(packet, xorKey))
    .bytes(PADDING.subarray(0, -packet.length & 3))
  if (xorKey !== undefined) writer.u16(XOR_KEY).u16(8).u16(ATTRIBUTES.sdp).u16(1).bytes(xorKey)
  writer.u16(FINGERPRINT).u16(4).u32(0)
  const message = writer.finish()
  const view = new DataView(message.buffer, message.byteOffset, message.length)
  const end = message.length - 8
  const reference = fingerprint === "reference" ? referenceFingerprint(message) : undefined
  view.setUint16(2, message.length - HEADER_BYTES)
  if (reference !== undefined) message.set(reference, end + 4)
  else view.setUint32(end + 4, crc32(message.subarray(0, end)) ^ FINGERPRINT_MASK)
  return message
}

/**
 * Takes the packet out of a STUN message that `classifyDatagram` calls one of `stun-…`. A FINGERPRINT is not looked at, because
 * the reference encoder's is wrong. Throws `minisdp.packet`.
 */
export function unwrapStun(datagram: Uint8Array): WrappedPacket {
  return readStun(new FieldReader(datagram))
}

/** As `unwrapStun`, by a reader that may collect the fields. */
export function readStun(reader: FieldReader): WrappedPacket {
  if (reader.remaining > MAX_STUN_BYTES) throw malformed(`a STUN message has at most ${MAX_STUN_BYTES} bytes`)
  const type = reader.u16("STUN type")
  reader.meaning(() => (type === REQUEST ? "binding request" : "binding response"))
  const length = reader.u16("STUN length")
  const isStun = (type === REQUEST || type === RESPONSE) && reader.u32("STUN cookie") === COOKIE
  if (!isStun) throw malformed("not a STUN message that carries MiniSDP")
  reader.take(TRANSACTION_ID.length, "transaction id")
  if (length !== reader.remaining || length % 4 !== 0) throw malformed("the STUN length is not that of the datagram")
  let carried: { kind: WrappedPacket["kind"]; value: Uint8Array } | undefined
  let xorKey: Uint8Array | undefined
  while (reader.remaining > 0) {
    const attribute = reader.u16("attribute type")
    reader.meaning(() => ATTRIBUTE_NAMES[attribute] ?? "unknown, skipped")
    const value = reader.part(reader.u16("attribute length"), "attribute value")
    const kind = KINDS.find((each) => ATTRIBUTES[each] === attribute)
    if (carried === undefined && kind === undefined) throw malformed("the first attribute must carry the packet")
    if (kind !== undefined) carried ??= { kind, value: value.take(value.remaining, `${kind} packet`) }
    else if (attribute === XOR_KEY) xorKey = readXorKey(value)
    value.noteRest("attribute value")
    reader.take(-value.offset & 3, "padding")
  }
  if (carried === undefined) throw malformed("the STUN message carries no packet")
  const { kind, value } = carried
  const key = kind === "sdp" ? xorKey : undefined
  return { kind, isResponse: type === RESPONSE, packet: xor(value, key), xorKey: key }
}

/** The key that a packet gives itself. */
export function ownXorKey(packet: Uint8Array): Uint8Array {
  return columnXor(packet)
}

/** Keys for other attributes, or of another form, are not for us. */
function readXorKey(value: FieldReader): Uint8Array | undefined {
  if (value.remaining !== 8) throw malformed("an attribute 8F07 has 8 bytes")
  const isOurs = value.u16("obfuscated attribute") === ATTRIBUTES.sdp && value.u16("key form") === 1
  return isOurs ? value.take(KEY_BYTES, "key") : undefined
}

function xor(bytes: Uint8Array, key: Uint8Array | undefined): Uint8Array {
  return key === undefined ? bytes : bytes.map((byte, index) => byte ^ (key[index & 3] as number))
}

/** Of all before FINGERPRINT but the last group, from a start value of its own, while the length field is still zero. */
function referenceFingerprint(message: Uint8Array): Uint8Array {
  const columns = columnXor(message, message.length - 12)
  return columns.map((byte, index) => byte ^ (REFERENCE_START[index] as number))
}

const REQUEST = 0x0001
const RESPONSE = 0x0101
const COOKIE = 0x2112a442
const HEADER_BYTES = 20
const KEY_BYTES = 4
const PADDING = new Uint8Array(3)
const KINDS = ["sdp", "stop", "detect"] as const
const ATTRIBUTES = { sdp: 0x8f03, stop: 0x8f04, detect: 0x8f05 } as const
const XOR_KEY = 0x8f07
const FINGERPRINT = 0x8028
const FINGERPRINT_MASK = 0x5354554e
const REFERENCE_START = Uint8Array.of(0x4e, 0x55, 0x54, 0x53)
/** `MINISDPOSTUN`: the id of every message, so that it tells nothing about what it answers. */
const TRANSACTION_ID = new TextEncoder().encode("MINISDPOSTUN")
const MAX_STUN_BYTES = 1472
const ATTRIBUTE_NAMES: Readonly<Record<number, string>> = {
  [ATTRIBUTES.sdp]: "MiniSDP packet",
  [ATTRIBUTES.stop]: "stop packet",
  [ATTRIBUTES.detect]: "detect packet",
  [XOR_KEY]: "obfuscation key",
  [FINGERPRINT]: "FINGERPRINT",
}
