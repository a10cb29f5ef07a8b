import { GatewayError } from "../errors.ts"
import { VIDEO_CODECS, type VideoCodec } from "../media/codec.ts"
import { HEADER_EXTENSION_URIS, type HeaderExtensionName, PASSED_EXTENSIONS } from "../media/header-extension.ts"
import { type AnsweredMedia, agree, checkPayloadTypes, type Terms } from "./agreement.ts"
import { parseCandidates, type RemoteCandidate } from "./candidate.ts"
import type { OfferedCodec } from "./codec.ts"
import { parseAnswer } from "./offer.ts"
import type { Fingerprint, RemoteTransport } from "./transport.ts"

/** Our side of the transport when we are the player. */
export interface PlayOfferOptions {
  /** Numeric session id of the `o=` line, RFC 8866 section 5.2. */
  readonly sessionId: string
  readonly ufrag: string
  readonly pwd: string
  readonly fingerprint: Fingerprint
}

/** What the other gateway has agreed to send, and how it is reached. */
export interface AcceptedPlay {
  readonly media: readonly AnsweredMedia[]
  readonly remote: RemoteTransport
  readonly candidates: readonly RemoteCandidate[]
}

/**
 * Offers to receive one audio and one video in any codec that passes through the gateway (RFC 9429, draft-ietf-wish-whep section 4.3.1).
 * There are no candidates in it, as an ICE-lite peer learns our address from our checks.
 */
export function createPlayOffer({ sessionId, ufrag, pwd, fingerprint }: PlayOfferOptions): string {
  const transport = [
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${pwd}`,
    `a=fingerprint:${fingerprint.algorithm} ${fingerprint.value}`,
    "a=setup:actpass",
  ]
  const extensions = EXTENSIONS.map((name, i) => `a=extmap:${i + 1} ${HEADER_EXTENSION_URIS[name]}`)
  const section = (kind: "audio" | "video", mid: number, formats: readonly Format[]) => [
    `m=${kind} 9 UDP/TLS/RTP/SAVPF ${formats.map(({ payloadType }) => payloadType).join(" ")}`,
    "c=IN IP4 0.0.0.0",
    "a=rtcp:9 IN IP4 0.0.0.0",
    ...transport,
    `a=mid:${mid}`,
    ...extensions,
    "a=recvonly",
    "a=rtcp-mux",
    "a=rtcp-rsize",
    ...formats.flatMap(({ payloadType, rtpmap, feedback, parameters }) => [
      `a=rtpmap:${payloadType} ${rtpmap}`,
      ...feedback.map((message) => `a=rtcp-fb:${payloadType} ${message}`),
      ...(parameters === "" ? [] : [`a=fmtp:${payloadType} ${parameters}`]),
    ]),
  ]
  const lines = [
    "v=0",
    `o=- ${sessionId} 2 IN IP4 127.0.0.1`,
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0 1",
    ...section("audio", 0, AUDIO_FORMATS),
    ...section("video", 1, VIDEO_FORMATS),
  ]
  return `${lines.join("\r\n")}\r\n`
}

/**
 * Takes the answer to such an offer. Throws `sdp.syntax` where it is malformed, `sdp.unsupported` where it does not answer the offer,
 * `sdp.not_acceptable` where nothing will come.
 */
export function acceptPlayAnswer(answerSdp: string): AcceptedPlay {
  const { media, remote } = parseAnswer(answerSdp)
  const isAnswer = media.length === 2 && media[0]?.section.type === "audio" && media[1]?.section.type === "video"
  if (!isAnswer) throw new GatewayError("sdp.unsupported", "the answer must have the offer's sections: audio, video")
  const accepted: AnsweredMedia[] = []
  for (const answered of media) {
    if (answered.kind === undefined || answered.direction !== "sendonly") continue
    const codec = answered.codecs.find(({ name }) => isMediaCodec(name))
    const offered = codec && OFFERED_RTPMAPS.get(codec.payloadType)
    if (codec === undefined || offered?.toLowerCase() !== codec.rtpmap.toLowerCase()) {
      throw new GatewayError("sdp.unsupported", `the answer's ${answered.kind} has a codec that was not offered`)
    }
    accepted.push(agree(answered, codec, PULL_TERMS).answered)
  }
  if (accepted.length === 0) throw new GatewayError("sdp.not_acceptable", "the answer sends neither audio nor video")
  const attributes = media.flatMap(({ section }) => section.attributes)
  return { media: checkPayloadTypes(accepted), remote, candidates: parseCandidates(attributes) }
}

function isMediaCodec(name: OfferedCodec["name"]): boolean {
  return name === "opus" || VIDEO_CODECS.some((codec) => codec === name)
}

interface Format {
  readonly payloadType: number
  readonly rtpmap: string
  /** Empty where there are none. */
  readonly parameters: string
  readonly feedback: readonly string[]
}

/** Each codec with the format of its retransmissions, RFC 4588. H.264 in the profiles that encoders use, most common last. */
function videoFormats(): Format[] {
  const codecs: readonly (readonly [VideoCodec, string])[] = [
    ["h264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f"],
    ["h264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"],
    ["h264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"],
    ["h265", "level-id=180;profile-id=2;tier-flag=0;tx-mode=SRST"],
    ["av1", "level-idx=5;profile=0;tier=0"],
    ["vp9", "profile-id=0"],
    ["vp9", "profile-id=2"],
    ["vp8", ""],
  ]
  return codecs.flatMap(([codec, parameters], i) => {
    const payloadType = FIRST_VIDEO_PAYLOAD_TYPE + 2 * i
    return [
      { payloadType, rtpmap: `${codec.toUpperCase()}/90000`, parameters, feedback: VIDEO_FEEDBACK },
      { payloadType: payloadType + 1, rtpmap: "rtx/90000", parameters: `apt=${payloadType}`, feedback: [] },
    ]
  })
}

const FIRST_VIDEO_PAYLOAD_TYPE = 96
const VIDEO_FEEDBACK = ["goog-remb", "ccm fir", "nack", "nack pli"]
const VIDEO_FORMATS: readonly Format[] = videoFormats()
const AUDIO_FORMATS: readonly Format[] = [
  { payloadType: 112, rtpmap: "opus/48000/2", parameters: "minptime=10;useinbandfec=1;stereo=1", feedback: [] },
]
const OFFERED_RTPMAPS = new Map(
  [...AUDIO_FORMATS, ...VIDEO_FORMATS].map(({ payloadType, rtpmap }) => [payloadType, rtpmap]),
)
/** Their ids count from 1. */
const EXTENSIONS: readonly HeaderExtensionName[] = ["mid", "absSendTime", ...PASSED_EXTENSIONS]
const PULL_TERMS: Terms = { peer: "sends", extensions: EXTENSIONS, feedback: VIDEO_FEEDBACK, audioFeedback: [] }
