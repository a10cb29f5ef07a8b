import { parseAddress } from "./ip-address.ts"
import { malformed } from "./malformed.ts"
import type { MiniSdpPacket, PacketExtras } from "./packet.ts"
import { parseReferenceSdp, type ReferenceSection } from "./reference-sdp.ts"
import type { MiniAacConfig, MiniCandidate, MiniCodec, MiniMedia, MiniParameterSets, MiniSession } from "./session.ts"
import { CLOCK_RATES_HZ, CODEC_NAMES, EXTENSION_URIS } from "./tables.ts"

/** What the caller of the reference encoders hands over beside the text. */
export interface ReferenceOptions {
  readonly generation: "base" | "ext"
  readonly type: "offer" | "answer"
  readonly seq: number
  /** With `webrtc://`, of which 9 bytes are cut off without a look. */
  readonly streamUrl: string
  readonly svrsig?: string
  readonly status?: number
  readonly immSend?: boolean
  readonly hasAacConfig?: boolean
  readonly push?: boolean | undefined
  readonly networks?: number
  readonly hasChecksum?: boolean
  readonly client?: PacketExtras["client"]
}

/**
 * What Tencent's encoder of one generation makes of SDP text; `encodePacket(…, "reference")` gives its bytes. For comparison with
 * them only: it takes what they take, loses what they lose, and refuses the text that they refuse (SPEC section 13.1).
 * Throws `minisdp.packet`.
 */
export function referencePacket(text: string, options: ReferenceOptions): MiniSdpPacket {
  const { generation, hasAacConfig = true } = options
  const isBase = generation === "base"
  const sdp = parseReferenceSdp(text, generation)
  const { sections } = sdp
  const last = sections.at(-1)
  const addressFamily = isBase ? 4 : sdp.addressFamily
  const session: MiniSession = {
    direction: last?.direction ?? "sendonly",
    role: last?.role ?? "actpass",
    isEncrypted: isBase && sections.some(({ protocol }) => protocol === "UDP/TLS/RTP/SAVPF"),
    ufrag: last?.ufrag ?? "",
    pwd: last?.pwd ?? "",
    fingerprint: splitKey(sections.findLast(({ key }) => key !== undefined)?.key),
    addressFamily,
    candidates: isBase ? baseCandidates(sections) : extCandidates(sections),
    media: sections.map((section) => mediaOf(section, sections, isBase)),
    hasNamedMids: sections.some(({ mid }) => mid === "audio" || mid === "video"),
    hasAacConfig,
    isSequenceAligned: sdp.sessionId === "1",
  }
  const urlBytes = new TextEncoder().encode(options.streamUrl)
  if (urlBytes.length > 1200) throw malformed("a stream URL has at most 1200 bytes with webrtc://")
  if (urlBytes.length < 9 && isBase) throw malformed("a stream URL begins with webrtc://")
  const client = options.client === undefined ? undefined : { ...options.client, type: options.client.type.slice(0, 8) }
  return {
    generation,
    type: options.type,
    status: options.status ?? 0,
    seq: options.seq,
    immSend: options.immSend ?? false,
    streamUrl: options.streamUrl.slice(9),
    svrsig: options.svrsig ?? "",
    push: options.push,
    session,
    extras: isBase
      ? undefined
      : { networks: options.networks ?? 0, agentId: 0x2104, hasChecksum: options.hasChecksum ?? false, client },
  }
}

function mediaOf(section: ReferenceSection, sections: readonly ReferenceSection[], isBase: boolean): MiniMedia {
  const codecs = [...section.codecs]
    .sort(([a], [b]) => a - b)
    .flatMap(([payloadType, codec]) => codecOf(payloadType, codec, isBase) ?? [])
  const [ssrc = 0, second = 0] = section.ssrcs
  const partner = (semantics: string) =>
    section.groups.find((g) => g.semantics === semantics && g.ssrc === ssrc)?.partner ?? 0
  const allFmtp = sections.flatMap(({ codecs }) => [...codecs].sort(([a], [b]) => a - b).map(([, codec]) => codec))
  const isVideo = section.kind === "video"
  return {
    kind: section.kind,
    ssrc,
    secondSsrc: isBase ? second : partner("FEC-FR"),
    rtxSsrc: isBase ? 0 : partner("FID"),
    codecs,
    extensions: [...section.extensions].flatMap(([id, name]) => {
      const uri = EXTENSION_URIS.find((known) => known === name)
      return uri === undefined ? [] : [{ id, uri }]
    }),
    parameterSets: isVideo && !isBase ? parameterSetsOf(allFmtp) : [],
    picture: isVideo && !isBase ? pictureOf(allFmtp) : undefined,
  }
}

type ReferenceCodec = ReferenceSection["codecs"] extends ReadonlyMap<number, infer Codec> ? Codec : never

