import { ByteWriter } from "../media/bytes.ts"
import type { FieldReader } from "./field-reader.ts"
import { formatAddress, isUnspecified, parseAddress } from "./ip-address.ts"
import { checked, malformed } from "./malformed.ts"
import type { MiniCandidate, MiniMedia, MiniParameterSets } from "./session.ts"
import { MEDIA_KINDS } from "./tables.ts"
import { encodeText } from "./text.ts"

/** All that the TLV area of v0-ext can say. SPEC section 8. */
export interface TlvArea {
  readonly rtx: readonly RtxOfSection[]
  readonly candidates: readonly MiniCandidate[]
  readonly parameterSets: readonly MiniParameterSets[]
  readonly picture: MiniMedia["picture"]
  readonly client: { readonly type: string; readonly version: number } | undefined
}

/** Retransmission in one section. */
export interface RtxOfSection {
  readonly kind: MiniMedia["kind"]
  readonly ssrc: number
  readonly pairs: readonly { readonly payloadType: number; readonly apt: number }[]
}

/** Reads a TLV area; ids that nobody knows are skipped. Addresses must be of the packet's family. Throws `minisdp.packet`. */
export function readTlvArea(reader: FieldReader, family: 4 | 6): TlvArea {
  const count = reader.u8("TLV count")
  reader.take(reader.u8("TLV bitmap length"), "TLV bitmap")
  const area = {
    rtx: [] as RtxOfSection[],
    candidates: [] as MiniCandidate[],
    parameterSets: [] as MiniParameterSets[],
    picture: undefined as MiniMedia["picture"],
    client: undefined as TlvArea["client"],
  }
  for (let i = 0; i < count; i++) {
    const length = reader.u8("TLV length")
    const id = reader.u8("TLV id")
    reader.meaning(() => ID_NAMES[id] ?? "unknown, skipped")
    if (length < 2) throw malformed("a TLV is at least 2 bytes long")
    const value = reader.part(length - 2, "TLV value")
    if (id === RTX) area.rtx.push(...readRtx(value))
    else if (id === TCP) area.candidates.push(...readCandidates(value, "tcp", family))
    else if (id === UDP) area.candidates.push(...readCandidates(value, "udp", family))
    else if (id === PARAMETER_SETS) area.parameterSets.push(...readParameterSets(value))
    else if (id === PICTURE) area.picture = { width: value.u32("width"), height: value.u32("height") }
    else if (id === CLIENT) area.client = readClient(value)
    value.noteRest("rest of the TLV")
  }
  return area
}

/** Writes a TLV area. Throws `minisdp.packet` where there are too many. */
export function writeTlvArea(writer: ByteWriter, tlvs: readonly Uint8Array[]): void {
  writer.u8(checked(tlvs.length, 255, "number of TLVs")).u8(0)
  for (const tlv of tlvs) writer.bytes(tlv)
}

/** The TLVs that say all this, in the order of the reference encoder. Throws `minisdp.packet` where a value is too long. */
export function serializeTlvs(area: TlvArea, family: 4 | 6): Uint8Array[] {
  const tlvs: Uint8Array[] = []
  if (area.rtx.some(({ pairs }) => pairs.length > 0)) tlvs.push(tlv(RTX, (value) => writeRtx(value, area.rtx)))
  for (const [transport, id] of [["tcp", TCP] as const, ["udp", UDP] as const]) {
    const candidates = area.candidates.filter((candidate) => candidate.transport === transport)
    for (const [address, ports] of groupByAddress(candidates)) {
      tlvs.push(tlv(id, (value) => writeCandidates(value, address, ports, family)))
    }
  }
  for (const sets of area.parameterSets) tlvs.push(tlv(PARAMETER_SETS, (value) => writeParameterSets(value, sets)))
  const { picture, client } = area
  if (picture !== undefined) tlvs.push(tlv(PICTURE, (value) => writePicture(value, picture)))
  if (client !== undefined) tlvs.push(tlv(CLIENT, (value) => writeClient(value, client)))
  return tlvs
}

function tlv(id: number, write: (value: ByteWriter) => void): Uint8Array {
  const value = new ByteWriter()
  value.u8(0).u8(id)
  write(value)
  const bytes = value.finish()
  bytes[0] = checked(bytes.length, 255, `length of the TLV ${ID_NAMES[id]}`)
  return bytes
}

function readRtx(value: FieldReader): RtxOfSection[] {
  const sections: RtxOfSection[] = []
  while (value.remaining > 0) {
    const kind = MEDIA_KINDS[value.u8("media type")]
    value.meaning(() => kind ?? "reserved")
    if (kind === undefined) throw malformed("a TLV of rtx names a reserved media type")
    const ssrc = value.u32("rtx ssrc")
    const count = value.u8("rtx pairs")
    const pairs = Array.from({ length: count }, () => ({ payloadType: value.u8("rtx PT"), apt: value.u8("apt PT") }))
    sections.push({ kind, ssrc, pairs: pairs.filter(({ apt }) => apt < 128) })
  }
  return sections
}

