import { GatewayError } from "../errors.ts"
import { type Direction, findDirection, isSecureRtp, type OfferedCodec, offeredCodecs } from "./codec.ts"
import {
  findAttribute,
  findAttributes,
  parseDecimal,
  parseDescription,
  type SdpAttribute,
  type SdpDescription,
  type SdpMedia,
} from "./description.ts"
import { type OfferedExtension, offeredExtensions } from "./header-extension.ts"
import { streamIds } from "./msid.ts"
import { type OfferedLayer, offeredLayers } from "./simulcast.ts"
import { type RemoteTransport, remoteTransport } from "./transport.ts"

/** A source that the offer announces, with the source of its retransmissions where an `ssrc-group:FID` names one. */
export interface RemoteSource {
  readonly ssrc: number
  readonly rtxSsrc: number | undefined
}

/** One section of an offer (or of an answer to ours), ready for the policy. */
export interface OfferedMedia {
  /**
   * `undefined` for a section that is neither audio nor video over secure RTP, or that the peer itself switches off.
   */
  readonly kind: "audio" | "video" | undefined
  /** The section as it was written. */
  readonly section: SdpMedia
  readonly mid: string | undefined
  /** Listed in the BUNDLE group. */
  readonly isBundled: boolean
  readonly direction: Direction
  readonly codecs: readonly OfferedCodec[]
  readonly sources: readonly RemoteSource[]
  readonly extensions: readonly OfferedExtension[]
  /** Simulcast streams that it sends, each with its alternatives. */
  readonly layers: readonly (readonly OfferedLayer[])[]
  /** Simulcast without ids, by the order of its sources (`ssrc-group:SIM`): from before RFC 8853. */
  readonly hasUnnamedLayers: boolean
  /** MediaStreams that its track belongs to. */
  readonly streamIds: readonly string[]
  readonly hasReducedSizeRtcp: boolean
}

/** An offer (or an answer to ours) whose transport facts are checked. */
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
  return parse(text, "offer")
}

/** Parses a WHEP player's answer to our offer. Throws as `parseOffer` does. */
export function parseAnswer(text: string): Offer {
  return parse(text, "answer")
}

function parse(text: string, type: "offer" | "answer"): Offer {
  const description = parseDescription(text)
  if (description.media.length === 0) throw new GatewayError("sdp.syntax", `the ${type} has no media section`)
  const media = parseSections(description)
  const active = media.filter((offered) => offered.kind !== undefined)
  if (active.length === 0)
    throw new GatewayError("sdp.unsupported", `the ${type} has neither audio nor video to send or receive`)
  checkRtcpMux(active, description.attributes)
  const onTransport = media.filter(({ kind, isBundled }) => kind !== undefined || isBundled)
  return { media, remote: remoteTransport(type, description.attributes, onTransport) }
}

function parseSections({ attributes: session, media }: SdpDescription): OfferedMedia[] {
  const bundle = findAttributes(session, "group").find((group) => /^BUNDLE( |$)/.test(group))
  const bundledMids = new Set(bundle?.trim().split(/ +/).slice(1) ?? [])
  const mids = new Set<string>()
  return media.map((section): OfferedMedia => {
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
    const isNamed = mid !== undefined && mid.length <= MAX_MID_EXTENSION_CHARS
    return {
      kind,
      section,
      mid,
      isBundled,
      direction: findDirection(section, session),
      codecs: kind === undefined ? [] : offeredCodecs(section),
      sources: kind === undefined ? [] : remoteSources(section),
      extensions: offeredExtensions(attributes, session).filter(({ name }) => name !== "mid" || isNamed),
      layers: kind === "video" ? offeredLayers(attributes) : [],
      hasUnnamedLayers: findAttributes(attributes, "ssrc-group").some((group) => group.startsWith("SIM ")),
      streamIds: streamIds(attributes),
      hasReducedSizeRtcp: findAttribute(attributes, "rtcp-rsize") !== undefined,
    }
  })
}

/** One port for RTP and RTCP, RFC 8858. In a BUNDLE group the section whose transport the others share may say it for all. */
function checkRtcpMux(media: readonly OfferedMedia[], session: readonly SdpAttribute[]): void {
  const says = (list: readonly SdpAttribute[]) =>
    ["rtcp-mux", "rtcp-mux-only"].some((name) => findAttribute(list, name) !== undefined)
  const isGroupMuxed = media.some(({ isBundled, section }) => isBundled && says(section.attributes))
  const isMuxed = ({ isBundled, section }: OfferedMedia) => (isBundled && isGroupMuxed) || says(section.attributes)
  if (says(session) || media.every(isMuxed)) return
  throw new GatewayError("sdp.unsupported", "every section must have a=rtcp-mux: RTCP has no port of its own")
}

function rtpKind(section: SdpMedia): "audio" | "video" | undefined {
  if (section.type !== "audio" && section.type !== "video") return undefined
  if (isSecureRtp(section)) return section.type
  throw new GatewayError("sdp.unsupported", `${section.type} must use UDP/TLS/RTP/SAVPF`)
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

/** A token (RFC 8866 section 9) of bounded length. */
const MID = /^[!#$%&'*+.^_`{|}~\w-]{1,64}$/
const MAX_SOURCES = 8
/** A longer one does not fit into the one-byte form of its header extension, RFC 8285. */
const MAX_MID_EXTENSION_CHARS = 16
