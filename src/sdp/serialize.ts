import { candidateLines, type LocalCandidate } from "./candidate.ts"

export type { LocalCandidate } from "./candidate.ts"

import type { Direction } from "./codec.ts"
import type { Fingerprint } from "./transport.ts"

/** Our side of the transport and the numbers that a description needs. */
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
  /** Announced only where retransmission is agreed on, or offered. */
  readonly rtxSsrc: number
  /** Joins the tracks of a stream for lip synchronisation. */
  readonly cname: string
  readonly streamId: string
  readonly trackId: string
}

/** A payload type with its lines. */
export interface SectionFormat {
  readonly payloadType: number
  readonly rtpmap: string
  /** Format parameters as one text; empty where there are none. */
  readonly parameters: string
  readonly feedback: readonly string[]
}

/** One section of an offer or answer that we write. */
export type LocalSection =
  | {
      readonly type: "rejected"
      readonly media: string
      readonly protocol: string
      readonly formats: readonly string[]
      readonly mid: string | undefined
    }
  | {
      readonly type: "accepted"
      readonly media: string
      readonly protocol: string
      readonly mid: string | undefined
      readonly isBundled: boolean
      readonly direction: Direction
      /** Best first. */
      readonly formats: readonly SectionFormat[]
      readonly hasReducedSizeRtcp: boolean
      /** Lines of header extensions and simulcast layers. */
      readonly lines: readonly string[]
      readonly local: LocalTrack | undefined
      readonly hasRtx: boolean
    }

/** Writes an ICE-lite offer or answer (RFC 9429 section 5, RFC 8839, RFC 9143) with CRLF line ends. */
export function serializeDescription(
  sections: readonly LocalSection[],
  local: LocalDescription,
  setup: "actpass" | "active" | "passive",
): string {
  const transport = transportLines(local, setup)
  const bundled = sections.filter((section) => section.type === "accepted" && section.isBundled)
  const lines = ["v=0", `o=- ${local.sessionId} 1 IN IP4 127.0.0.1`, "s=-", "t=0 0", ...ICE_LINES]
  if (bundled.length > 0) lines.push(`a=group:BUNDLE ${bundled.map(({ mid }) => mid).join(" ")}`)
  lines.push("a=msid-semantic: WMS *")
  for (const section of sections) {
    if (section.type === "rejected") {
      lines.push(...rejected(section))
      continue
    }
    lines.push(...accepted(section, local, transport))
    // In a BUNDLE group candidates belong in its first section alone (RFC 9143 section 7.1.1).
    if (section === bundled[0] || !section.isBundled) lines.push(...candidateLines(local.candidates))
  }
  return `${lines.join("\r\n")}\r\n`
}

/** What we are as an ICE agent: the same in every description and fragment, RFC 9725 section 4.3.3. */
export const ICE_LINES = ["a=ice-lite", "a=ice-options:trickle ice2"]

function rejected({ media, protocol, formats, mid }: Extract<LocalSection, { type: "rejected" }>): string[] {
  const lines = [`m=${media} 0 ${protocol} ${formats.join(" ")}`, "c=IN IP4 0.0.0.0"]
  if (mid !== undefined) lines.push(`a=mid:${mid}`)
  lines.push("a=inactive")
  return lines
}

function accepted(
  section: Extract<LocalSection, { type: "accepted" }>,
  { candidates: [best] }: LocalDescription,
  transport: readonly string[],
): string[] {
  const payloadTypes = section.formats.map(({ payloadType }) => payloadType)
  const lines = [
    `m=${section.media} ${best.port} ${section.protocol} ${payloadTypes.join(" ")}`,
    `c=IN ${best.address.includes(":") ? "IP6" : "IP4"} ${best.address}`,
  ]
  if (section.mid !== undefined) lines.push(`a=mid:${section.mid}`)
  lines.push(`a=${section.direction}`, ...transport, "a=rtcp-mux", "a=rtcp-mux-only")
  if (section.hasReducedSizeRtcp) lines.push("a=rtcp-rsize")
  for (const { payloadType, rtpmap, parameters, feedback } of section.formats) {
    lines.push(`a=rtpmap:${payloadType} ${rtpmap}`)
    if (parameters !== "") lines.push(`a=fmtp:${payloadType} ${parameters}`)
    for (const message of feedback) lines.push(`a=rtcp-fb:${payloadType} ${message}`)
  }
  lines.push(...section.lines)
  if (section.local !== undefined) lines.push(...sourceLines(section.local, section.hasRtx))
  return lines
}

/** Repeated in every section: clients differ in where they look. */
function transportLines({ ufrag, pwd, fingerprints }: LocalDescription, setup: string): string[] {
  const hashes = fingerprints.map(({ algorithm, value }) => `a=fingerprint:${algorithm} ${value}`)
  return [`a=ice-ufrag:${ufrag}`, `a=ice-pwd:${pwd}`, ...hashes, `a=setup:${setup}`]
}

/** Each member of an ssrc-group needs lines of its own, or Chromium refuses the description. */
function sourceLines(track: LocalTrack, hasRtx: boolean): string[] {
  const msid = `${track.streamId} ${track.trackId}`
  const lines = [`a=msid:${msid}`]
  if (hasRtx) lines.push(`a=ssrc-group:FID ${track.ssrc} ${track.rtxSsrc}`)
  for (const ssrc of hasRtx ? [track.ssrc, track.rtxSsrc] : [track.ssrc]) {
    lines.push(`a=ssrc:${ssrc} cname:${track.cname}`, `a=ssrc:${ssrc} msid:${msid}`)
  }
  return lines
}
