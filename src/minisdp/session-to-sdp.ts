import { aacParameters } from "./aac-parameters.ts"
import { malformed } from "./malformed.ts"
import type { MiniCandidate, MiniCodec, MiniMedia, MiniSession } from "./session.ts"

/** What the text needs and the packet does not say. */
export interface SdpTextOptions {
  readonly type: "offer" | "answer"
  /**
   * Sections of the text in this order and with these mids: those of the offer that is answered. A section that the packet
   * lacks is refused with port 0. Without it: wire order, with mids by kind or position.
   */
  readonly sections?: readonly { readonly kind: MiniMedia["kind"]; readonly mid: string }[] | undefined
}

/**
 * Writes SDP text that browsers and our own parsers take: BUNDLE, DTLS-SRTP wherever there is a fingerprint, `nack pli` and
 * `ccm fir` for all video, H.264 as constrained baseline, host candidates with priorities (SPEC section 13.4).
 * Throws `minisdp.packet` for a session without media.
 */
export function sessionToSdp(session: MiniSession, { type, sections }: SdpTextOptions): string {
  if (session.media.length === 0) throw malformed("the packet has no media to describe")
  const wanted = sections ?? session.media.map(({ kind }, index) => ({ kind, mid: midOf(session, kind, index) }))
  const found = wanted.map(({ kind, mid }) => ({
    kind,
    mid,
    media: session.media.find((media) => media.kind === kind),
  }))
  const bundled = found.filter(({ media }) => media !== undefined).map(({ mid }) => mid)
  const lines = [
    "v=0",
    `o=- ${session.isSequenceAligned ? 1 : 0} 0 IN ${session.addressFamily === 6 ? "IP6 ::1" : "IP4 127.0.0.1"}`,
    "s=-",
    "t=0 0",
    `a=group:BUNDLE ${bundled.join(" ")}`,
    "a=msid-semantic: WMS *",
    ...found.flatMap(({ kind, mid, media }) =>
      media === undefined ? refusedSection(kind, mid) : sectionLines(session, media, mid, type),
    ),
  ]
  return `${lines.join("\r\n")}\r\n`
}

function midOf({ hasNamedMids }: MiniSession, kind: MiniMedia["kind"], index: number): string {
  return hasNamedMids ? kind : String(index)
}

function refusedSection(kind: MiniMedia["kind"], mid: string): string[] {
  const mLine = kind === "data" ? DATA_M_LINE.replace(" 9 ", " 0 ") : `m=${kind} 0 UDP/TLS/RTP/SAVPF 0`
  return [mLine, "c=IN IP4 0.0.0.0", "a=inactive", `a=mid:${mid}`]
}

function sectionLines(session: MiniSession, media: MiniMedia, mid: string, type: SdpTextOptions["type"]): string[] {
  const codecs = inOrderOfPreference(media.codecs)
  const protocol = session.isEncrypted || session.fingerprint !== undefined ? "UDP/TLS/RTP/SAVPF" : "RTP/AVPF"
  const payloadTypes = codecs.map(({ payloadType }) => payloadType).join(" ")
  const transport = [...transportLines(session, type), `a=mid:${mid}`]
  if (media.kind === "data") {
    return [DATA_M_LINE, "c=IN IP4 0.0.0.0", ...transport, "a=sctp-port:5000", "a=max-message-size:262144"]
  }
  return [
    `m=${media.kind} 9 ${protocol} ${payloadTypes}`,
    "c=IN IP4 0.0.0.0",
    "a=rtcp:9 IN IP4 0.0.0.0",
    ...transport,
    ...media.extensions.map(({ id, uri }) => `a=extmap:${id} ${uri}`),
    `a=${session.direction}`,
    "a=rtcp-mux",
    "a=rtcp-rsize",
    ...codecs.flatMap((codec) => codecLines(codec, media)),
    ...sourceLines(session, media),
  ]
}

function transportLines(session: MiniSession, type: SdpTextOptions["type"]): string[] {
  const { ufrag, pwd, fingerprint, role } = session
  // An answer has to decide; what stands for nothing in packets means passive there (RFC 4145 section 4).
  const setup = type === "answer" && role === "actpass" ? "passive" : role
  return [
    ...session.candidates.map(candidateLine),
    ...(session.candidates.length > 0 && type === "answer" ? ["a=end-of-candidates"] : []),
    ...(ufrag === "" ? [] : [`a=ice-ufrag:${ufrag}`]),
    ...(pwd === "" ? [] : [`a=ice-pwd:${pwd}`]),
    ...(fingerprint === undefined ? [] : [`a=fingerprint:${fingerprint.algorithm} ${fingerprint.value}`]),
    `a=setup:${setup}`,
  ]
}

