import { GatewayError } from "../errors.ts"
import { VIDEO_CODECS, type VideoCodec } from "../media/codec.ts"
import { type HeaderExtensionIds, type HeaderExtensionName, PASSED_EXTENSIONS } from "../media/header-extension.ts"
import { type OfferedCodec, serializeParameters } from "./codec.ts"
import { chooseOpus, chooseVideo, findRed, findRtx, packetizationMode, profileOf } from "./codec-choice.ts"
import { extensionIds, extensionLine, selectExtensions } from "./header-extension.ts"
import type { OfferedMedia, RemoteSource } from "./offer.ts"
import { offeredParameterSets } from "./parameter-sets.ts"
import type { LocalSection, LocalTrack, SectionFormat } from "./serialize.ts"
import { chooseLayers, layerLines } from "./simulcast.ts"

/** A section in which media flows, as both sides have agreed on it. */
export interface AnsweredMedia {
  readonly kind: "audio" | "video"
  readonly codec: VideoCodec | "opus"
  readonly mid: string | undefined
  readonly payloadType: number
  /** RFC 4588, where the peer offered it. */
  readonly rtxPayloadType: number | undefined
  /** RFC 2198 with Opus in it, where the peer offered it. */
  readonly redPayloadType: number | undefined
  /** The peer likes RED better than Opus alone. */
  readonly prefersRed: boolean
  readonly clockRateHz: 90_000 | 48_000
  /** H.264 only: 0 (single NAL unit packets) or 1 (with STAP-A and FU-A), RFC 6184. */
  readonly packetizationMode: 0 | 1 | undefined
  /**
   * The agreed profile of HEVC, AV1 or VP9. Undefined for VP8, which has none, and for H.264, whose offers do not say it
   * truly.
   */
  readonly profileIdc: number | undefined
  /** Sources that the offer announces; empty where it announces none (OBS with simulcast), which must not matter. */
  readonly remoteSources: readonly RemoteSource[]
  /** The agreed header extensions; their ids are the same in both directions. */
  readonly extensionIds: HeaderExtensionIds
  /** The agreed RTCP feedback, such as `nack pli`. */
  readonly feedback: readonly string[]
  /** Ids of the simulcast layers that the publisher sends, in the order of its `a=simulcast` line; empty without simulcast. */
  readonly rids: readonly string[]
  /** SPS, PPS and VPS that the offer itself holds, as NAL units; the packets may have others, or none. */
  readonly parameterSets: readonly Uint8Array[]
  /** The source that we send, play only. */
  readonly local: LocalTrack | undefined
}

/** What we agree on with a peer, where it offers it. */
export interface Terms {
  readonly peer: "sends" | "receives"
  readonly extensions: readonly HeaderExtensionName[]
  /** For video. */
  readonly feedback: readonly string[]
  readonly audioFeedback: readonly string[]
}

/** A publisher is told by REMB what it may send, and by transport-wide feedback what arrived. */
export const PUBLISH_TERMS: Terms = {
  peer: "sends",
  extensions: ["mid", "rid", "repairedRid", "absSendTime", "transportCc", ...PASSED_EXTENSIONS],
  feedback: ["nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"],
  audioFeedback: ["transport-cc"],
}

/**
 * REMB costs a viewer's gateway nothing per packet but a send time, so a viewer that has it gets transport-wide numbers only in what it is sent from
 * the cache: receivers report on packets that have one, and make REMB from those that have none.
 */
const REMB_TERMS: Terms = {
  peer: "receives",
  extensions: ["mid", "absSendTime", "transportCc", ...PASSED_EXTENSIONS],
  feedback: ["nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"],
  audioFeedback: [],
}

const TRANSPORT_CC_TERMS: Terms = {
  peer: "receives",
  extensions: ["mid", "transportCc", ...PASSED_EXTENSIONS],
  feedback: ["nack", "nack pli", "ccm fir", "transport-cc"],
  audioFeedback: ["transport-cc"],
}

/** The terms for a viewer with the codecs that were chosen for it. */
export function playTerms(codecs: readonly OfferedCodec[]): Terms {
  return codecs.some(({ feedback }) => feedback.includes("goog-remb")) ? REMB_TERMS : TRANSPORT_CC_TERMS
}

/** A section that both sides take part in, as a fact and as text. */
export interface Agreement {
  readonly answered: AnsweredMedia
  readonly section: LocalSection
}