function codecOf(payloadType: number, codec: ReferenceCodec, isBase: boolean): MiniCodec | undefined {
  const { fmtp, feedback } = codec
  const name = CODEC_NAMES.find((known) => known === codec.name)
  const clockRateHz = CLOCK_RATES_HZ.find((rate, code) => code !== 14 && String(rate) === codec.clock)
  if (name === undefined || clockRateHz === undefined) return undefined
  const apt = fmtp.get("apt")
  return {
    payloadType: payloadType & 127,
    name,
    clockRateHz,
    channels: codec.channels & 3,
    feedback: {
      nack: feedback.has("nack"),
      transportCc: feedback.has("transport-cc"),
      googRemb: feedback.has("goog-remb"),
      rrtr: feedback.has("rrtr") && !isBase,
    },
    hasBFrames: integer(fmtp.get("bframe-enabled")) !== 0 || integer(fmtp.get("BFrame-enabled")) !== 0,
    aac: name === "MP4A-LATM" || name === "MP4A-ADTS" ? aacConfigOf(fmtp) : undefined,
    apt: name === "rtx" && apt !== undefined ? integer(apt) & 127 : undefined,
  }
}

function aacConfigOf(fmtp: ReadonlyMap<string, string>): MiniAacConfig {
  const isOn = (name: string) => integer(fmtp.get(name)) !== 0
  return {
    object: integer(fmtp.get("object")) & 255,
    config: fmtp.get("config") ?? "",
    hasPs: isOn("PS-enabled"),
    hasSbr: isOn("SBR-enabled"),
    isStereo: isOn("stereo"),
    hasConfigInBand: isOn("cpresent"),
  }
}

/** One for each codec; of several payload types the last one stays. */
function parameterSetsOf(codecs: readonly ReferenceCodec[]): MiniParameterSets[] {
  const h264 = codecs.findLast(({ name, fmtp }) => name === "H264" && fmtp.has("sprop-parameter-sets"))
  const h265 = codecs.findLast(({ name, fmtp }) => name === "H265" && H265_SETS.some((key) => fmtp.has(key)))
  const [sps = "", ...pps] = h264?.fmtp.get("sprop-parameter-sets")?.split(",") ?? []
  const [vps = "", sps265 = "", pps265 = ""] = H265_SETS.map((key) => h265?.fmtp.get(key) ?? "")
  return [
    ...(h264 === undefined ? [] : [{ codec: "H264" as const, sps, pps: pps.join(",") }]),
    ...(h265 === undefined ? [] : [{ codec: "H265" as const, sps: sps265, pps: pps265, vps }]),
  ]
}

function pictureOf(codecs: readonly ReferenceCodec[]): MiniMedia["picture"] {
  const fmtp = codecs.findLast((codec) => codec.fmtp.has("Width"))?.fmtp
  return fmtp === undefined ? undefined : { width: integer(fmtp.get("Width")), height: integer(fmtp.get("Height")) }
}

/** The last line of each section, whatever its transport; its address counts only where it is IPv4. */
function baseCandidates(sections: readonly ReferenceSection[]): MiniCandidate[] {
  let port = 0
  let address = ""
  for (const { candidates } of sections) {
    const last = candidates.at(-1)
    if (last === undefined || last.port === 0) continue
    port = last.port
    if (parseAddress(last.address, 4) !== undefined) address = last.address
  }
  return port === 0 ? [] : [{ transport: "udp", address, port }]
}

/** Sections overwrite each other's header and footer, while TLVs collect what is left of all. */
function extCandidates(sections: readonly ReferenceSection[]): MiniCandidate[] {
  let leading: MiniCandidate[] = []
  const rest = new Map<string, MiniCandidate>()
  for (const { candidates } of sections) {
    const own: MiniCandidate[] = []
    for (const candidate of candidates) {
      const { transport, address, port } = candidate
      const isLeading = transport === "udp" && (own.length === 0 || (address === own[0]?.address && own.length < 5))
      if (isLeading) own.push({ transport: "udp", address, port })
      else if (transport === "udp" || transport === "tcp")
        rest.set(`${transport} ${address} ${port}`, { transport, address, port })
    }
    if (own.length > 0) leading = own
  }
  return [...leading, ...rest.values()]
}

function splitKey(key: string | undefined): MiniSession["fingerprint"] {
  const space = key?.indexOf(" ") ?? -1
  return key === undefined || space < 0 ? undefined : { algorithm: key.slice(0, space), value: key.slice(space + 1) }
}

/** As `atoi` reads it: leading digits, else 0. */
function integer(text: string | undefined): number {
  return Number.parseInt(text ?? "", 10) || 0
}

const H265_SETS = ["sprop-vps", "sprop-sps", "sprop-pps"]
