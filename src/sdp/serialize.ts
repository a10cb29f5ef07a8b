import { type Direction, type OfferedCodec, serializeParameters } from "./codec.ts"
import type { OfferedMedia } from "./offer.ts"
import type { Fingerprint, RemoteTransport } from "./transport.ts"

/** An address at which the gateway can be reached; always a host candidate. */
export interface LocalCandidate {
  readonly protocol: "udp" | "tcp"
  /** IPv4 or IPv6 address; never a name, which Firefox cannot use. */
  readonly address: string
  readonly port: number
}

/** Our side of the transport and the numbers that an answer needs. */
export interface LocalDescription {
  /** Numeric session id of the `o=` line, RFC 8866 section 5.2. */
  readonly sessionId: string
  readonly ufrag: string
  readonly pwd: string
  readonly fingerprints: readonly Fingerprint[]
  /** Best first, and that one UDP and IPv4 where possible: ffmpeg reads only the first. */
  readonly candidates: readonly [LocalCandidate, ...LocalCandidate[]]
}

/** A track that we send. */
export interface LocalTrack {
  readonly ssrc: number
  /** Announced only where the viewer offers retransmission. */
  readonly rtxSsrc: number
  /** Joins the tracks of a stream for lip synchronisation. */
  readonly cname: string
  readonly streamId: string
  readonly trackId: string
}

/** One section of the answer, in the order of the offer. */
export type AnswerSection =
  | { readonly media: OfferedMedia; readonly type: "rejected" }
  | {
      readonly media: OfferedMedia
      readonly type: "accepted"
      readonly direction: Direction
      readonly codec: OfferedCodec
      readonly rtx: OfferedCodec | undefined
      readonly parameters: ReadonlyMap<string, string>
      readonly answered: {
        readonly headerExtensions: readonly { readonly id: number; readonly uri: string }[]
        readonly feedback: readonly string[]
        readonly local: LocalTrack | undefined
      }
    }

/** Writes an ICE-lite answer (RFC 9429 section 5.3, RFC 8839, RFC 9143) with CRLF line ends. */
export function serializeAnswer(
  sections: readonly AnswerSection[],
  local: LocalDescription,
  dtlsRole: RemoteTransport["dtlsRole"],
): string {
  const transport = transportLines(local, dtlsRole)
  const bundle = sections.filter((s) => s.type === "accepted" && s.media.isBundled).map((s) => s.media.mid)
  const lines = ["v=0", `o=- ${local.sessionId} 1 IN IP4 127.0.0.1`, "s=-", "t=0 0", "a=ice-lite"]
  if (bundle.length > 0) lines.push(`a=group:BUNDLE ${bundle.join(" ")}`)
  lines.push("a=msid-semantic: WMS *")
  for (const section of sections) {
    // In a BUNDLE group candidates belong in its first section alone (RFC 9143 section 7.1.1).
    const hasCandidates = section.media.mid === bundle[0] || !section.media.isBundled
    lines.push(
      ...(section.type === "rejected" ? rejected(section.media) : accepted(section, local, transport, hasCandidates)),
    )
  }
  return `${lines.join("\r\n")}\r\n`
}

function rejected({ section, mid }: OfferedMedia): string[] {
  const lines = [`m=${section.type} 0 ${section.protocol} ${section.formats.join(" ")}`, "c=IN IP4 0.0.0.0"]
  if (mid !== undefined) lines.push(`a=mid:${mid}`)
  lines.push("a=inactive")
  return lines
}

type AcceptedSection = Extract<AnswerSection, { type: "accepted" }>

function accepted(
  answer: AcceptedSection,
  local: LocalDescription,
  transport: readonly string[],
  hasCandidates: boolean,
): string[] {
  const { media, codec, rtx, answered } = answer
  const payloadTypes = rtx === undefined ? `${codec.payloadType}` : `${codec.payloadType} ${rtx.payloadType}`
  const [{ address, port }] = local.candidates
  const lines = [
    `m=${media.section.type} ${port} ${media.section.protocol} ${payloadTypes}`,
    `c=IN ${address.includes(":") ? "IP6" : "IP4"} ${address}`,
  ]
  if (media.mid !== undefined) lines.push(`a=mid:${media.mid}`)
  lines.push(`a=${answer.direction}`, ...transport, "a=rtcp-mux", "a=rtcp-mux-only")
  if (media.hasReducedSizeRtcp) lines.push("a=rtcp-rsize")
  lines.push(`a=rtpmap:${codec.payloadType} ${codec.rtpmap}`)
  const parameters = serializeParameters(answer.parameters)
  if (parameters !== "") lines.push(`a=fmtp:${codec.payloadType} ${parameters}`)
  for (const message of answered.feedback) lines.push(`a=rtcp-fb:${codec.payloadType} ${message}`)
  if (rtx !== undefined) {
    lines.push(
      `a=rtpmap:${rtx.payloadType} ${rtx.rtpmap}`,
      `a=fmtp:${rtx.payloadType} ${serializeParameters(rtx.parameters)}`,
    )
  }
  for (const { id, uri } of answered.headerExtensions) lines.push(`a=extmap:${id} ${uri}`)
  if (answered.local !== undefined) lines.push(...sourceLines(answered.local, rtx !== undefined))
  if (hasCandidates) lines.push(...candidateLines(local.candidates))
  return lines
}

/** Repeated in every section: clients differ in where they look. */
function transportLines({ ufrag, pwd, fingerprints }: LocalDescription, dtlsRole: "server" | "client"): string[] {
  const hashes = fingerprints.map(({ algorithm, value }) => `a=fingerprint:${algorithm} ${value}`)
  const setup = dtlsRole === "server" ? "passive" : "active"
  return [`a=ice-ufrag:${ufrag}`, `a=ice-pwd:${pwd}`, ...hashes, `a=setup:${setup}`]
}

/** Each member of an ssrc-group needs lines of its own, or Chromium refuses the answer. */
function sourceLines(track: LocalTrack, hasRtx: boolean): string[] {
  const msid = `${track.streamId} ${track.trackId}`
  const lines = [`a=msid:${msid}`]
  if (hasRtx) lines.push(`a=ssrc-group:FID ${track.ssrc} ${track.rtxSsrc}`)
  for (const ssrc of hasRtx ? [track.ssrc, track.rtxSsrc] : [track.ssrc]) {
    lines.push(`a=ssrc:${ssrc} cname:${track.cname}`, `a=ssrc:${ssrc} msid:${msid}`)
  }
  return lines
}

/**
 * Priorities fall in the order of the list, RFC 8445 section 5.1.2.1; all of them are in the answer, so gathering has
 * ended.
 */
function candidateLines(candidates: readonly LocalCandidate[]): string[] {
  const lines = candidates.map(({ protocol, address, port }, index) => {
    const priority = HOST_TYPE_PREFERENCE * 2 ** 24 + (65_535 - index) * 2 ** 8 + 255
    const tcpType = protocol === "tcp" ? " tcptype passive" : ""
    return `a=candidate:${index + 1} 1 ${protocol} ${priority} ${address} ${port} typ host${tcpType}`
  })
  return [...lines, "a=end-of-candidates"]
}

const HOST_TYPE_PREFERENCE = 126
