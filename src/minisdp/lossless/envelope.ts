import { GatewayError } from "../../errors.ts"
import { ByteReader, ByteWriter } from "../../media/bytes.ts"
import type { DictionaryNumber } from "./dictionary.ts"
import { decodeSdp, dictionaryOf, encodeSdp, FULL_DICTIONARY } from "./sdp.ts"

/** One datagram or HTTP body of the lossless form. docs/minisdp.md describes its bytes. */
export interface LosslessPacket {
  readonly type: "offer" | "answer" | "error"
  /** Chosen by the client, 16 bits; repeated in the answer. */
  readonly seq: number
  /** 0 where all is well, else the status code of an error answer, 16 bits. */
  readonly status: number
  /** The sender can take media at once on the source address of this datagram (0-RTT). */
  readonly immSend: boolean
  /** `app/stream?token=…`; empty over HTTP, where the URL says it. */
  readonly streamUrl: string
  /** What the gateway gave to this address before, 0 to 32 bytes. */
  readonly cookie: Uint8Array
  /** In answers: the name under which the client may stop the session. */
  readonly sessionId: string
  readonly sdp: string
  /** What the SDP is packed by; the full one where left out. An answer takes that of its offer, which its reader has ready. */
  readonly dictionary?: DictionaryNumber
}

/**
 * Writes a packet. `minBytes` pads it with zeros: a client over UDP pads its offer, so that the answer may be as long as it
 * has to be (an answer is never longer than three times the request). Throws `minisdp.packet` where a field is too long.
 */
export function encodeLossless(packet: LosslessPacket, minBytes = 0): Uint8Array {
  const streamUrl = utf8.encode(packet.streamUrl)
  const sessionId = utf8.encode(packet.sessionId)
  checkLength("stream URL", streamUrl.length, MAX_STREAM_URL_BYTES)
  checkLength("cookie", packet.cookie.length, MAX_COOKIE_BYTES)
  checkLength("session id", sessionId.length, MAX_SESSION_ID_BYTES)
  let flags: number = TYPES.indexOf(packet.type)
  if (packet.immSend) flags |= FLAG_IMM_SEND
  if (packet.seq !== 0) flags |= FLAG_SEQ
  if (packet.status !== 0) flags |= FLAG_STATUS
  if (streamUrl.length > 0) flags |= FLAG_STREAM_URL
  if (packet.cookie.length > 0) flags |= FLAG_COOKIE
  if (sessionId.length > 0) flags |= FLAG_SESSION_ID
  const writer = new ByteWriter(512).u32(MAGIC).u8(VERSION).u8(flags)
  if (flags & FLAG_SEQ) writer.u16(packet.seq)
  if (flags & FLAG_STATUS) writer.u16(packet.status)
  if (flags & FLAG_STREAM_URL) writer.u16(streamUrl.length).bytes(streamUrl)
  if (flags & FLAG_COOKIE) writer.u8(packet.cookie.length).bytes(packet.cookie)
  if (flags & FLAG_SESSION_ID) writer.u8(sessionId.length).bytes(sessionId)
  const body = packet.sdp === "" ? NO_BYTES : encodeSdp(packet.sdp, packet.dictionary)
  writeVarint(writer, body.length)
  writer.bytes(body)
  if (writer.length < minBytes) writer.bytes(new Uint8Array(minBytes - writer.length))
  return writer.finish()
}

/** Reads a packet; what follows the SDP is padding and ignored. Throws `minisdp.packet` for everything malformed. */
export function decodeLossless(bytes: Uint8Array): LosslessPacket {
  try {
    return readPacket(new ByteReader(bytes))
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== "bytes.truncated") throw error
    throw new GatewayError("minisdp.packet", `the packet is cut off: ${error.message}`)
  }
}

/** True where bytes begin as a packet of the lossless form does, whatever follows. */
export function isLossless(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0x53 && bytes[2] === 0x44 && bytes[3] === 0x50 && bytes[4] === VERSION
}

function readPacket(reader: ByteReader): LosslessPacket {
  if (reader.u32() !== MAGIC) throw new GatewayError("minisdp.packet", "the packet does not begin with FF 53 44 50")
  const version = reader.u8()
  if (version !== VERSION) throw new GatewayError("minisdp.packet", `version ${version} is not the lossless form's 87`)
  const flags = reader.u8()
  const type = TYPES[flags & 3]
  if (type === undefined) throw new GatewayError("minisdp.packet", "packet type 3 has no meaning yet")
  const seq = flags & FLAG_SEQ ? reader.u16() : 0
  const status = flags & FLAG_STATUS ? reader.u16() : 0
  const streamUrl = flags & FLAG_STREAM_URL ? text(reader, reader.u16(), "stream URL", MAX_STREAM_URL_BYTES) : ""
  const cookie = flags & FLAG_COOKIE ? field(reader, reader.u8(), "cookie", MAX_COOKIE_BYTES) : NO_BYTES
  const sessionId = flags & FLAG_SESSION_ID ? text(reader, reader.u8(), "session id", MAX_SESSION_ID_BYTES) : ""
  const body = reader.take(readVarint(reader))
  const immSend = (flags & FLAG_IMM_SEND) !== 0
  const packet = { type, seq, status, immSend, streamUrl, cookie, sessionId, sdp: "" }
  if (body.length === 0) return packet
  const dictionary = dictionaryOf(body)
  return { ...packet, sdp: decodeSdp(body), ...(dictionary !== FULL_DICTIONARY && { dictionary }) }
}

function text(reader: ByteReader, length: number, name: string, maxBytes: number): string {
  const bytes = field(reader, length, name, maxBytes)
  try {
    return strictUtf8.decode(bytes)
  } catch {
    throw new GatewayError("minisdp.packet", `the ${name} is not UTF-8`)
  }
}

function field(reader: ByteReader, length: number, name: string, maxBytes: number): Uint8Array {
  checkLength(name, length, maxBytes)
  return new Uint8Array(reader.take(length))
}

/** Seven bits in a byte, low ones first; the top bit says that more follow. */
function writeVarint(writer: ByteWriter, value: number): void {
  let rest = value
  for (; rest > 0x7f; rest >>>= 7) writer.u8((rest & 0x7f) | 0x80)
  writer.u8(rest)
}

function readVarint(reader: ByteReader): number {
  let value = 0
  for (let shift = 0; shift < 21; shift += 7) {
    const byte = reader.u8()
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return value
  }
  throw new GatewayError("minisdp.packet", "the length of the SDP has more than 3 bytes")
}

function checkLength(name: string, length: number, max: number): void {
  if (length > max) throw new GatewayError("minisdp.packet", `the ${name} has ${length} bytes; ${max} are the most`)
}

const MAGIC = 0xff534450
const VERSION = 0x57
const TYPES = ["offer", "answer", "error"] as const
const FLAG_IMM_SEND = 0x04
const FLAG_SEQ = 0x08
const FLAG_STATUS = 0x10
const FLAG_STREAM_URL = 0x20
const FLAG_COOKIE = 0x40
const FLAG_SESSION_ID = 0x80
const MAX_STREAM_URL_BYTES = 1024
const MAX_COOKIE_BYTES = 32
const MAX_SESSION_ID_BYTES = 64
const NO_BYTES = new Uint8Array(0)
const utf8 = new TextEncoder()
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
