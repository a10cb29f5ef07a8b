import { randomInt } from "node:crypto"
import { GatewayError } from "../../errors.ts"
import type { TransportAddress } from "../../ice/ip-address.ts"
import type { AnsweredMedia } from "../../sdp/answer.ts"
import type { RemoteCandidate } from "../../sdp/candidate.ts"
import { acceptPlayAnswer, createPlayOffer } from "../../sdp/play-offer.ts"
import type { DtlsIdentity } from "../webrtc/identity.ts"
import { OutgoingPeer } from "../webrtc/outgoing-peer.ts"
import type { OpenAead } from "../webrtc/srtp/gcm.ts"
import type { PeerCloseReason, WebRtcPeerEvents } from "../webrtc/transport-peer.ts"

/** A session that plays a stream of another gateway. */
export interface PlaySession {
  readonly peer: OutgoingPeer
  readonly media: readonly AnsweredMedia[]
}

/** How a session is opened, whatever carries the offer. */
export interface PlaySessionOptions {
  readonly identity: DtlsIdentity
  readonly openAead?: OpenAead | undefined
  /** From the answer to keys. */
  readonly connectTimeoutMs: number
  /** Without an authentic packet. */
  readonly idleTimeoutMs: number
  /** The gateway has agreed; what it returns takes the events, of which the first comes later. */
  readonly accepted: (session: PlaySession) => WebRtcPeerEvents
  /** An error that nobody expected. */
  readonly onBug: (error: unknown) => void
}

/** An answer, and what the way that it came says of the network. */
export interface ReceivedAnswer {
  readonly sdp: string
  /** The gateway's media address, where the answer came from it. */
  readonly address?: TransportAddress
  readonly roundTripMs?: number
  /** The gateway has got a ClientHello that went out with the offer. */
  readonly hasHello?: boolean
}

/** What signalling by UDP needs of a session: its socket, and its ClientHello. */
export type SignalingPeer = Pick<OutgoingPeer, "send" | "beginHandshake">

/** Carries the offer to the gateway and brings the answer back. */
export interface OfferCarrier {
  readonly family: 4 | 6
  exchange(offerSdp: string, peer: SignalingPeer): Promise<ReceivedAnswer>
  /** Takes datagrams that begin with 0xff. */
  onSignal?(datagram: Uint8Array, source: TransportAddress): void
  /** The session is over, for whatever reason; the socket still sends. */
  onClosing?(peer: SignalingPeer): void
}

/**
 * Offers to play, and begins checks and handshake with the answer. Throws what the exchange throws, and `sdp.*` where the answer is
 * none to our offer.
 */
export async function openPlaySession(options: PlaySessionOptions, carrier: OfferCarrier): Promise<PlaySession> {
  let events: WebRtcPeerEvents = {}
  let ended: PeerCloseReason | undefined
  const peer = await OutgoingPeer.open({
    family: carrier.family,
    identity: options.identity,
    openAead: options.openAead,
    limits: options,
    onSignal: (datagram, source) => carrier.onSignal?.(datagram, source),
    onBug: options.onBug,
    events: {
      connected: (keys) => events.connected?.(keys),
      rtp: (packet) => events.rtp?.(packet),
      rtcp: (compound) => events.rtcp?.(compound),
      closing: () => carrier.onClosing?.(peer),
      closed: (reason) => {
        ended = reason
        events.closed?.(reason)
      },
    },
  })
  try {
    const offer = createPlayOffer({
      sessionId: String(randomInt(2 ** 47)),
      ufrag: peer.localUfrag,
      pwd: peer.localPwd,
      fingerprint: { algorithm: "sha-256", value: options.identity.fingerprint },
    })
    const answer = await carrier.exchange(offer, peer)
    if (ended?.type === "failed") throw ended.error
    const { media, remote, candidates } = acceptPlayAnswer(answer.sdp)
    const addresses = chooseAddresses(carrier.family, answer, candidates)
    const session = { peer, media }
    events = options.accepted(session)
    const { roundTripMs, hasHello = false } = answer
    peer.setRemote({
      ...remote,
      candidates: addresses,
      hasHello,
      ...(roundTripMs !== undefined && { roundTripMs }),
    })
    return session
  } catch (error) {
    events = {}
    peer.close("the offer came to nothing")
    throw error
  }
}

/** Where signalling came by, media does too; else the candidates of our family, in their order. */
function chooseAddresses(
  family: 4 | 6,
  { address: known }: ReceivedAnswer,
  candidates: readonly RemoteCandidate[],
): TransportAddress[] {
  if (known) return [known]
  const isOurs = ({ protocol, address }: RemoteCandidate) =>
    protocol === "udp" && address.includes(":") === (family === 6)
  const addresses = candidates.filter(isOurs).slice(0, MAX_ADDRESSES)
  if (addresses.length === 0) {
    throw new GatewayError("sdp.not_acceptable", `the answer has no UDP candidate of IPv${family}`)
  }
  return addresses.map(({ address, port }) => ({ transport: "udp", family, address, port }))
}

const MAX_ADDRESSES = 8
