import { randomBytes, randomInt } from "node:crypto"
import type { AccessGrant } from "../../access/access.ts"
import type { LiveStream } from "../../hub/live-stream.ts"
import type { SubscriberSession } from "../../hub/session.ts"
import { parseStreamName } from "../../hub/stream-name.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import { isVideoTrack } from "../../media/frame.ts"
import { type AnsweredMedia, answerPlay, answerPublish } from "../../sdp/answer.ts"
import { type Offer, parseOffer } from "../../sdp/offer.ts"
import type { LocalCandidate, LocalDescription, LocalTrack } from "../../sdp/serialize.ts"
import type { Logger } from "../log.ts"
import { describeClose } from "./close-reason.ts"
import type { PacketFanout } from "./fanout.ts"
import { StreamPump } from "./stream-pump.ts"
import type { WebRtcTransport } from "./transport.ts"
import type { WebRtcPeer, WebRtcPeerEvents } from "./transport-peer.ts"
import { WhepViewer } from "./whep-viewer.ts"
import { WhipPublisher } from "./whip-publisher.ts"

/** An offer with all that is known of where it came from. */
export interface OfferRequest {
  /** `app/stream` as the client wrote it. */
  readonly stream: string
  readonly offerSdp: string
  /** The permission; told when the session is over. */
  readonly grant: AccessGrant
  /** Our end of the HTTP connection, where it is known. */
  readonly localAddress: string | undefined
}

/** A session that was opened. */
export interface OpenedSession {
  readonly id: string
  readonly answerSdp: string
  readonly etag: string
}

/** What the WebRTC side works with. */
export interface WebRtcServiceOptions {
  readonly transport: WebRtcTransport
  readonly fanout: PacketFanout
  readonly registry: StreamRegistry
  readonly logger: Logger
  readonly nowMs: () => number
  readonly maxBitrateBps: number
  readonly catchUpBitrateBps: number
  readonly keyframeIntervalMs: number
  readonly onBug: (error: unknown) => void
}

interface Session {
  readonly peer: WebRtcPeer
  readonly etag: string
  readonly remoteUfrag: string
}

/** Opens WHIP and WHEP sessions from offers, and ends them by id. */
export class WebRtcService {
  readonly #options: WebRtcServiceOptions
  readonly #sessions = new Map<string, Session>()
  readonly #pumps = new WeakMap<LiveStream, { audio: StreamPump; video: StreamPump }>()
  #streamsSeen = 0

  constructor(options: WebRtcServiceOptions) {
    this.#options = options
  }

  /** WHIP. Throws `stream.name`, `stream.busy`, `sdp.*`, `session.limit` and `gateway.closing`. */
  publish(request: OfferRequest): OpenedSession {
    const name = parseName(request.stream)
    return this.#open(request, { takesMedia: true }, (offer, local, peer) => {
      const { sdp, media } = answerPublish(offer, local, { codecs: ["h264"] })
      const publisher = new WhipPublisher({ ...this.#options, peer, media, name, grant: request.grant })
      const events: WebRtcPeerEvents = {
        connected: () => publisher.onConnected(),
        rtp: (packet) => publisher.onRtp(packet),
        rtcp: (compound) => publisher.onRtcp(compound),
        closed: (reason) => publisher.onClosed(reason),
      }
      return { sdp, events }
    })
  }

