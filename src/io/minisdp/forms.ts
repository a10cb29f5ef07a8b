import { decodeLossless, encodeLossless } from "../../minisdp/lossless/envelope.ts"
import { decodePacket, encodePacket, STATUS, stopSignature } from "../../minisdp/packet.ts"
import { sessionFromSdp } from "../../minisdp/session-from-sdp.ts"
import { sessionToSdp } from "../../minisdp/session-to-sdp.ts"
import { encodeStop } from "../../minisdp/stop.ts"

/** What an offer says besides its SDP. */
export interface MiniSdpOffer {
  readonly seq: number
  readonly sdp: string
  /** The gateway's name, which the public form has in front of the stream's. */
  readonly host: string
  /** `app/stream?token=…`. */
  readonly streamUrl: string
  /** Empty where there is none. */
  readonly cookie: Uint8Array
}

/** What an answer says. */
export interface MiniSdpAnswer {
  readonly seq: number
  /** 0, or why there is no session. */
  readonly status: number
  /** The reason in words, where the form has room for it; the gateway's own words. */
  readonly reason: string
  readonly sdp: string
  /** Our address was taken for checked. */
  readonly immSend: boolean
  /** Empty where there is none. */
  readonly cookie: Uint8Array
  /** The datagram that ends the session, where there is one. */
  stop(): Uint8Array | undefined
}

/** One of the forms of MiniSDP, as a client uses it. Both throw `minisdp.packet`. */
export interface MiniSdpForm {
  encodeOffer(offer: MiniSdpOffer): Uint8Array
  decodeAnswer(datagram: Uint8Array): MiniSdpAnswer
}

/** Any SDP exactly, docs/minisdp.md. */
export const LOSSLESS_FORM: MiniSdpForm = {
  encodeOffer: ({ seq, sdp, streamUrl, cookie }) => {
    const immSend = cookie.length > 0
    const packet = { type: "offer", seq, status: 0, immSend, streamUrl, cookie, sessionId: "", sdp } as const
    return encodeLossless(packet, MIN_OFFER_BYTES)
  },
  decodeAnswer: (datagram) => {
    const { type, seq, status, sdp, immSend, cookie, sessionId } = decodeLossless(datagram)
    const stop = () => (sessionId === "" ? undefined : encodeStop({ status: 0, seq, svrsig: sessionId }))
    if (type === "answer") return { seq, status, reason: "", sdp, immSend, cookie, stop }
    return { seq, status: status || STATUS.badParameter, reason: sdp, sdp: "", immSend, cookie, stop }
  },
}

/** What other gateways take too; of H.264 it carries one profile alone, of other video codecs none. */
export const PUBLIC_FORM: MiniSdpForm = {
  encodeOffer: ({ seq, sdp, host, streamUrl, cookie }) => {
    const hex = Buffer.from(cookie).toString("hex")
    const withCookie = hex === "" ? streamUrl : `${streamUrl}${streamUrl.includes("?") ? "&" : "?"}cookie=${hex}`
    return encodePacket({
      generation: "ext",
      type: "offer",
      status: 0,
      seq,
      immSend: hex !== "",
      streamUrl: `${host}/${withCookie}`,
      svrsig: "",
      push: false,
      session: { ...sessionFromSdp(sdp), isEncrypted: true },
    })
  },
  decodeAnswer: (datagram) => {
    const packet = decodePacket(datagram)
    const { type, seq, status, immSend, session } = packet
    const isAnswer = type === "answer" && status === 0
    return {
      seq,
      status: isAnswer ? 0 : status || STATUS.badParameter,
      reason: "",
      sdp: isAnswer ? sessionToSdp(session, { type: "answer", sections: OFFERED_SECTIONS }) : "",
      immSend,
      cookie: NO_BYTES,
      stop: () => (isAnswer ? encodeStop({ status: 0, seq, svrsig: stopSignature(packet) }) : undefined),
    }
  },
}

/** Those of `createPlayOffer`. */
const OFFERED_SECTIONS = [
  { kind: "audio", mid: "0" },
  { kind: "video", mid: "1" },
] as const
/** An answer may have three times the length. */
const MIN_OFFER_BYTES = 200
const NO_BYTES = new Uint8Array(0)
