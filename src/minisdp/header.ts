import type { ByteWriter } from "../media/bytes.ts"
import type { FieldReader } from "./field-reader.ts"
import { formatAddress, isUnspecified } from "./ip-address.ts"
import { checked, malformed } from "./malformed.ts"
import type { MiniMedia, MiniSession } from "./session.ts"
import { DIRECTIONS, MEDIA_KINDS, ROLES } from "./tables.ts"

/** The first 29 bytes. SPEC section 3. */
export interface Header {
  readonly type: "offer" | "answer"
  readonly status: number
  readonly seq: number
  readonly immSend: boolean
  readonly direction: MiniSession["direction"]
  readonly role: MiniSession["role"]
  readonly isEncrypted: boolean
  readonly isSequenceAligned: boolean
  readonly hasAacConfig: boolean
  readonly hasNamedMids: boolean
  readonly addressFamily: 4 | 6
  readonly hasCandidate: boolean
  /** 0 where there is no candidate. */
  readonly port: number
  /** 4 or 16 bytes, all zero where there is no candidate. */
  readonly address: Uint8Array
  readonly kinds: readonly MiniMedia["kind"][]
}

/** Reads a header. Throws `minisdp.packet` where magic, version or direction are not those of the public form. */
export function readHeader(reader: FieldReader): Header {
  const magic = reader.u32("magic")
  reader.meaning(() => `0x${magic.toString(16)}`)
  if (magic !== MAGIC) throw malformed("a MiniSDP packet begins with FF 53 44 50")
  const version = reader.u8("version")
  if (version !== 0) throw malformed(`version ${version} is not of the public form, which has only 0`)
  const status = reader.u16("status_code")
  const a = reader.u8("flags A")
  reader.meaning(() => describeFlagsA(a))
  const addressFamily = a & IS_IPV6 ? 6 : 4
  const port = reader.u16("candidate port")
  const address = reader.take(16, "candidate IP").subarray(0, addressFamily === 6 ? 16 : 4)
  reader.meaning(() => (isUnspecified(address) ? "none" : formatAddress(address)))
  const seq = reader.u16("seq")
  const b = reader.u8("flags B")
  reader.meaning(() => describeFlagsB(b))
  const type = b >> 6
  const direction = DIRECTIONS[(b >> 4) & 3]
  if (type > 1 || direction === undefined) throw malformed("flags B have a reserved type or direction")
  return {
    type: type === 0 ? "offer" : "answer",
    status,
    seq,
    immSend: (b & NOT_IMM_SEND) === 0,
    direction,
    role: roleOf(a),
    isEncrypted: (a & IS_ENCRYPTED) !== 0,
    isSequenceAligned: (a & NOT_SEQ_ALIGNED) === 0,
    hasAacConfig: (a & NO_AAC_CONFIG) === 0,
    hasNamedMids: (a & HAS_NAMED_MIDS) !== 0,
    addressFamily,
    hasCandidate: (a & HAS_CANDIDATE) !== 0,
    port,
    address,
    kinds: MEDIA_KINDS.filter((kind) => b & KIND_BITS[kind]),
  }
}

/** Writes a header. Throws `minisdp.packet` for numbers out of range. */
export function writeHeader(writer: ByteWriter, header: Header): void {
  const a =
    (header.isSequenceAligned ? 0 : NOT_SEQ_ALIGNED) |
    (header.hasAacConfig ? 0 : NO_AAC_CONFIG) |
    (header.hasNamedMids ? HAS_NAMED_MIDS : 0) |
    (ROLES.indexOf(header.role) << 3) |
    (header.hasCandidate ? HAS_CANDIDATE : 0) |
    (header.isEncrypted ? IS_ENCRYPTED : 0) |
    (header.addressFamily === 6 ? IS_IPV6 : 0)
  const kinds = header.kinds.reduce((bits, kind) => bits | KIND_BITS[kind], 0)
  const b =
    (header.immSend ? 0 : NOT_IMM_SEND) |
    kinds |
    (DIRECTIONS.indexOf(header.direction) << 4) |
    (header.type === "offer" ? 0 : 1 << 6)
  const address = new Uint8Array(16)
  address.set(header.address)
  writer
    .u32(MAGIC)
    .u8(0)
    .u16(checked(header.status, 0xffff, "status"))
    .u8(a)
  writer
    .u16(checked(header.port, 0xffff, "port"))
    .bytes(address)
    .u16(checked(header.seq, 0xffff, "seq"))
    .u8(b)
}

function roleOf(flagsA: number): MiniSession["role"] {
  return ROLES[(flagsA >> 3) & 3] as MiniSession["role"]
}

function describeFlagsA(a: number): string {
  const words = [
    a & NOT_SEQ_ALIGNED ? "not_seq_align" : "sess-id 1",
    a & NO_AAC_CONFIG ? "no AAC blocks" : "AAC blocks",
    a & HAS_NAMED_MIDS ? "mids by kind" : "mids by number",
    `role ${roleOf(a)}`,
    a & HAS_CANDIDATE ? "has candidate" : "no candidate",
    a & IS_ENCRYPTED ? "encrypted" : "not encrypted",
    a & IS_IPV6 ? "IPv6" : "IPv4",
  ]
  return words.join(", ")
}

function describeFlagsB(b: number): string {
  const kinds = MEDIA_KINDS.filter((kind) => b & KIND_BITS[kind])
  const type = ["offer", "answer"][b >> 6] ?? "reserved type"
  const direction = DIRECTIONS[(b >> 4) & 3] ?? "reserved direction"
  return [type, direction, kinds.join("+") || "no media", b & NOT_IMM_SEND ? "not_imm_send" : "imm_send (0-RTT)"].join(
    ", ",
  )
}

const MAGIC = 0xff534450
const NOT_SEQ_ALIGNED = 0x01
const NO_AAC_CONFIG = 0x02
const HAS_NAMED_MIDS = 0x04
const HAS_CANDIDATE = 0x20
const IS_ENCRYPTED = 0x40
const IS_IPV6 = 0x80
const NOT_IMM_SEND = 0x01
const KIND_BITS = { data: 0x02, audio: 0x04, video: 0x08 } as const
