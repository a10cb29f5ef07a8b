import type { ByteWriter } from "../media/bytes.ts"
import { columnXor } from "./checksum.ts"
import type { FieldReader } from "./field-reader.ts"
import { checked, malformed } from "./malformed.ts"

/** The 16 bytes behind the strings and the push area, which their flags announce. SPEC sections 6 and 7. */
export interface Footer {
  /** Further UDP ports of the header's candidate. */
  readonly ports: readonly number[]
  readonly networks: number
  readonly agentId: number
  readonly checksum: "none" | "right" | "wrong"
  readonly hasTlvs: boolean
  readonly push: boolean | undefined
}

/**
 * Reads footer and push area. A footer of nothing but zeros is that of v0-base, unless the caller knows the generation; that one
 * has a push area of one byte or none. Throws `minisdp.packet`.
 */
export function readFooter(
  reader: FieldReader,
  as: "base" | "ext" | undefined,
): { readonly generation: "base" | "ext"; readonly footer: Footer } {
  const start = reader.offset
  const isZero = reader.bytes.subarray(start, start + FOOTER_BYTES).every((byte) => byte === 0)
  return (as ?? (isZero ? "base" : "ext")) === "base"
    ? { generation: "base", footer: readBaseFooter(reader) }
    : { generation: "ext", footer: readExtFooter(reader) }
}

/** Writes the footer and the push area of v0-ext. Throws `minisdp.packet` for numbers out of range. */
export function writeExtFooter(writer: ByteWriter, footer: Omit<Footer, "checksum">): void {
  if (footer.ports.length > MAX_FOOTER_PORTS) throw malformed(`the footer has room for ${MAX_FOOTER_PORTS} ports`)
  for (let i = 0; i < MAX_FOOTER_PORTS; i++) writer.u16(checked(footer.ports[i] ?? 0, 0xffff, "port"))
  const agentId = checked(footer.agentId, 0xffff, "agent id")
  writer.u8(checked(footer.networks, 0xff, "networks"))
  writer.u8((footer.hasTlvs ? HAS_TLVS : 0) | (footer.push === undefined ? 0 : HAS_PUSH))
  writer
    .u8(agentId & 0xff)
    .u8(agentId >> 8)
    .u32(0)
  if (footer.push !== undefined) writer.u32(footer.push ? 1 << 24 : 0)
}

/** Writes the footer and the push area of v0-base. */
export function writeBaseFooter(writer: ByteWriter, push: boolean | undefined): void {
  writer.bytes(new Uint8Array(FOOTER_BYTES))
  if (push !== undefined) writer.u8(push ? 1 : 0)
}

/** Fills the checksum in, once the packet up to its footer at `footerOffset` is written. */
export function setChecksum(packet: Uint8Array, footerOffset: number): void {
  packet.set(columnXor(packet, footerOffset + CHECKSUM_OFFSET), footerOffset + CHECKSUM_OFFSET)
}

function readBaseFooter(reader: FieldReader): Footer {
  reader.take(FOOTER_BYTES, "auth (unused)")
  const push = reader.remaining === 0 ? undefined : (reader.u8("push") & 1) === 1
  if (push !== undefined) reader.meaning(() => (push ? "publish" : "play"))
  return { ports: [], networks: 0, agentId: 0, checksum: "none", hasTlvs: false, push }
}

function readExtFooter(reader: FieldReader): Footer {
  const ports = Array.from({ length: MAX_FOOTER_PORTS }, (_, i) => reader.u16(`extra UDP port ${i + 1}`))
  const end = ports.indexOf(0)
  const networks = reader.u8("netset")
  reader.meaning(() => NETWORKS.filter((_, bit) => networks & (1 << bit)).join("+") || "unknown")
  const flags = reader.u8("ext_flag")
  const hasTlvs = (flags & ~HAS_PUSH) !== 0
  const hasPush = (flags & HAS_PUSH) !== 0
  reader.meaning(() => `${hasTlvs ? "TLVs" : "no TLVs"}, ${hasPush ? "push area" : "no push area"}`)
  const agentId = reader.u16le("agentid (little-endian)")
  reader.meaning(() => `0x${agentId.toString(16)}`)
  const expected = columnXor(reader.bytes, reader.offset)
  const found = reader.take(4, "crc")
  const isRight = found.every((byte, index) => byte === expected[index])
  const checksum = found.every((byte) => byte === 0) ? "none" : isRight ? "right" : "wrong"
  reader.meaning(() => checksum)
  const push = hasPush ? readPush(reader) : undefined
  return { ports: end < 0 ? ports : ports.slice(0, end), networks, agentId, checksum, hasTlvs, push }
}

function readPush(reader: FieldReader): boolean {
  const push = (reader.u8("push") & 1) === 1
  reader.meaning(() => (push ? "publish" : "play"))
  reader.take(3, "push (unused)")
  return push
}

/** How many ports the footer has room for. */
export const MAX_FOOTER_PORTS = 4
const FOOTER_BYTES = 16
const CHECKSUM_OFFSET = 12
const HAS_TLVS = 0x01
const HAS_PUSH = 0x02
/** By bit of the set. */
const NETWORKS = ["ethernet", "wifi", "cellular", "vpn", "loopback"]
