import { GatewayError } from "../errors.ts"
import { CODEC_TITLES, type VideoCodec } from "../media/codec.ts"
import {
  type Agreement,
  type AnsweredMedia,
  agree,
  checkPayloadTypes,
  decline,
  PUBLISH_TERMS,
  playTerms,
} from "./agreement.ts"
import { describeCodecs, type OfferedCodec } from "./codec.ts"
import { chooseOpus, chooseVideo } from "./codec-choice.ts"
import { shareOneStream } from "./msid.ts"
import type { Offer, OfferedMedia } from "./offer.ts"
import { type LocalDescription, type LocalTrack, serializeDescription } from "./serialize.ts"
import type { RemoteTransport } from "./transport.ts"

export type { AnsweredMedia } from "./agreement.ts"

/** The answer as text and as facts for the transport. */
export interface Answer {
  /** Empty where it was the peer that answered. */
  readonly sdp: string
  readonly media: readonly AnsweredMedia[]
  readonly remote: RemoteTransport
}

/** What publishers may send. */
export interface PublishPolicy {
  /** Best first. */
  readonly codecs: readonly VideoCodec[]
}

/** What a stream has for a viewer at this moment. */
export interface AvailableMedia {
  readonly audio: boolean
  /**
   * `profileIdc` is the second byte of an H.264 stream's SPS, whose payload type is preferred, or the profile of HEVC,
   * AV1 or VP9, which the viewer must be able to decode.
   */
  readonly video: false | { readonly codec: VideoCodec; readonly profileIdc?: number | undefined }
}

/** The tracks that a viewer will get, one for each kind. */
export interface LocalTracks {
  readonly audio: LocalTrack
  readonly video: LocalTrack
}

/**
 * Answers a publisher, RFC 9725 section 4.2: every section that sends is accepted as `recvonly`, at most one audio and
 * one video, of one MediaStream.
 * Throws `sdp.unsupported` where nothing is sent, a second track of a kind or a second stream is sent, or a section has
 * no codec that the policy allows.
 */
export function answerPublish(offer: Offer, local: LocalDescription, { codecs }: PublishPolicy): Answer {
  const isActive = ({ kind, direction }: OfferedMedia) =>
    kind !== undefined && (direction === "sendonly" || direction === "sendrecv")
  const active = offer.media.filter(isActive)
  checkTracks(active, "send")
  if (!shareOneStream(active.map(({ streamIds }) => streamIds))) {
    throw new GatewayError("sdp.unsupported", "audio and video must be of one MediaStream (the same id in a=msid)")
  }
  return write(offer, local, (media) => {
    if (!isActive(media)) return undefined
    const codec = media.kind === "video" ? chooseAllowed(media.codecs, codecs) : chooseOpus(media.codecs)
    if (codec !== undefined) return checkLayers(media, agree(media, codec, PUBLISH_TERMS))
    const supported = media.kind === "video" ? codecs.map(describeSupport).join(", ") : CODEC_TITLES.opus
    const message = `${media.kind} must offer ${supported}; the offer has ${describeCodecs(media.section)}`
    throw new GatewayError("sdp.unsupported", message)
  })
}

/**
 * Answers a viewer, draft-ietf-wish-whep section 4.3.1: every section that receives a kind the stream has is accepted
 * as `sendonly`, others are answered `inactive`, because a browser needs an answer to every section.
 * Throws `sdp.unsupported` where the offer asks for nothing or for two tracks of a kind, `sdp.not_acceptable` where it
 * has no codec for what the stream has, or asks for nothing that the stream has.
 */