  /** WHEP. Throws `stream.name`, `stream.not_live`, `sdp.*`, `session.limit` and `gateway.closing`. */
  play(request: OfferRequest): OpenedSession {
    const stream = this.#options.registry.find(parseName(request.stream))
    return this.#open(request, { takesMedia: false }, (offer, local, peer) => {
      const available = { audio: true, video: this.#isSoundOnly(stream) ? (false as const) : videoFacts(stream) }
      const { sdp, media } = answerPlay(offer, local, localTracks(), available)
      const viewer = this.#addViewer(peer, media, stream)
      const events: WebRtcPeerEvents = {
        connected: (keys) => viewer.onConnected(keys),
        rtcp: (compound) => viewer.onRtcp(compound),
        closed: (reason) => {
          viewer.onClosed(reason)
          this.#tellEnd(request, viewer, describeClose(reason))
        },
      }
      return { sdp, events }
    })
  }

  /** What a PATCH needs to know of a session; undefined where there is none. */
  find(id: string): { readonly etag: string; readonly remoteUfrag: string } | undefined {
    return this.#sessions.get(id)
  }

  /** Ends a session because its owner says so; false where there is none. */
  end(id: string): boolean {
    const session = this.#sessions.get(id)
    session?.peer.close("ended by DELETE")
    return session !== undefined
  }

  /** A publisher may begin with one kind and send the other a moment later, so this takes a while to tell. */
  #isSoundOnly(stream: LiveStream): boolean {
    const { audio, video } = stream.sources
    return audio !== undefined && video === undefined && stream.timelineUs(this.#options.nowMs()) > SETTLED_US
  }

  #addViewer(peer: WebRtcPeer, media: readonly AnsweredMedia[], stream: LiveStream): WhepViewer {
    return new WhepViewer({ ...this.#options, peer, media, stream, pumps: this.#pumpsOf(stream) })
  }

  #tellEnd({ grant }: OfferRequest, session: SubscriberSession, reason: string): void {
    const nowMs = this.#options.nowMs()
    const { startedAtMs, bytes } = session.describe(nowMs)
    grant.ended({ sessionId: session.id, reason, durationMs: Math.round(nowMs - startedAtMs), bytes })
  }

  #open(
    { offerSdp, localAddress }: OfferRequest,
    { takesMedia }: { readonly takesMedia: boolean },
    answer: (offer: Offer, local: LocalDescription, peer: WebRtcPeer) => { sdp: string; events: WebRtcPeerEvents },
  ): OpenedSession {
    const { transport } = this.#options
    const offer = parseOffer(offerSdp)
    const { fingerprints, dtlsRole, ufrag } = offer.remote
    // The session's own events are known only once the answer is, which needs the peer.
    let events: WebRtcPeerEvents = {}
    const peer = transport.open({
      remote: { fingerprints, dtlsRole, ufrag },
      events: {
        connected: (keys) => events.connected?.(keys),
        ...(takesMedia && { rtp: (packet: Uint8Array) => events.rtp?.(packet) }),
        rtcp: (compound) => events.rtcp?.(compound),
        closed: (reason) => {
          this.#sessions.delete(peer.id)
          events.closed?.(reason)
        },
      },
    })
    try {
      const answered = answer(offer, this.#describe(peer, localAddress), peer)
      events = answered.events
      const etag = randomBytes(12).toString("base64url")
      this.#sessions.set(peer.id, { peer, etag, remoteUfrag: ufrag })
      return { id: peer.id, answerSdp: answered.sdp, etag }
    } catch (error) {
      peer.close("the offer was refused")
      throw error
    }
  }

  #describe({ localUfrag, localPwd }: WebRtcPeer, localAddress: string | undefined): LocalDescription {
    const { transport } = this.#options
    const candidates = transport.candidates(localAddress)
    return {
      sessionId: String(randomInt(2 ** 47)),
      ufrag: localUfrag,
      pwd: localPwd,
      fingerprints: [{ algorithm: "sha-256", value: transport.identity.fingerprint }],
      candidates: candidates as [LocalCandidate, ...LocalCandidate[]],
    }
  }

  #pumpsOf(stream: LiveStream): { audio: StreamPump; video: StreamPump } {
    let pumps = this.#pumps.get(stream)
    if (pumps === undefined) {
      const id = `${stream.name} ${++this.#streamsSeen}`
      const { fanout } = this.#options
      pumps = {
        audio: new StreamPump(stream.lanes.audioPackets, "audio", `${id} audio`, fanout),
        video: new StreamPump(stream.lanes.videoPackets, "video", `${id} video`, fanout),
      }
      this.#pumps.set(stream, pumps)
    }
    return pumps
  }
}

function parseName(stream: string) {
  const slash = stream.indexOf("/")
  return parseStreamName(stream.slice(0, slash), stream.slice(slash + 1))
}

/** The profile of the stream, second byte of its SPS, so that the viewer's matching payload type is chosen. */
function videoFacts(stream: LiveStream): { readonly codec: "h264"; readonly profileIdc?: number } {
  for (const track of stream.tracks) {
    const profileIdc = isVideoTrack(track) ? track.sps[0]?.[1] : undefined
    if (profileIdc !== undefined) return { codec: "h264", profileIdc }
  }
  return { codec: "h264" }
}

/** By then a publisher has sent something of all that it sends. */
const SETTLED_US = 3_000_000

function localTracks(): { audio: LocalTrack; video: LocalTrack } {
  const streamId = "whipstitch"
  const cname = randomBytes(9).toString("base64url")
  const track = (trackId: string): LocalTrack => ({
    ssrc: randomInt(1, 2 ** 32),
    rtxSsrc: randomInt(1, 2 ** 32),
    cname,
    streamId,
    trackId,
  })
  return { audio: track("audio"), video: track("video") }
}
