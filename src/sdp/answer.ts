import { GatewayError } from "../errors.ts"
import { chooseH264, chooseOpus, describeCodecs, findRtx, type OfferedCodec, packetizationMode } from "./codec.ts"
import { MID_EXTENSION, type Offer, type OfferedMedia, type RemoteSource } from "./offer.ts"
import { type AnswerSection, type LocalDescription, type LocalTrack, serializeAnswer } from "./serialize.ts"
import type { RemoteTransport } from "./transport.ts"

/** A section in which media flows, as both sides have agreed on it. */
export interface AnsweredMedia {
  readonly kind: "audio" | "video"
  readonly codec: "h264" | "opus"
  readonly mid: string | undefined
  readonly payloadType: number
  /** RFC 4588, where the peer offered it. */
  readonly rtxPayloadType: number | undefined
  readonly clockRateHz: 90_000 | 48_000
  /** H.264 only: 0 (single NAL unit packets) or 1 (with STAP-A and FU-A), RFC 6184. */
  readonly packetizationMode: 0 | 1 | undefined
  /** Sources that the offer announces; empty where it announces none (OBS with simulcast), which must not matter. */
  readonly remoteSources: readonly RemoteSource[]
  /** Header extension id of the MID in the one-byte form, RFC 8285; on incoming and outgoing packets alike. */
  readonly midExtensionId: number | undefined
  /** The agreed header extensions. */
  readonly headerExtensions: readonly { readonly id: number; readonly uri: string }[]
  /** The agreed RTCP feedback, such as `nack pli`. */
  readonly feedback: readonly string[]
  /** The source that we send, play only. */
  readonly local: LocalTrack | undefined
}

/** The answer as text and as facts for the transport. */
export interface Answer {
  readonly sdp: string
  readonly media: readonly AnsweredMedia[]
  readonly remote: RemoteTransport
}

/** What a stream has for a viewer at this moment. */
export interface AvailableMedia {
  readonly audio: boolean
  /** `profileIdc` is the second byte of the stream's SPS; a payload type of that profile is preferred. */
  readonly video: false | { readonly profileIdc?: number }
}

/** The tracks that a viewer will get, one for each kind. */
export interface LocalTracks {
  readonly audio: LocalTrack
  readonly video: LocalTrack
}

/**
 * Answers a publisher, RFC 9725 section 4.2: every section that sends is accepted as `recvonly`, at most one audio and
 * one video.
 * Throws `sdp.unsupported` where nothing is sent, a second track of a kind is sent, or a section has neither H.264 nor
 * Opus.
 */
export function answerPublish(offer: Offer, local: LocalDescription): Answer {
  const isActive = (media: OfferedMedia) => sends(media.direction)
  checkTracks(offer, isActive, "send")
  const answered: AnsweredMedia[] = []
  const sections = offer.media.map((media): AnswerSection => {
    if (media.kind === undefined) return { media, type: "rejected" }
    if (!isActive(media)) return inactive(media)
    const agreed = agree(media, requireCodec(media), undefined)
    answered.push(agreed.answered)
    return { media, type: "accepted", direction: "recvonly", ...agreed, parameters: receiveParameters(agreed.codec) }
  })
  return {
    sdp: serializeAnswer(sections, local, offer.remote.dtlsRole),
    media: checkPayloadTypes(answered),
    remote: offer.remote,
  }
}

/**
 * Answers a viewer, draft-ietf-wish-whep section 4.3.1: every section that receives a kind the stream has is accepted
 * as `sendonly`, others are answered `inactive`, because a browser needs an answer to every section.
 * Throws `sdp.unsupported` where the offer asks for nothing, for two tracks of a kind, or has no codec for what the
 * stream has.
 */
export function answerPlay(
  offer: Offer,
  local: LocalDescription,
  tracks: LocalTracks,
  available: AvailableMedia,
): Answer {
  const isActive = (media: OfferedMedia) => receives(media.direction)
  checkTracks(offer, isActive, "receive")
  const profileIdc = available.video === false ? undefined : available.video.profileIdc
  const answered: AnsweredMedia[] = []
  const sections = offer.media.map((media): AnswerSection => {
    if (media.kind === undefined) return { media, type: "rejected" }
    if (!isActive(media) || available[media.kind] === false) return inactive(media)
    const agreed = agree(media, requireCodec(media, profileIdc), tracks[media.kind])
    answered.push(agreed.answered)
    return { media, type: "accepted", direction: "sendonly", ...agreed, parameters: sendParameters(agreed.codec) }
  })
  if (answered.length === 0)
    throw new GatewayError("sdp.unsupported", "the stream has nothing of what the offer asks for")
  return {
    sdp: serializeAnswer(sections, local, offer.remote.dtlsRole),
    media: checkPayloadTypes(answered),
    remote: offer.remote,
  }
}

