import { GatewayError } from "../errors.ts"
import { decodeLossless, encodeLossless, isLossless, type LosslessPacket } from "./lossless/envelope.ts"
import { decodePacket, encodePacket, errorPacket, type MiniSdpPacket } from "./packet.ts"
import { sessionFromSdp } from "./session-from-sdp.ts"
import { sessionToSdp } from "./session-to-sdp.ts"
import { statusOf } from "./signaling-status.ts"
import { parseStreamUrl } from "./stream-url.ts"

/** A request of either form as it stands in its packet. */
export type RequestPacket =
  | { readonly form: "public"; readonly packet: MiniSdpPacket }
  | { readonly form: "lossless"; readonly packet: LosslessPacket }

/** What a request asks for, whatever its form. */
export interface SessionRequest {
  readonly action: "publish" | "play"
  /** `app/stream`, unchecked. */
  readonly stream: string
  readonly token: string | undefined
  /** Empty where there is none. */
  readonly cookie: Uint8Array
  /** The source of the datagram takes media at once, without a check; only a cookie makes that true. */
  readonly wantsMediaAtOnce: boolean
  readonly offerSdp: string
}

/** What the answer to a request says. */
export interface SessionAnswer {
  readonly sdp: string
  /** For stop packets. */
  readonly sessionId: string
  /** For the next request of this address; only the lossless form has room for it. */
  readonly cookie: Uint8Array
  /** The source of the request was taken for the address of the session, without a check. */
  readonly isSourceTrusted: boolean
}

/** Reads a packet that begins with FF 53 44 50; undefined for one that asks for nothing. Throws `minisdp.packet`. */
export function readRequestPacket(bytes: Uint8Array): RequestPacket | undefined {
  if (isLossless(bytes)) {
    const packet = decodeLossless(bytes)
    return packet.type === "offer" && packet.status === 0 ? { form: "lossless", packet } : undefined
  }
  const packet = decodePacket(bytes)
  return packet.type === "offer" && packet.status === 0 ? { form: "public", packet } : undefined
}

/** What a request asks for. Throws `stream.name`, and what {@link offerSdpOf} does. */
export function parseRequest(request: RequestPacket): SessionRequest {
  const { form, packet } = request
  const url = parseStreamUrl(packet.streamUrl)
  const common = { ...url, wantsMediaAtOnce: packet.immSend, offerSdp: offerSdpOf(request) }
  if (form === "lossless") return { ...common, cookie: packet.cookie, action: actionOf(packet.sdp) }
  const isPush = packet.push ?? packet.session.direction === "sendonly"
  return { ...common, action: isPush ? "publish" : "play" }
}

/** The offer as text. Throws `minisdp.packet` where there is none, and `sdp.unsupported` for media without encryption. */
export function offerSdpOf({ form, packet }: RequestPacket): string {
  if (form === "lossless") {
    if (packet.sdp === "") throw new GatewayError("minisdp.packet", "the packet has no SDP")
    return packet.sdp
  }
  if (!packet.session.isEncrypted) {
    throw new GatewayError("sdp.unsupported", "media must be encrypted: set encrypt_switch and send a fingerprint")
  }
  return sessionToSdp(packet.session, { type: "offer" })
}

/** The answer in the form of its request. `addressFamily` is that of the client, as the public form can name candidates of one only. */
export function encodeAnswer(request: RequestPacket, answer: SessionAnswer, addressFamily: 4 | 6): Uint8Array {
  const { seq } = request.packet
  const { sdp, sessionId, cookie, isSourceTrusted: immSend } = answer
  if (request.form === "lossless") {
    const { dictionary } = request.packet
    const packet = { type: "answer", seq, status: 0, immSend, streamUrl: "", cookie, sessionId, sdp } as const
    return encodeLossless({ ...packet, ...(dictionary !== undefined && { dictionary }) })
  }
  const [streamUrl = ""] = request.packet.streamUrl.split("?", 1)
  return encodePacket({
    generation: "ext",
    type: "answer",
    status: 0,
    seq,
    immSend,
    streamUrl,
    svrsig: request.packet.session.ufrag,
    push: undefined,
    session: { ...sessionFromSdp(sdp, { addressFamily }), isEncrypted: true },
  })
}

/** What a refusal repeats of its request. */
export interface RefusedRequest {
  readonly form: RequestPacket["form"]
  readonly seq: number
  readonly streamUrl: string
}

/** The refusal of a request, never longer than `maxBytes`; undefined where none is as short. The lossless form says why, where it fits. */
export function encodeRefusal(
  { form, seq, streamUrl }: RefusedRequest,
  { code, message }: GatewayError,
  cookie: Uint8Array,
  maxBytes: number,
): Uint8Array | undefined {
  const status = statusOf(code)
  if (form === "public") return fitting([encodePacket(errorPacket({ seq, streamUrl }, status))], maxBytes)
  const bare = { type: "error", seq, status, immSend: false, streamUrl: "", cookie, sessionId: "", sdp: "" } as const
  return fitting([encodeLossless({ ...bare, sdp: message }), encodeLossless(bare)], maxBytes)
}

/** What can be told of a request that is malformed, so that its sender can be told; undefined for what is none, and for other versions. */
export function readBrokenRequest(bytes: Uint8Array): RefusedRequest | undefined {
  const at = (offset: number) => bytes[offset] ?? 0
  if (isLossless(bytes)) {
    const flags = at(5)
    const isOffer = bytes.length >= 8 && (flags & LOSSLESS_TYPE) === 0 && (flags & LOSSLESS_HAS_STATUS) === 0
    if (!isOffer) return undefined
    return { form: "lossless", seq: (flags & LOSSLESS_HAS_SEQ) === 0 ? 0 : at(6) * 256 + at(7), streamUrl: "" }
  }
  const isOffer = bytes.length >= PUBLIC_HEADER_BYTES && at(4) === 0 && at(5) === 0 && at(6) === 0 && at(28) >> 6 === 0
  return isOffer ? { form: "public", seq: at(26) * 256 + at(27), streamUrl: "" } : undefined
}

function fitting(packets: readonly Uint8Array[], maxBytes: number): Uint8Array | undefined {
  return packets.find(({ length }) => length <= maxBytes)
}

/** The lossless form does not say whether to publish or to play, but who offers to send and not to receive publishes. */
function actionOf(sdp: string): SessionRequest["action"] {
  return /^a=sendonly\s*$/m.test(sdp) && !/^a=(recvonly|sendrecv)\s*$/m.test(sdp) ? "publish" : "play"
}

/** Bits of the byte after the version of the lossless form, docs/minisdp.md. */
const LOSSLESS_TYPE = 0x03
const LOSSLESS_HAS_SEQ = 0x08
const LOSSLESS_HAS_STATUS = 0x10
/** Status at 5, seq at 26, type in the upper bits of 28. */
const PUBLIC_HEADER_BYTES = 29