/** Priorities of host candidates fall in the order of the packet, RFC 8445 section 5.1.2.1. */
function candidateLine({ transport, address, port }: MiniCandidate, index: number): string {
  const priority = 126 * 2 ** 24 + (65_535 - index) * 2 ** 8 + 255
  const tcpType = transport === "tcp" ? " tcptype passive" : ""
  return `a=candidate:${index + 1} 1 ${transport} ${priority} ${address} ${port} typ host${tcpType}`
}

/** Packets have payload types in ascending order, which says nothing; what browsers like best goes first, rtx behind its codec. */
function inOrderOfPreference(codecs: readonly MiniCodec[]): MiniCodec[] {
  const primary = codecs.filter(({ name }) => name !== "rtx")
  return primary
    .toSorted((a, b) => PREFERENCE.indexOf(a.name) - PREFERENCE.indexOf(b.name))
    .flatMap((codec) => [codec, ...codecs.filter(({ apt }) => apt === codec.payloadType)])
}

function codecLines(codec: MiniCodec, media: MiniMedia): string[] {
  const { payloadType: pt, feedback, channels } = codec
  const rtpmap = `a=rtpmap:${pt} ${codec.name}/${codec.clockRateHz}${channels === 0 ? "" : `/${channels}`}`
  const isPrimaryVideo = media.kind === "video" && codec.name !== "rtx" && codec.name !== "flexfec-03"
  const values = [
    ...(feedback.googRemb ? ["goog-remb"] : []),
    ...(feedback.transportCc ? ["transport-cc"] : []),
    ...(isPrimaryVideo ? ["ccm fir"] : []),
    ...(feedback.nack ? ["nack"] : []),
    ...(isPrimaryVideo ? ["nack pli"] : []),
    ...(feedback.rrtr ? ["rrtr"] : []),
  ]
  const parameters = [...parametersOf(codec, media), ...(codec.hasBFrames ? ["bframe-enabled=1"] : [])]
  const fmtp = parameters.length === 0 ? [] : [`a=fmtp:${pt} ${parameters.join(";")}`]
  return [rtpmap, ...values.map((value) => `a=rtcp-fb:${pt} ${value}`), ...fmtp]
}

function parametersOf({ name, aac, apt }: MiniCodec, { parameterSets }: MiniMedia): string[] {
  const sets = parameterSets.find(({ codec }) => codec === name)
  switch (name) {
    case "opus":
      return ["minptime=10", "stereo=1", "useinbandfec=1"]
    case "H264": {
      const sprop = sets === undefined ? [] : [`sprop-parameter-sets=${sets.sps}${sets.pps && `,${sets.pps}`}`]
      return ["level-asymmetry-allowed=1", "packetization-mode=1", "profile-level-id=42e01f", ...sprop]
    }
    case "H265": {
      const sprop =
        sets?.codec === "H265" ? [`sprop-vps=${sets.vps}`, `sprop-sps=${sets.sps}`, `sprop-pps=${sets.pps}`] : []
      return ["level-id=93", "profile-id=1", "tier-flag=0", "tx-mode=SRST", ...sprop]
    }
    case "AV1":
      return ["level-idx=5", "profile=0", "tier=0"]
    case "rtx":
      return [`apt=${apt}`]
    default:
      return aac === undefined ? [] : aacParameters(aac)
  }
}

/** A `secondSsrc` counts as FEC only beside a codec for that, because v0-base writes any second source there. */
function sourceLines({ direction }: MiniSession, { kind, ssrc, secondSsrc, rtxSsrc, codecs }: MiniMedia): string[] {
  const msid = direction === "recvonly" ? undefined : `msid:${STREAM_ID} ${STREAM_ID}-${kind}`
  const track = msid === undefined ? [] : [`a=${msid}`]
  if (ssrc === 0) return track
  const fecSsrc = codecs.some(({ name }) => name === "flexfec-03") ? secondSsrc : 0
  const ssrcs = [ssrc, rtxSsrc, fecSsrc].filter((each) => each !== 0)
  return [
    ...track,
    ...(rtxSsrc === 0 ? [] : [`a=ssrc-group:FID ${ssrc} ${rtxSsrc}`]),
    ...(fecSsrc === 0 ? [] : [`a=ssrc-group:FEC-FR ${ssrc} ${fecSsrc}`]),
    ...ssrcs.flatMap((each) => [
      `a=ssrc:${each} cname:${STREAM_ID}`,
      ...(msid === undefined ? [] : [`a=ssrc:${each} ${msid}`]),
    ]),
  ]
}

/** Packets carry no names of tracks; one stream for both makes players keep them in step. */
const STREAM_ID = "minisdp"
const DATA_M_LINE = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"
const PREFERENCE = ["opus", "H264", "H265", "AV1", "ByteVC1", "MP4A-LATM", "MP4A-ADTS", "flexfec-03"]