export function answerPlay(
  offer: Offer,
  local: LocalDescription,
  tracks: LocalTracks,
  available: AvailableMedia,
): Answer {
  const active = offer.media.filter(
    ({ kind, direction }) => kind !== undefined && (direction === "recvonly" || direction === "sendrecv"),
  )
  checkTracks(active, "receive")
  const chosen = new Map<OfferedMedia, OfferedCodec>()
  for (const media of active) {
    const codec = chooseAvailable(media, available)
    if (codec !== undefined) chosen.set(media, codec)
    else if (media.kind !== undefined && available[media.kind] !== false) throw notAcceptable(media, available)
  }
  if (chosen.size === 0) {
    const message = `the stream has nothing of what the offer asks for: it carries ${describeStream(available)}`
    throw new GatewayError("sdp.not_acceptable", message)
  }
  const terms = playTerms([...chosen.values()])
  return write(offer, local, (media) => {
    const codec = chosen.get(media)
    return codec && agree(media, codec, terms, tracks[media.kind === "video" ? "video" : "audio"])
  })
}

/** The codec of a viewer's section for what the stream has of that kind; undefined where there is none. */
export function chooseAvailable(media: OfferedMedia, { audio, video }: AvailableMedia): OfferedCodec | undefined {
  if (media.kind === "audio") return audio ? chooseOpus(media.codecs) : undefined
  return video === false ? undefined : chooseVideo(media.codecs, video.codec, video.profileIdc)
}

/** What a stream carries, in words. */
export function describeStream({ audio, video }: AvailableMedia): string {
  const parts = [video !== false && `${CODEC_TITLES[video.codec]} video`, audio && `${CODEC_TITLES.opus} audio`]
  return parts.filter(Boolean).join(" and ") || "nothing"
}

function write(offer: Offer, local: LocalDescription, answer: (media: OfferedMedia) => Agreement | undefined): Answer {
  const answered: AnsweredMedia[] = []
  const sections = offer.media.map((media) => {
    const agreement = answer(media)
    if (agreement === undefined) return decline(media)
    answered.push(agreement.answered)
    return agreement.section
  })
  const { remote } = offer
  const setup = remote.dtlsRole === "server" ? "passive" : "active"
  return { media: checkPayloadTypes(answered), sdp: serializeDescription(sections, local, setup), remote }
}

function checkTracks(active: readonly OfferedMedia[], verb: string): void {
  if (active.length === 0) throw new GatewayError("sdp.unsupported", `the offer does not ${verb} any audio or video`)
  for (const kind of ["audio", "video"] as const) {
    if (active.filter((media) => media.kind === kind).length <= 1) continue
    throw new GatewayError(
      "sdp.unsupported",
      `more than one ${kind} track: a stream has one audio and one video at most`,
    )
  }
}

/** Layers without ids would all be sent whatever the answer says, and nobody could tell them apart. */
function checkLayers({ hasUnnamedLayers }: OfferedMedia, agreement: Agreement): Agreement {
  if (!hasUnnamedLayers || agreement.answered.rids.length > 0) return agreement
  throw new GatewayError("sdp.unsupported", "simulcast needs a=rid and a=simulcast (RFC 8853), not ssrc-group:SIM")
}

function chooseAllowed(offered: readonly OfferedCodec[], allowed: readonly VideoCodec[]): OfferedCodec | undefined {
  for (const name of allowed) {
    const codec = chooseVideo(offered, name)
    if (codec !== undefined) return codec
  }
  return undefined
}

function describeSupport(codec: VideoCodec): string {
  return codec === "h264" ? `${CODEC_TITLES.h264} (packetization mode 0 or 1)` : CODEC_TITLES[codec]
}

function notAcceptable(media: OfferedMedia, available: AvailableMedia): GatewayError {
  const { video } = available
  const wanted = media.kind === "video" && video !== false ? video : undefined
  const profile = wanted?.profileIdc === undefined || wanted.codec === "h264" ? "" : ` (profile ${wanted.profileIdc})`
  const carried = `${wanted === undefined ? CODEC_TITLES.opus : CODEC_TITLES[wanted.codec]}${profile}`
  const message = `the stream's ${media.kind} is ${carried}; the offer has ${describeCodecs(media.section)}`
  return new GatewayError("sdp.not_acceptable", message)
}
