import { GatewayError } from "../errors.ts"
import { type Direction, findDirection, isSecureRtp, type OfferedCodec, offeredCodecs } from "./codec.ts"
import { findAttribute, findAttributes, parseDecimal, parseDescription, type SdpMedia } from "./description.ts"
import { type RemoteTransport, remoteTransport } from "./transport.ts"

/** A source that the offer announces, with the source of its retransmissions where an `ssrc-group:FID` names one. */
export interface RemoteSource {
  readonly ssrc: number
  readonly rtxSsrc: number | undefined
}

/** One section of an offer, ready for the answer policy. */
export interface OfferedMedia {
  /**
   * `undefined` for a section that is neither audio nor video over secure RTP, or that the offer itself switches off.
   */
  readonly kind: "audio" | "video" | undefined
  /** The section as it was written. */
  readonly section: SdpMedia
  readonly mid: string | undefined
  /** Listed in the offer's BUNDLE group. */
  readonly isBundled: boolean
  readonly direction: Direction
  readonly codecs: readonly OfferedCodec[]
  readonly sources: readonly RemoteSource[]
  /** Header extension id of `urn:ietf:params:rtp-hdrext:sdes:mid` in the one-byte form, RFC 8285. */
  readonly midExtensionId: number | undefined
  readonly hasReducedSizeRtcp: boolean
}

/** An offer whose transport facts are checked. */
export interface Offer {
  readonly media: readonly OfferedMedia[]
  readonly remote: RemoteTransport
}

/**
 * Parses the offer of a WHIP or WHEP client (RFC 9725 section 4.2).
 * Throws `sdp.syntax` where it is malformed, `sdp.unsupported` where it asks for another transport than ICE with
 * DTLS-SRTP on one port.
 */
export function parseOffer(text: string): Offer {
  const description = parseDescription(text)
  if (description.media.length === 0) throw new GatewayError("sdp.syntax", "the offer has no media section")
  const bundle = findAttributes(description.attributes, "group").find((group) => /^BUNDLE( |$)/.test(group))
  const bundledMids = new Set(bundle?.trim().split(/ +/).slice(1) ?? [])
  const mids = new Set<string>()

  const media = description.media.map((section): OfferedMedia => {
    const { attributes } = section
    const mid = findAttribute(attributes, "mid")?.trim()
    if (mid !== undefined && (!MID.test(mid) || mids.has(mid)))
      throw new GatewayError("sdp.syntax", "bad or repeated mid")
    if (mid !== undefined) mids.add(mid)
    const isBundled = mid !== undefined && bundledMids.has(mid)
    // A bundled section may say port 0 with bundle-only (RFC 9143 section 6); elsewhere port 0 means that it is not
    // offered.
    const isOffered = section.port !== 0 || isBundled || findAttribute(attributes, "bundle-only") !== undefined
    const kind = isOffered ? rtpKind(section) : undefined
    return {
      kind,
      section,
      mid,
      isBundled,
      direction: findDirection(section, description.attributes),
      codecs: kind === undefined ? [] : offeredCodecs(section),
      sources: kind === undefined ? [] : remoteSources(section),
      midExtensionId: mid === undefined || mid.length > 16 ? undefined : extensionId(section, MID_EXTENSION),
      hasReducedSizeRtcp: findAttribute(attributes, "rtcp-rsize") !== undefined,
    }
  })
  const active = media.filter((offered) => offered.kind !== undefined)
  if (active.length === 0)
    throw new GatewayError("sdp.unsupported", "the offer has neither audio nor video to send or receive")
  return { media, remote: remoteTransport(description.attributes, active) }
}

function rtpKind(section: SdpMedia): "audio" | "video" | undefined {
  if (section.type !== "audio" && section.type !== "video") return undefined
  if (isSecureRtp(section)) return section.type
  throw new GatewayError("sdp.unsupported", `${section.type} must use UDP/TLS/RTP/SAVPF`)
}

function extensionId(section: SdpMedia, uri: string): number | undefined {
  for (const value of findAttributes(section.attributes, "extmap")) {
    const [idAndDirection = "", offeredUri] = value.trim().split(/ +/)
    const id = parseDecimal(idAndDirection.split("/", 1)[0], 14)
    if (offeredUri === uri && id !== undefined && id > 0) return id
  }
  return undefined
}

function remoteSources(section: SdpMedia): RemoteSource[] {
  const rtxOf = new Map<number, number>()
  const isRtx = new Set<number>()
  for (const group of findAttributes(section.attributes, "ssrc-group")) {
    const [semantics, first, second] = group.trim().split(/ +/)
    const ssrc = parseDecimal(first, 0xffff_ffff)
    const rtxSsrc = parseDecimal(second, 0xffff_ffff)
    if (semantics !== "FID" || ssrc === undefined || rtxSsrc === undefined) continue
    rtxOf.set(ssrc, rtxSsrc)
    isRtx.add(rtxSsrc)
  }
  const ssrcs = new Set(
    findAttributes(section.attributes, "ssrc").map((value) => parseDecimal(value.split(" ", 1)[0], 0xffff_ffff)),
  )
  const sources: RemoteSource[] = []
  for (const ssrc of ssrcs) {
    if (ssrc !== undefined && !isRtx.has(ssrc)) sources.push({ ssrc, rtxSsrc: rtxOf.get(ssrc) })
  }
  return sources.slice(0, MAX_SOURCES)
}

/** Header extension with which a packet names its section, RFC 9143 section 15.2. */
export const MID_EXTENSION = "urn:ietf:params:rtp-hdrext:sdes:mid"
/** A token (RFC 8866 section 9) of bounded length. */
const MID = /^[!#$%&'*+.^_`{|}~\w-]{1,64}$/
const MAX_SOURCES = 8
