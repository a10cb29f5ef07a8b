import { malformed } from "./malformed.ts"
import type { MiniSession } from "./session.ts"

/** Decoding stands for the rules of a generation; without it the packet itself tells. */
export interface DecodeOptions {
  readonly as?: "base" | "ext" | undefined
  /** Refuse a packet whose checksum is missing or wrong. */
  readonly verifyChecksum?: boolean | undefined
}

/** Longest packet of the public form, in bytes. */
export const MAX_PACKET_BYTES = 1400
/** Longest stream URL, in bytes, without `webrtc://`. */
export const MAX_STREAM_URL_BYTES = 1191

/** An offer, an answer or an error answer, in the public form. */
export interface MiniSdpPacket {
  /** The revision of the sender; `encodePacket` writes v0-ext whatever it says. */
  readonly generation: "base" | "ext"
  readonly type: "offer" | "answer"
  /** 0 in requests and where all is well, else one of `STATUS`; error answers say "offer" as their type. */
  readonly status: number
  /** 16 bits; all copies of a request have the same. */
  readonly seq: number
  /** The sender takes media at once at the source address of its datagram (0-RTT). */
  readonly immSend: boolean
  /** `host/app/stream?query`, without `webrtc://`. */
  readonly streamUrl: string
  /** Session signature as it stands in the packet: in an answer the ufrag of the offer. */
  readonly svrsig: string
  /** Publish, play, or left to the session's direction. */
  readonly push: boolean | undefined
  readonly session: MiniSession
  /** What only v0-ext has; absent stands for its defaults. */
  readonly extras?: PacketExtras | undefined
}

/** Fields of the v0-ext footer and client information. */
export interface PacketExtras {
  /** Bit set: 1 ethernet, 2 wifi, 4 cellular, 8 vpn, 16 loopback; 0 unknown. */
  readonly networks: number
  /** Date code of the sender's build, 16 bits. */
  readonly agentId: number
  /** The packet carries a checksum of itself. */
  readonly hasChecksum: boolean
  readonly client: { readonly type: string; readonly version: number } | undefined
}

/** Status codes of answers, SPEC section 12. */
export const STATUS = {
  ok: 0,
  badFormat: 100,
  badParameter: 101,
  badStream: 102,
  unauthorised: 103,
  notFound: 104,
} as const

/** Reads a datagram of either generation. Throws `minisdp.packet`. */
export function decodePacket(_bytes: Uint8Array, _options: DecodeOptions = {}): MiniSdpPacket {
  throw malformed("not yet")
}

/** Writes v0-ext by the interop rules of SPEC section 13.4. Throws `minisdp.packet` where it would exceed 1400 bytes. */
export function encodePacket(_packet: MiniSdpPacket): Uint8Array {
  throw malformed("not yet")
}

/** The answer to a request that is refused; never longer than the request. */
export function errorPacket(request: Pick<MiniSdpPacket, "seq" | "streamUrl">, status: number): MiniSdpPacket {
  return {
    generation: "ext",
    type: "offer",
    status,
    seq: request.seq,
    immSend: false,
    streamUrl: request.streamUrl,
    svrsig: "",
    push: undefined,
    session: EMPTY_SESSION,
  }
}

/**
 * `<candidate address>:<ufrag>:<svrsig>` of an answer: what its receiver writes into the stop packet. SPEC section 5.
 */
export function stopSignature({ session, svrsig }: MiniSdpPacket): string {
  const unspecified = session.addressFamily === 4 ? "0.0.0.0" : "::"
  const address = session.candidates.find(({ transport }) => transport === "udp")?.address ?? unspecified
  return `${address}:${session.ufrag}:${svrsig}`
}

const EMPTY_SESSION: MiniSession = {
  direction: "sendonly",
  role: "actpass",
  isEncrypted: false,
  ufrag: "",
  pwd: "",
  fingerprint: undefined,
  addressFamily: 4,
  candidates: [],
  media: [],
  hasNamedMids: false,
  hasAacConfig: false,
  isSequenceAligned: false,
}
