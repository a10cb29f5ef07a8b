import { classifyDatagram, type DatagramKind } from "./datagram.ts"
import { readDetect } from "./detect.ts"
import { FieldReader, type PacketField } from "./field-reader.ts"
import { decodeLossless, isLossless, type LosslessPacket } from "./lossless/envelope.ts"
import { malformed } from "./malformed.ts"
import { readPacket } from "./packet.ts"
import { readStop } from "./stop.ts"
import { readStun, type WrappedPacket } from "./stun.ts"

/** A datagram of the MiniSDP family, field by field. */
export interface Explanation {
  readonly kind: DatagramKind
  /** In the order of the bytes; offsets are those of the datagram. */
  readonly fields: readonly PacketField[]
  /** Why reading stopped before the end. */
  readonly error: string | undefined
}

/**
 * Lists the fields of a datagram of any kind; one that is broken is listed as far as it can be read. Throws `minisdp.packet` for what
 * is not MiniSDP at all.
 */
export function explainDatagram(datagram: Uint8Array): Explanation {
  const kind = classifyDatagram(datagram)
  if (kind === undefined)
    throw malformed("not a MiniSDP datagram: it begins with FF 53 44 50, FF 53 54 50, FF 01 or STUN")
  const fields: PacketField[] = []
  try {
    const wrapped = kind.startsWith("stun-") ? explainStun(datagram, fields) : undefined
    if (wrapped === undefined) explainPacket(kind as WrappedPacket["kind"], datagram, fields)
    return { kind, fields, error: undefined }
  } catch (error) {
    return { kind, fields, error: error instanceof Error ? error.message : String(error) }
  }
}

/** The fields of the packet take the place of the attribute's value; those of an obfuscated packet are shown in the clear. */
function explainStun(datagram: Uint8Array, fields: PacketField[]): WrappedPacket {
  const wrapped = readStun(new FieldReader(datagram, fields))
  const at = fields.findIndex(({ name }) => name === `${wrapped.kind} packet`)
  const start = fields[at]?.offset ?? 0
  const inner: PacketField[] = []
  try {
    explainPacket(wrapped.kind, wrapped.packet, inner)
  } finally {
    fields.splice(at, 1, ...inner.map((field) => ({ ...field, offset: field.offset + start, name: `  ${field.name}` })))
  }
  return wrapped
}

function explainPacket(kind: WrappedPacket["kind"], bytes: Uint8Array, fields: PacketField[]): void {
  const reader = new FieldReader(bytes, fields)
  if (kind === "stop") readStop(reader)
  else if (kind === "detect") readDetect(reader)
  else if (isLossless(bytes)) explainLossless(reader)
  else readPacket(reader)
  reader.noteRest("rest (ignored)")
}

/** The decoded packet says which fields its flags announce. */
function explainLossless(reader: FieldReader): void {
  const packet = decodeLossless(reader.bytes)
  reader.u32("magic")
  reader.u8("version")
  reader.meaning(() => "lossless")
  const flags = reader.u8("type, flags")
  reader.meaning(() => `${packet.type}${packet.immSend ? ", imm_send (0-RTT)" : ""}`)
  if (flags & 0x08) reader.u16("seq")
  if (flags & 0x10) reader.u16("status")
  if (flags & 0x20) reader.text(reader.u16("stream URL length"), "stream URL")
  if (flags & 0x40) reader.take(reader.u8("cookie length"), "cookie")
  if (flags & 0x80) reader.text(reader.u8("session id length"), "session id")
  explainSdp(reader, packet)
}

function explainSdp(reader: FieldReader, { sdp }: LosslessPacket): void {
  let length = 0
  for (let shift = 0, byte = 0x80; byte >= 0x80; shift += 7) {
    byte = reader.u8("SDP length")
    length |= (byte & 0x7f) << shift
  }
  reader.meaning(() => `${length} bytes`)
  reader.take(length, "SDP")
  reader.meaning(() => `${sdp.length} characters of text`)
}