/** Agrees on all that both sides can do with the chosen codec. */
export function agree(media: OfferedMedia, codec: OfferedCodec, terms: Terms, local?: LocalTrack): Agreement {
  const isVideo = media.kind === "video"
  const rtx = isVideo ? findRtx(media.codecs, codec) : undefined
  const red = isVideo ? undefined : findRed(media.codecs, codec)
  const prefersRed = red !== undefined && media.codecs.indexOf(red) < media.codecs.indexOf(codec)
  const { extensions, feedback } = agreeOnFeedback(media, codec, terms)
  const hasRid = extensions.some(({ name }) => name === "rid")
  const layers = hasRid ? chooseLayers(media.layers, codec.payloadType) : []
  const answered: AnsweredMedia = {
    kind: isVideo ? "video" : "audio",
    codec: VIDEO_CODECS.find((name) => name === codec.name) ?? "opus",
    mid: media.mid,
    payloadType: codec.payloadType,
    rtxPayloadType: rtx?.payloadType,
    redPayloadType: red?.payloadType,
    prefersRed,
    clockRateHz: isVideo ? 90_000 : 48_000,
    packetizationMode: codec.name === "h264" ? (packetizationMode(codec) === 1 ? 1 : 0) : undefined,
    profileIdc: profileOf(codec),
    remoteSources: media.sources,
    extensionIds: extensionIds(extensions),
    feedback,
    rids: layers.map(({ rid }) => rid),
    parameterSets: offeredParameterSets(codec),
    local,
  }
  const main = { ...echo(codec, terms.peer), feedback }
  const others = [rtx, red].filter((other) => other !== undefined).map((other) => echo(other, terms.peer))
  const section: LocalSection = {
    type: "accepted",
    media: media.section.type,
    protocol: media.section.protocol,
    mid: media.mid,
    isBundled: media.isBundled,
    direction: terms.peer === "sends" ? "recvonly" : "sendonly",
    formats: prefersRed ? [...others, main] : [main, ...others],
    hasReducedSizeRtcp: media.hasReducedSizeRtcp,
    lines: [...extensions.map(extensionLine), ...layerLines(layers)],
    local,
    hasRtx: rtx !== undefined,
  }
  return { answered, section }
}

/**
 * Answers a section in which nothing will flow. It stays open, since RFC 9725 section 4.4.3 wants no section rejected;
 * only one that has no codec in common is.
 */
export function decline(media: OfferedMedia): LocalSection {
  const codec = media.kind === "video" ? findAnyVideo(media) : chooseOpus(media.codecs)
  const { type, protocol, formats } = media.section
  if (media.kind === undefined || codec === undefined) {
    return { type: "rejected", media: type, protocol, formats, mid: media.mid }
  }
  const { section } = agree(media, codec, { peer: "sends", extensions: ["mid"], feedback: [], audioFeedback: [] })
  return section.type === "accepted" ? { ...section, direction: "inactive" } : section
}

/** Without a MID in every packet, packets of a bundled transport find their section by payload type alone. */
export function checkPayloadTypes(media: AnsweredMedia[]): AnsweredMedia[] {
  const payloadTypes = media
    .flatMap((m) => [m.payloadType, m.rtxPayloadType, m.redPayloadType])
    .filter((payloadType) => payloadType !== undefined)
  if (new Set(payloadTypes).size === payloadTypes.length) return media
  throw new GatewayError("sdp.unsupported", "audio and video must have payload types of their own")
}

/** Transport-wide feedback needs the message and the number in every packet. */
function agreeOnFeedback(media: OfferedMedia, codec: OfferedCodec, terms: Terms) {
  const offered = selectExtensions(media.extensions, terms.extensions, terms.peer)
  const messages = media.kind === "video" ? terms.feedback : terms.audioFeedback
  const agreed = messages.filter((message) => codec.feedback.includes(message))
  const hasTransportCc = agreed.includes("transport-cc") && offered.some(({ name }) => name === "transportCc")
  return {
    extensions: offered.filter(({ name }) => {
      if (name === "transportCc") return hasTransportCc
      return media.kind === "video" || (name !== "rid" && name !== "repairedRid")
    }),
    feedback: agreed.filter((message) => message !== "transport-cc" || hasTransportCc),
  }
}

function findAnyVideo(media: OfferedMedia): OfferedCodec | undefined {
  for (const name of VIDEO_CODECS) {
    const codec = chooseVideo(media.codecs, name)
    if (codec !== undefined) return codec
  }
  return undefined
}

/** The answer says of a format what the offer does, but for what a sender says of itself alone (`sprop-…`). */
function echo({ name, payloadType, rtpmap, parameters }: OfferedCodec, peer: Terms["peer"]): SectionFormat {
  const shared = new Map([...parameters].filter(([parameter]) => !parameter.startsWith("sprop-")))
  if (name === "opus") for (const [parameter, value] of OPUS_PARAMETERS[peer]) shared.set(parameter, value)
  return { payloadType, rtpmap, parameters: serializeParameters(shared), feedback: [] }
}

/**
 * RFC 7587 section 6.1. To a publisher: `stereo=1` makes Chromium encode two channels, `useinbandfec=1` lets it protect
 * them. To a viewer: `sprop-stereo=1` says that two channels may come. What the peer wants of DTX (`usedtx`) is
 * repeated.
 */
const OPUS_PARAMETERS: Readonly<Record<Terms["peer"], readonly [string, string][]>> = {
  sends: [
    ["stereo", "1"],
    ["useinbandfec", "1"],
  ],
  receives: [["sprop-stereo", "1"]],
}
