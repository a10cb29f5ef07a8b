import { GatewayError } from "../errors.ts"
import type { VideoCodec } from "../media/codec.ts"
import { HEADER_EXTENSION_URIS, type HeaderExtensionName } from "../media/header-extension.ts"
import { agree, checkPayloadTypes, playTerms } from "./agreement.ts"
import { type Answer, type AvailableMedia, chooseAvailable, describeStream, type LocalTracks } from "./answer.ts"
import type { OfferedCodec } from "./codec.ts"
import { type OfferedMedia, parseAnswer } from "./offer.ts"
import { type LocalDescription, type LocalSection, type SectionFormat, serializeDescription } from "./serialize.ts"

/** An offer of ours that a player has not answered yet. */
export interface PendingOffer {
  readonly kinds: readonly ("audio" | "video")[]
  readonly tracks: LocalTracks
  readonly available: AvailableMedia
}

/**
 * Offers what the stream has to a player whose own offer did not fit, or that wants to be offered something
 * (draft-ietf-wish-whep section 4.3.2). Throws `sdp.not_acceptable` where the stream has nothing.
 */
export function createOffer(
  local: LocalDescription,
  tracks: LocalTracks,
  available: AvailableMedia,
): { sdp: string; pending: PendingOffer } {
  const sections: LocalSection[] = []
  if (available.audio) sections.push(section("audio", AUDIO_FORMATS, tracks))
  if (available.video !== false) sections.push(section("video", videoFormats(available.video), tracks))
  if (sections.length === 0) throw new GatewayError("sdp.not_acceptable", "the stream has nothing to offer yet")
  const kinds = sections.map(({ media }) => (media === "video" ? "video" : "audio"))
  return { sdp: serializeDescription(sections, local, "actpass"), pending: { kinds, tracks, available } }
}

/**
 * Takes the player's answer, draft-ietf-wish-whep section 4.3.2.
 * Throws `sdp.syntax` where it is malformed, `sdp.unsupported` where it does not answer the offer, `sdp.not_acceptable`
 * where it takes nothing of it.
 */
export function acceptAnswer({ kinds, tracks, available }: PendingOffer, answerSdp: string): Answer {
  const { media, remote } = parseAnswer(answerSdp)
  const isAnswer = media.length === kinds.length && media.every(({ section }, i) => section.type === kinds[i])
  if (!isAnswer) {
    throw new GatewayError("sdp.unsupported", `the answer must have the sections of the offer: ${kinds.join(", ")}`)
  }
  const chosen: { media: OfferedMedia; codec: OfferedCodec; kind: "audio" | "video" }[] = []
  for (const answered of media) {
    const { kind, direction, mid, section } = answered
    if (kind !== undefined && direction === "inactive") continue
    if (direction === "sendonly") throw new GatewayError("sdp.unsupported", "the answer must be recvonly")
    // A player that does not want a section answers inactive; one that rejects it cannot play what is offered.
    const codec = kind && chooseAvailable(answered, available)
    if (kind === undefined || codec === undefined) {
      const message = `the answer refuses ${section.type}; the stream carries ${describeStream(available)}`
      throw new GatewayError("sdp.not_acceptable", message)
    }
    if (mid !== undefined && mid !== MIDS[kind]) throw new GatewayError("sdp.unsupported", "the answer has another mid")
    chosen.push({ media: withOfferedExtensions(answered), codec, kind })
  }
  if (chosen.length === 0) {
    const message = `the answer takes nothing of what the stream carries: ${describeStream(available)}`
    throw new GatewayError("sdp.not_acceptable", message)
  }
  const terms = playTerms(chosen.map(({ codec }) => codec))
  const answers = chosen.map(({ media, codec, kind }) => agree(media, codec, terms, tracks[kind]).answered)
  return { sdp: "", media: checkPayloadTypes(answers), remote }
}

/** An answer cannot move an extension to another id, RFC 8285 section 7. */
function withOfferedExtensions(media: OfferedMedia): OfferedMedia {
  const isOffered = (name: HeaderExtensionName, id: number) => EXTENSIONS.indexOf(name) === id - 1
  return { ...media, extensions: media.extensions.filter(({ name, id }) => isOffered(name, id)) }
}

function section(kind: "audio" | "video", formats: readonly SectionFormat[], tracks: LocalTracks): LocalSection {
  return {
    type: "accepted",
    media: kind,
    protocol: "UDP/TLS/RTP/SAVPF",
    mid: MIDS[kind],
    isBundled: true,
    direction: "sendonly",
    formats,
    hasReducedSizeRtcp: true,
    lines: EXTENSIONS.map((name, i) => `a=extmap:${i + 1} ${HEADER_EXTENSION_URIS[name]}`),
    local: tracks[kind],
    hasRtx: kind === "video",
  }
}

function videoFormats({ codec, profileIdc }: { codec: VideoCodec; profileIdc?: number | undefined }): SectionFormat[] {
  return parametersOf(codec, profileIdc).flatMap((parameters, i) => {
    const payloadType = FIRST_VIDEO_PAYLOAD_TYPE + 2 * i
    return [
      { payloadType, rtpmap: `${codec.toUpperCase()}/90000`, parameters, feedback: VIDEO_FEEDBACK },
      { payloadType: payloadType + 1, rtpmap: "rtx/90000", parameters: `apt=${payloadType}`, feedback: [] },
    ]
  })
}

/** H.264 is offered as baseline, too: browsers without a High profile in their list decode it all the same. */
function parametersOf(codec: VideoCodec, profileIdc: number | undefined): string[] {
  switch (codec) {
    case "h264": {
      const levels = ["42e01f"]
      if (profileIdc !== undefined && profileIdc !== 0x42)
        levels.unshift(`${profileIdc.toString(16).padStart(2, "0")}001f`)
      return levels.map((level) => `level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=${level}`)
    }
    case "h265":
      return [`level-id=156;profile-id=${profileIdc ?? 1};tier-flag=0;tx-mode=SRST`]
    case "av1":
      return [`level-idx=5;profile=${profileIdc ?? 0};tier=0`]
    case "vp9":
      return [`profile-id=${profileIdc ?? 0}`]
    case "vp8":
      return [""]
  }
}

const MIDS = { audio: "0", video: "1" } as const
const VIDEO_FEEDBACK = ["nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"]
const FIRST_VIDEO_PAYLOAD_TYPE = 96
const AUDIO_FORMATS: readonly SectionFormat[] = [
  {
    payloadType: 111,
    rtpmap: "opus/48000/2",
    parameters: "minptime=10;sprop-stereo=1;stereo=1;useinbandfec=1",
    feedback: ["transport-cc"],
  },
  { payloadType: 63, rtpmap: "red/48000/2", parameters: "111/111", feedback: [] },
]
/** Their ids count from 1. */
const EXTENSIONS: readonly HeaderExtensionName[] = [
  "mid",
  "absSendTime",
  "transportCc",
  "absCaptureTime",
  "playoutDelay",
  "videoOrientation",
]