function checkTracks(offer: Offer, isActive: (media: OfferedMedia) => boolean, verb: string): void {
  const active = offer.media.filter((media) => media.kind !== undefined && isActive(media))
  if (active.length === 0) throw new GatewayError("sdp.unsupported", `the offer does not ${verb} any audio or video`)
  for (const kind of ["audio", "video"] as const) {
    if (active.filter((media) => media.kind === kind).length <= 1) continue
    throw new GatewayError(
      "sdp.unsupported",
      `more than one ${kind} track: a stream has one audio and one video at most`,
    )
  }
}

function findCodec(media: OfferedMedia, profileIdc?: number): OfferedCodec | undefined {
  return media.kind === "video" ? chooseH264(media.codecs, profileIdc) : chooseOpus(media.codecs)
}

function requireCodec(media: OfferedMedia, profileIdc?: number): OfferedCodec {
  const codec = findCodec(media, profileIdc)
  if (codec !== undefined) return codec
  const supported = media.kind === "video" ? "H.264 (packetization mode 0 or 1)" : "Opus"
  const message = `${media.kind} must offer ${supported}; the offer has ${describeCodecs(media.section)}`
  throw new GatewayError("sdp.unsupported", message)
}

/** An unused section stays open without media; only one that has no codec in common is rejected. */
function inactive(media: OfferedMedia): AnswerSection {
  const codec = findCodec(media)
  if (codec === undefined) return { media, type: "rejected" }
  return {
    media,
    type: "accepted",
    direction: "inactive",
    ...agree(media, codec, undefined),
    parameters: codec.parameters,
  }
}

function agree(media: OfferedMedia, codec: OfferedCodec, local: LocalTrack | undefined) {
  const isVideo = media.kind === "video"
  const rtx = isVideo ? findRtx(media.codecs, codec) : undefined
  const answered: AnsweredMedia = {
    kind: isVideo ? "video" : "audio",
    codec: isVideo ? "h264" : "opus",
    mid: media.mid,
    payloadType: codec.payloadType,
    rtxPayloadType: rtx?.payloadType,
    clockRateHz: isVideo ? 90_000 : 48_000,
    packetizationMode: isVideo ? (packetizationMode(codec) === 1 ? 1 : 0) : undefined,
    remoteSources: media.sources,
    midExtensionId: media.midExtensionId,
    headerExtensions: media.midExtensionId === undefined ? [] : [{ id: media.midExtensionId, uri: MID_EXTENSION }],
    feedback: isVideo ? FEEDBACK.filter((message) => codec.feedback.includes(message)) : [],
    local,
  }
  return { answered, codec, rtx }
}

/** Without a MID in every packet, packets of a bundled transport find their section by payload type alone. */
function checkPayloadTypes(media: AnsweredMedia[]): AnsweredMedia[] {
  const payloadTypes = media.flatMap((m) => [m.payloadType, m.rtxPayloadType]).filter((pt) => pt !== undefined)
  if (new Set(payloadTypes).size === payloadTypes.length) return media
  throw new GatewayError("sdp.unsupported", "audio and video must have payload types of their own")
}

/**
 * What we want to be sent: `stereo=1` makes Chromium encode two channels, `sprop-` parameters are the sender's alone
 * (RFC 7587).
 */
function receiveParameters(codec: OfferedCodec): ReadonlyMap<string, string> {
  if (codec.name !== "opus") return codec.parameters
  return new Map([...withoutSenderParameters(codec), ["stereo", "1"], ["useinbandfec", "1"]])
}

/** What we will send: `sprop-stereo=1` says that two channels may come. */
function sendParameters(codec: OfferedCodec): ReadonlyMap<string, string> {
  if (codec.name !== "opus") return codec.parameters
  return new Map([...withoutSenderParameters(codec), ["sprop-stereo", "1"]])
}

function withoutSenderParameters(codec: OfferedCodec): [string, string][] {
  return [...codec.parameters].filter(([name]) => !name.startsWith("sprop-"))
}

function sends(direction: string): boolean {
  return direction === "sendonly" || direction === "sendrecv"
}

function receives(direction: string): boolean {
  return direction === "recvonly" || direction === "sendrecv"
}

/** Feedback that the gateway reads and writes; transport-cc is not among it, so that bitrate follows REMB. */
const FEEDBACK = ["nack", "nack pli", "ccm fir", "goog-remb"]
