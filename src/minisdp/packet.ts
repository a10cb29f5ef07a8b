import { ByteWriter } from "../media/bytes.ts"
import { collectCandidates, type PlacedCandidates, placeCandidates } from "./candidates.ts"
import { FieldReader } from "./field-reader.ts"
import { readFooter, setChecksum, writeBaseFooter, writeExtFooter } from "./footer.ts"
import { type Header, readHeader, writeHeader } from "./header.ts"
import { checked, malformed } from "./malformed.ts"
import { asBaseSection, readMediaSection, writeMediaSection } from "./media-section.ts"
import type { MiniCandidate, MiniMedia, MiniSession } from "./session.ts"
import { MEDIA_KINDS } from "./tables.ts"
import { encodeText } from "./text.ts"
import { readTlvArea, serializeTlvs, type TlvArea, writeTlvArea } from "./tlv.ts"

/** Decoding stands for the rules of a generation; without it the packet itself tells. */
export interface DecodeOptions {
  readonly as?: "base" | "ext" | undefined
  /** Refuse a packet whose checksum is missing or wrong. */
  readonly verifyChecksum?: boolean | undefined
}

/** Longest packet of the public form, in bytes. */
export const MAX_PACKET_BYTES = 1400
/** Longest stream URL, in bytes, without `webrtc://`. */
export const MAX_STREAM_URL_BYTES = 1191

/** An offer, an answer or an error answer, in the public form. */
export interface MiniSdpPacket {
  /** The revision of the sender; `encodePacket` writes v0-ext whatever it says. */
  readonly generation: "base" | "ext"
  readonly type: "offer" | "answer"
  /** 0 in requests and where all is well, else one of `STATUS`; error answers say "offer" as their type. */
  readonly status: number
  /** 16 bits; all copies of a request have the same. */
  readonly seq: number
  /** The sender takes media at once at the source address of its datagram (0-RTT). */
  readonly immSend: boolean
  /** `host/app/stream?query`, without `webrtc://`. */
  readonly streamUrl: string
  /** Session signature as it stands in the packet: in an answer the ufrag of the offer. */
  readonly svrsig: string
  /** Publish, play, or left to the session's direction. */
  readonly push: boolean | undefined
  readonly session: MiniSession
  /** What only v0-ext has; absent stands for its defaults. */
  readonly extras?: PacketExtras | undefined
}

/** Fields of the v0-ext footer and client information. */
export interface PacketExtras {
  /** Bit set: 1 ethernet, 2 wifi, 4 cellular, 8 vpn, 16 loopback; 0 unknown. */
  readonly networks: number
  /** Date code of the sender's build, 16 bits. */
  readonly agentId: number
  /** The packet carries a checksum of itself. */
  readonly hasChecksum: boolean
  readonly client: { readonly type: string; readonly version: number } | undefined
}

/** Status codes of answers, SPEC section 12. */
export const STATUS = {
  ok: 0,
  badFormat: 100,
  badParameter: 101,
  badStream: 102,
  unauthorised: 103,
  notFound: 104,
} as const

/**
 * Reads a packet of either generation; bytes behind its end are ignored, as receivers everywhere do.
 * Throws `minisdp.packet`. SPEC section 2.
 */
export function decodePacket(bytes: Uint8Array, options: DecodeOptions = {}): MiniSdpPacket {
  return readPacket(new FieldReader(bytes), options)
}