function writeRtx(value: ByteWriter, rtx: readonly RtxOfSection[]): void {
  for (const { kind, ssrc, pairs } of rtx) {
    value
      .u8(MEDIA_KINDS.indexOf(kind))
      .u32(checked(ssrc, 0xffff_ffff, "rtx ssrc"))
      .u8(checked(pairs.length, 255, "rtx pairs"))
    for (const { payloadType, apt } of pairs) {
      value.u8(checked(payloadType, 127, "payload type")).u8(checked(apt, 127, "apt"))
    }
  }
}

function readCandidates(value: FieldReader, transport: "udp" | "tcp", family: 4 | 6): MiniCandidate[] {
  const count = value.u8("ports")
  const isIpv6 = (value.u8("family") & 1) === 1
  value.meaning(() => (isIpv6 ? "IPv6" : "IPv4"))
  const bytes = value.take(isIpv6 ? 16 : 4, "IP")
  const address = formatAddress(bytes)
  value.meaning(() => address)
  const ports = Array.from({ length: count }, () => value.u16("port"))
  if (isIpv6 !== (family === 6) || isUnspecified(bytes)) return []
  return ports.filter((port) => port !== 0).map((port) => ({ transport, address, port }))
}

function writeCandidates(value: ByteWriter, address: string, ports: readonly number[], family: 4 | 6): void {
  value.u8(checked(ports.length, 255, "ports")).u8(family === 6 ? 1 : 0)
  value.bytes(parseAddress(address, family) ?? new Uint8Array(family === 6 ? 16 : 4))
  for (const port of ports) value.u16(checked(port, 0xffff, "port"))
}

/** Addresses in the order of their text, ports in the order of their bytes swapped, as the reference's containers have them. */
function groupByAddress(candidates: readonly MiniCandidate[]): [string, number[]][] {
  const swapped = (port: number) => ((port & 0xff) << 8) | (port >> 8)
  const groups = Map.groupBy(candidates, ({ address }) => address)
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([address, list]) => {
      const ports = [...new Set(list.map(({ port }) => port))]
      return [address, ports.sort((a, b) => swapped(a) - swapped(b))]
    })
}

function readParameterSets(value: FieldReader): MiniParameterSets[] {
  const codec = value.u8("codec")
  value.meaning(() => ["H264", "H265"][codec] ?? "unknown, skipped")
  if (codec > 1) return []
  const sps = value.text(value.u8("sps length"), "sps")
  // A packet whose H.264 has no PPS is whole to the reference; one whose H.265 misses anything is not.
  const pps = codec === 0 && value.remaining === 0 ? "" : value.text(value.u8("pps length"), "pps")
  if (codec === 0) return [{ codec: "H264", sps, pps }]
  return [{ codec: "H265", sps, pps, vps: value.text(value.u8("vps length"), "vps") }]
}

function writeParameterSets(value: ByteWriter, sets: MiniParameterSets): void {
  value.u8(sets.codec === "H264" ? 0 : 1)
  const items = sets.codec === "H264" ? [sets.sps, sets.pps] : [sets.sps, sets.pps, sets.vps]
  for (const item of items) {
    const text = encodeText(item, "parameter set")
    value.u8(checked(text.length, 255, "length of a parameter set")).bytes(text)
  }
}

function writePicture(value: ByteWriter, { width, height }: NonNullable<MiniMedia["picture"]>): void {
  value.u32(checked(width, 0xffff_ffff, "width")).u32(checked(height, 0xffff_ffff, "height"))
}

function readClient(value: FieldReader): NonNullable<TlvArea["client"]> {
  const type = value.text(value.u8("client type length"), "client type")
  return { type, version: value.u32("client version") }
}

function writeClient(value: ByteWriter, client: NonNullable<TlvArea["client"]>): void {
  const type = encodeText(client.type, "client type")
  value.u8(checked(type.length, 8, "length of the client type")).bytes(type)
  value.u32(checked(client.version, 0xffff_ffff, "client version"))
}

const RTX = 0
const TCP = 1
const PARAMETER_SETS = 4
const PICTURE = 5
const UDP = 6
const CLIENT = 7
const ID_NAMES: Readonly<Record<number, string>> = {
  [RTX]: "RTX",
  [TCP]: "TCP candidates",
  [PARAMETER_SETS]: "video config",
  [PICTURE]: "resolution",
  [UDP]: "UDP candidates",
  [CLIENT]: "client info",
}
