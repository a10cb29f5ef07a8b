import { findAttribute, findAttributes, parseDecimal, type SdpMedia } from "./description.ts"

/** A payload type of an RTP section with all that the offer says about it. */
export interface OfferedCodec {
  readonly payloadType: number
  /** Encoding name in lower case: `h264`, `opus`, `rtx` … */
  readonly name: string
  /** Encoding as the peer wrote it, such as `H264/90000`; the answer echoes it. */
  readonly rtpmap: string
  readonly clockRateHz: number
  /** Format parameters in the order of the offer, names in lower case. */
  readonly parameters: ReadonlyMap<string, string>
  /** Feedback messages that the peer offers for it, such as `nack pli`. */
  readonly feedback: readonly string[]
}

/**
 * Collects the codecs of an RTP section in the order of preference of its `m=` line; payload types without rtpmap are
 * left out.
 */
export function offeredCodecs(media: SdpMedia): OfferedCodec[] {
  const rtpmaps = byPayloadType(findAttributes(media.attributes, "rtpmap"))
  const fmtps = byPayloadType(findAttributes(media.attributes, "fmtp"))
  const feedback = feedbackByFormat(findAttributes(media.attributes, "rtcp-fb"))
  const codecs: OfferedCodec[] = []
  for (const format of new Set(media.formats)) {
    const payloadType = parseDecimal(format, 127)
    const rtpmap = rtpmaps.get(format)
    if (payloadType === undefined || rtpmap === undefined) continue
    // With rtcp-mux these look like RTCP packets (RFC 5761 section 4).
    if (payloadType >= 64 && payloadType < 96) continue
    const [name = "", clockRate] = rtpmap.split("/")
    codecs.push({
      payloadType,
      name: name.toLowerCase(),
      rtpmap,
      clockRateHz: parseDecimal(clockRate, 0xffff_ffff) ?? 0,
      parameters: parseParameters(fmtps.get(format) ?? ""),
      feedback: [...(feedback.get(format) ?? []), ...(feedback.get("*") ?? [])],
    })
  }
  return codecs
}

/** Writes format parameters the way that offers have them: `name=value` joined by semicolons. */
export function serializeParameters(parameters: ReadonlyMap<string, string>): string {
  return [...parameters].map(([name, value]) => (value === "" ? name : `${name}=${value}`)).join(";")
}

/** True where the section carries RTP over DTLS-SRTP with feedback, the only profile WebRTC has. */
export function isSecureRtp(media: SdpMedia): boolean {
  return /^((UDP|TCP)\/(TLS|DTLS)\/)?RTP\/SAVPF$/.test(media.protocol)
}

/** Names of the codecs of a section for an error message, e.g. `VP8, VP9`. */
export function describeCodecs(media: SdpMedia): string {
  const names = findAttributes(media.attributes, "rtpmap").map((value) => /^\d+ +([\w.-]{1,32})\//.exec(value)?.[1])
  const distinct = new Set(names.filter((name) => name !== undefined && !AUXILIARY.has(name.toLowerCase())))
  return distinct.size === 0 ? "no codec by name" : [...distinct].slice(0, 8).join(", ")
}

/** The direction as the other side sees it. */
export function reverseDirection(direction: Direction): Direction {
  if (direction === "sendonly") return "recvonly"
  return direction === "recvonly" ? "sendonly" : direction
}

/**
 * The direction of a section or, where it has none, that of the session; `sendrecv` is the default (RFC 8866 section
 * 6.7).
 */
export function findDirection(media: SdpMedia, session: SdpMedia["attributes"]): Direction {
  const here = (name: Direction) => findAttribute(media.attributes, name) !== undefined
  const everywhere = (name: Direction) => findAttribute(session, name) !== undefined
  return DIRECTIONS.find(here) ?? DIRECTIONS.find(everywhere) ?? "sendrecv"
}

/** Who sends media, seen from the one that wrote it. */
export type Direction = (typeof DIRECTIONS)[number]

function byPayloadType(values: readonly string[]): Map<string, string> {
  const map = new Map<string, string>()
  for (const value of values) {
    const space = value.indexOf(" ")
    if (space > 0 && !map.has(value.slice(0, space))) map.set(value.slice(0, space), value.slice(space + 1).trim())
  }
  return map
}

function feedbackByFormat(values: readonly string[]): Map<string, string[]> {
  const map = new Map<string, string[]>()
  for (const value of values) {
    const [format = "", ...rest] = value.trim().split(/ +/)
    const list = map.get(format) ?? []
    list.push(rest.join(" "))
    map.set(format, list)
  }
  return map
}

function parseParameters(fmtp: string): Map<string, string> {
  const parameters = new Map<string, string>()
  for (const part of fmtp.split(";")) {
    const [name = "", ...value] = part.trim().split("=")
    if (name !== "") parameters.set(name.toLowerCase(), value.join("="))
  }
  return parameters
}

/** The four directions, RFC 8866 section 6.7. */
export const DIRECTIONS = ["sendrecv", "sendonly", "recvonly", "inactive"] as const
/** Formats that carry no picture or sound of their own. */
const AUXILIARY = new Set(["rtx", "red", "ulpfec", "flexfec-03", "cn", "telephone-event"])