/** As `decodePacket`, by a reader that may collect the fields. */
export function readPacket(reader: FieldReader, { as, verifyChecksum = false }: DecodeOptions = {}): MiniSdpPacket {
  if (reader.remaining > MAX_PACKET_BYTES) throw malformed(`a packet has at most ${MAX_PACKET_BYTES} bytes`)
  const header = readHeader(reader)
  const sections = readSections(reader, header)
  const ufrag = reader.text(reader.u16("ice_ufrag length"), "ice_ufrag")
  const pwd = reader.text(reader.u16("ice_pwd length"), "ice_pwd")
  const urlBytes = reader.u32("stream_url length")
  if (urlBytes > MAX_STREAM_URL_BYTES) throw malformed(`a stream URL has at most ${MAX_STREAM_URL_BYTES} bytes`)
  const streamUrl = reader.text(urlBytes, "stream_url")
  const fingerprint = parseKey(reader.text(reader.u16("key length"), "key"))
  const svrsig = reader.text(reader.u16("svrsig length"), "svrsig")
  const { generation, footer } = readFooter(reader, as)
  if (verifyChecksum && footer.checksum !== "right") throw malformed("the checksum is missing or wrong")
  const { type, status, seq, immSend, direction, role, isEncrypted, addressFamily } = header
  const { hasAacConfig, hasNamedMids, isSequenceAligned } = header
  const tlvs = footer.hasTlvs ? readTlvArea(reader, addressFamily) : NO_TLVS
  const media = as === "base" ? sections.map(asBaseSection) : sections.map((section) => withTlvs(section, tlvs))
  const candidates = collectCandidates(header, generation, footer.ports, tlvs.candidates)
  return {
    generation,
    type,
    status,
    seq,
    immSend,
    streamUrl,
    svrsig,
    push: footer.push,
    session: {
      direction,
      role,
      isEncrypted,
      ufrag,
      pwd,
      fingerprint,
      addressFamily,
      candidates,
      media,
      hasNamedMids,
      hasAacConfig,
      isSequenceAligned,
    },
    extras:
      generation === "base"
        ? undefined
        : {
            networks: footer.networks,
            agentId: footer.agentId,
            hasChecksum: footer.checksum !== "none",
            client: tlvs.client,
          },
  }
}

/** How `encodePacket` treats what the reference encoders do and a good one does not. */
export type EncodingRules = "interop" | "reference"

/**
 * Writes a packet, never more than 1400 bytes. By the rules for interoperation (SPEC section 13.4) it is v0-ext, and one with TLVs
 * always says push or pull, because a v0-base receiver would take the count of TLVs for it. By the rules of the reference it is of
 * the packet's own generation, byte for byte as that would write it.
 * Throws `minisdp.packet` for what the form cannot carry.
 */
export function encodePacket(packet: MiniSdpPacket, rules: EncodingRules = "interop"): Uint8Array {
  const isBase = rules === "reference" && packet.generation === "base"
  const { session } = packet
  const media = isBase ? session.media.map(asBaseSection) : session.media
  const writer = new ByteWriter(512)
  const candidates = placeCandidates(session, { isBase, isStrict: rules === "interop" })
  writeHeader(writer, { ...packet, ...session, ...candidates, kinds: distinctKinds(media) })
  for (const section of media) writeMediaSection(writer, section, session.hasAacConfig)
  const { fingerprint } = session
  const url = encodeText(packet.streamUrl, "stream URL")
  checked(url.length, MAX_STREAM_URL_BYTES, "length of the stream URL")
  writeText(writer, session.ufrag, "ice_ufrag")
  writeText(writer, session.pwd, "ice_pwd")
  writer.u32(url.length).bytes(url)
  writeText(writer, fingerprint === undefined ? "" : `${fingerprint.algorithm} ${fingerprint.value}`, "key")
  writeText(writer, packet.svrsig, "svrsig")
  if (isBase) writeBaseFooter(writer, packet.push)
  else writeExtTail(writer, packet, candidates, rules)
  const bytes = writer.finish()
  if (bytes.length > MAX_PACKET_BYTES) {
    throw malformed(`the packet would have ${bytes.length} bytes of at most ${MAX_PACKET_BYTES}`)
  }
  return bytes
}

/** The answer to a request that is refused; never longer than the request. */
export function errorPacket(request: Pick<MiniSdpPacket, "seq" | "streamUrl">, status: number): MiniSdpPacket {
  return {
    generation: "ext",
    type: "offer",
    status,
    seq: request.seq,
    immSend: false,
    streamUrl: request.streamUrl,
    svrsig: "",
    push: undefined,
    session: EMPTY_SESSION,
  }
}

/**
 * `<candidate address>:<ufrag>:<svrsig>` of an answer: what its receiver writes into the stop packet. SPEC section 5.
 */
export function stopSignature({ session, svrsig }: MiniSdpPacket): string {
  const unspecified = session.addressFamily === 4 ? "0.0.0.0" : "::"
  const address = session.candidates.find(({ transport }) => transport === "udp")?.address ?? unspecified
  return `${address}:${session.ufrag}:${svrsig}`
}

/** True where the packet publishes: as it says, or because its sender only sends (an offer) or only receives (an answer). */
export function isPush({ push, type, session }: MiniSdpPacket): boolean {
  return push ?? session.direction === (type === "offer" ? "sendonly" : "recvonly")
}

function readSections(reader: FieldReader, { kinds, hasAacConfig }: Header): MiniMedia[] {
  const sections = kinds.map(() => readMediaSection(reader, hasAacConfig))
  const isAsFlagged = kinds.every((kind) => sections.some((section) => section.kind === kind))
  if (!isAsFlagged) throw malformed("the media sections are not those that the header announces")
  return sections
}

function withTlvs(section: MiniMedia, { rtx, parameterSets, picture }: TlvArea): MiniMedia {
  const own = rtx.find(({ kind }) => kind === section.kind)
  const codecs =
    own === undefined
      ? section.codecs
      : section.codecs.map((codec) => {
          const pair = codec.name === "rtx" && own.pairs.find(({ payloadType }) => payloadType === codec.payloadType)
          return pair ? { ...codec, apt: pair.apt } : codec
        })
  const isVideo = section.kind === "video"
  return {
    ...section,
    rtxSsrc: own?.ssrc ?? 0,
    codecs,
    parameterSets: isVideo ? parameterSets : [],
    picture: isVideo ? picture : undefined,
  }
}

function writeExtTail(writer: ByteWriter, packet: MiniSdpPacket, placed: PlacedCandidates, rules: EncodingRules): void {
  const { session, extras = DEFAULT_EXTRAS } = packet
  const tlvs = serializeTlvs(tlvAreaOf(session, placed.tlvCandidates, extras.client), session.addressFamily)
  const hasTlvs = tlvs.length > 0
  const push = packet.push ?? (hasTlvs && rules === "interop" ? isPush(packet) : undefined)
  const footerOffset = writer.length
  writeExtFooter(writer, { ...extras, ports: placed.footerPorts, hasTlvs, push })
  if (hasTlvs) writeTlvArea(writer, tlvs)
  if (extras.hasChecksum) setChecksum(writer.finish(), footerOffset)
}

function tlvAreaOf(session: MiniSession, candidates: readonly MiniCandidate[], client: TlvArea["client"]): TlvArea {
  const rtx = MEDIA_KINDS.flatMap((kind) => {
    const section = session.media.find((media) => media.kind === kind)
    if (section === undefined) return []
    const pairs = section.codecs.flatMap(({ name, payloadType, apt }) =>
      name === "rtx" && apt !== undefined ? [{ payloadType, apt }] : [],
    )
    return [{ kind, ssrc: section.rtxSsrc, pairs: pairs.sort((a, b) => a.payloadType - b.payloadType) }]
  })
  const video = session.media.find(({ kind }) => kind === "video")
  return { rtx, candidates, parameterSets: video?.parameterSets ?? [], picture: video?.picture, client }
}

function distinctKinds(media: readonly MiniMedia[]): MiniMedia["kind"][] {
  const kinds = media.map(({ kind }) => kind)
  if (new Set(kinds).size < kinds.length) throw malformed("a packet has at most one section of each kind")
  return kinds
}

/** A key without a space is no fingerprint. */
function parseKey(key: string): MiniSession["fingerprint"] {
  const space = key.indexOf(" ")
  return space < 0 ? undefined : { algorithm: key.slice(0, space), value: key.slice(space + 1) }
}

function writeText(writer: ByteWriter, text: string, name: string): void {
  const bytes = encodeText(text, name)
  writer.u16(checked(bytes.length, MAX_PACKET_BYTES, `length of ${name}`)).bytes(bytes)
}

const DEFAULT_EXTRAS: PacketExtras = { networks: 0, agentId: 0x2104, hasChecksum: false, client: undefined }
const NO_TLVS: TlvArea = { rtx: [], candidates: [], parameterSets: [], picture: undefined, client: undefined }
const EMPTY_SESSION: MiniSession = {
  direction: "sendonly",
  role: "actpass",
  isEncrypted: false,
  ufrag: "",
  pwd: "",
  fingerprint: undefined,
  addressFamily: 4,
  candidates: [],
  media: [],
  hasNamedMids: false,
  hasAacConfig: false,
  isSequenceAligned: false,
}
