import { randomBytes, randomInt } from "node:crypto"
import type { AccessGrant } from "../../access/access.ts"
import { GatewayError } from "../../errors.ts"
import type { LiveStream } from "../../hub/live-stream.ts"
import type { StreamName } from "../../hub/stream-name.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import type { VideoCodec } from "../../media/codec.ts"
import { type AnsweredMedia, type AvailableMedia, answerPlay, answerPublish } from "../../sdp/answer.ts"
import { acceptAnswer, createOffer } from "../../sdp/counter-offer.ts"
import { type Offer, parseOffer } from "../../sdp/offer.ts"
import type { LocalCandidate, LocalDescription, LocalTrack } from "../../sdp/serialize.ts"
import { reordersPictures } from "../../whep/picture-order.ts"
import { type Logger, sessionLabel } from "../log.ts"
import { describeClose } from "./close-reason.ts"
import type { PacketFanout } from "./fanout.ts"
import type { NetworkPath } from "./remote-address.ts"
import { StreamPumps } from "./stream-pumps.ts"
import { ANSWER_TIMEOUT_MS, type WebRtcTransport } from "./transport.ts"
import type { RemoteParameters, WebRtcPeer, WebRtcPeerEvents } from "./transport-peer.ts"
import { videoFacts } from "./video-facts.ts"
import { WebRtcSession } from "./webrtc-session.ts"
import { WhepViewer } from "./whep-viewer.ts"
import { WhipPublisher } from "./whip-publisher.ts"

/** An offer that may be answered: its sender was let in. */
export interface OfferRequest {
  readonly stream: StreamName
  /** Empty where a player leaves the offer to us. */
  readonly offerSdp: string
  /** Our end of the HTTP connection, where it is known. */
  readonly localAddress: string | undefined
  /** Whether a player can do with an offer of ours where its own does not fit. */
  readonly acceptsCounterOffer: boolean
  /** What the client calls itself, where it does. */
  readonly userAgent?: string | undefined
  readonly grant: AccessGrant
  /** Of an offer that came by UDP. */
  readonly source?: OfferSource
}

/** Where an offer came from; stop packets from there are believed. */
export interface OfferSource {
  readonly path: NetworkPath
  /** It has shown that it gets what is sent there, so it is taken for the peer's address at once. */
  readonly isTrusted: boolean
}

/** A session that was opened, with our answer or our offer. */
export interface OpenedSession {
  readonly id: string
  readonly type: "answer" | "counterOffer"
  readonly sdp: string
  readonly etag: string
  /** Until when a counter-offer waits for the player's answer. */
  readonly validUntil?: Date
  readonly hasVideo: boolean
}

/** What the WebRTC side works with. */
export interface WebRtcServiceOptions {
  readonly transport: WebRtcTransport
  readonly fanout: PacketFanout
  readonly registry: StreamRegistry
  readonly logger: Logger
  readonly nowMs: () => number
  /** What publishers may send, best first. */
  readonly videoCodecs: readonly VideoCodec[]
  readonly maxBitrateBps: number
  readonly startBitrateBps: number
  readonly catchUpBitrateBps: number
  readonly keyframeIntervalMs: number
  readonly onBug: (error: unknown) => void
}

/** Opens WHIP and WHEP sessions from offers, and ends them by id. */
export class WebRtcService {
  readonly #options: WebRtcServiceOptions
  readonly #sessions = new Map<string, WebRtcSession>()
  readonly #pumps = new WeakMap<LiveStream, StreamPumps>()
  #streamsSeen = 0

  constructor(options: WebRtcServiceOptions) {
    this.#options = options
  }

  /** WHIP. Throws `stream.busy`, `sdp.*`, `session.limit` and `gateway.closing`. */
  publish(request: OfferRequest): OpenedSession {
    const { stream: name, offerSdp, grant, source } = request
    const { videoCodecs } = this.#options
    const offer = parseOffer(offerSdp)
    return this.#open("whip", request, remoteParameters(offer), ({ peer, local, session }) => {
      const { sdp, media, remote } = answerPublish(offer, local, { codecs: videoCodecs })
      const publisher = new WhipPublisher({
        ...this.#options,
        peer,
        protocol: "whip",
        media,
        name,
        grant,
        endsOnBye: source !== undefined,
      })
      session.begin({ remote, media })
      const events: WebRtcPeerEvents = {
        connected: () => publisher.onConnected(),
        rtp: (packet) => publisher.onRtp(packet),
        rtcp: (compound) => publisher.onRtcp(compound),
        closed: (reason) => publisher.onClosed(reason),
      }
      return { type: "answer", sdp, events, hasVideo: media.some(({ kind }) => kind === "video") }
    })
  }

  /** WHEP. Throws `stream.not_live`, `sdp.*`, `session.limit` and `gateway.closing`. */
  play(request: OfferRequest): OpenedSession {
    const stream = this.#options.registry.find(request.stream)
    if (request.offerSdp === "" && request.acceptsCounterOffer) return this.#offer(request, stream)
    try {
      return this.#answer(request, stream)
    } catch (error) {
      const isMismatch = error instanceof GatewayError && error.code === "sdp.not_acceptable"
      if (isMismatch && request.acceptsCounterOffer) return this.#offer(request, stream)
      throw error
    }
  }

  find(id: string): WebRtcSession | undefined {
    return this.#sessions.get(id)
  }

  /** The session whose present logins these are. */
  findByUfrags({ local, remote }: { readonly local: string; readonly remote: string }): WebRtcSession | undefined {
    for (const session of this.#sessions.values()) {
      if (session.localUfrag === local && session.remoteUfrag === remote) return session
    }
    return undefined
  }

  /** Ends a session because its owner says so; false where there is none. */
  end(id: string): boolean {
    const session = this.#sessions.get(id)
    session?.end("ended by DELETE")
    return session !== undefined
  }

  #answer(request: OfferRequest, stream: LiveStream): OpenedSession {
    const { offerSdp } = request
    const offer = parseOffer(offerSdp)
    return this.#open("whep", request, remoteParameters(offer), ({ peer, local, session }) => {
      const { sdp, media, remote } = answerPlay(offer, local, localTracks(), this.#available(stream))
      const videoIndex = offer.media.findIndex(({ kind }) => kind === "video")
      const viewer = this.#addViewer(peer, media, videoIndex, stream, request)
      session.begin({ remote, media, viewer })
      const events: WebRtcPeerEvents = {
        connected: (keys) => viewer.onConnected(keys),
        rtcp: (compound) => viewer.onRtcp(compound),
        closed: (reason) => viewer.onClosed(reason),
      }
      return { type: "answer", sdp, events, hasVideo: media.some(({ kind }) => kind === "video") }
    })
  }

  /** Makes an offer to a player, draft-ietf-wish-whep section 4.3.2, which counts as a viewer once it has answered. */
  #offer(request: OfferRequest, stream: LiveStream): OpenedSession {
    const { grant } = request
    return this.#open("whep", request, undefined, ({ peer, local, session }) => {
      const available = this.#available(stream)
      const { sdp, pending } = createOffer(local, localTracks(), available)
      let viewer: WhepViewer | undefined
      session.awaitAnswer((answerSdp) => {
        const { media, remote } = acceptAnswer(pending, answerSdp)
        viewer = this.#addViewer(peer, media, pending.kinds.indexOf("video"), stream, request)
        return { remote, media, viewer }
      })
      const events: WebRtcPeerEvents = {
        connected: (keys) => viewer?.onConnected(keys),
        rtcp: (compound) => viewer?.onRtcp(compound),
        closed: (reason) => {
          const neverBegan = {
            sessionId: sessionLabel(peer.id),
            reason: describeClose(reason),
            durationMs: 0,
            bytes: 0,
          }
          if (viewer === undefined) grant.ended(neverBegan)
          else viewer.onClosed(reason)
        },
      }
      return { type: "counterOffer", sdp, events, hasVideo: available.video !== false }
    })
  }

  #addViewer(
    peer: WebRtcPeer,
    media: readonly AnsweredMedia[],
    videoIndex: number,
    stream: LiveStream,
    { grant, userAgent }: OfferRequest,
  ): WhepViewer {
    const pumps = this.#pumpsOf(stream)
    const needsPicturesInOrder = !reordersPictures(userAgent)
    return new WhepViewer({ ...this.#options, peer, media, videoIndex, stream, grant, pumps, needsPicturesInOrder })
  }

  #open(
    role: "whip" | "whep",
    { localAddress, source }: OfferRequest,
    remote: RemoteParameters | undefined,
    negotiate: (side: OurSide) => Negotiated,
  ): OpenedSession {
    // The session's own events are known only once the negotiation is over, which needs the peer.
    let events: WebRtcPeerEvents = {}
    const peer = this.#options.transport.open({
      ...(remote !== undefined && { remote }),
      events: {
        connected: (keys) => events.connected?.(keys),
        ...(role === "whip" && { rtp: (packet: Uint8Array) => events.rtp?.(packet) }),
        rtcp: (compound) => events.rtcp?.(compound),
        closed: (reason) => {
          this.#sessions.delete(peer.id)
          events.closed?.(reason)
        },
      },
    })
    try {
      const local = this.#describe(peer, localAddress)
      const session = new WebRtcSession({ role, peer, candidates: local.candidates, source: source?.path })
      const negotiated = negotiate({ peer, local, session })
      events = negotiated.events
      this.#sessions.set(session.id, session)
      if (source?.isTrusted) peer.trustPath(source.path)
      const { type, sdp, hasVideo } = negotiated
      const validUntil = new Date(Date.now() + ANSWER_TIMEOUT_MS)
      return { id: session.id, type, sdp, hasVideo, etag: session.etag, ...(type === "counterOffer" && { validUntil }) }
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

  /** What the stream has, which takes a while to tell. */
  #available(stream: LiveStream): AvailableMedia {
    const { audio, video } = stream.sources
    const isSoundOnly = audio !== undefined && video === undefined && stream.isSettled(this.#options.nowMs())
    const isMute = video === "packets" && audio === undefined
    return { audio: !isMute, video: isSoundOnly ? false : videoFacts(stream) }
  }

  #pumpsOf(stream: LiveStream): StreamPumps {
    let pumps = this.#pumps.get(stream)
    if (pumps === undefined) {
      pumps = new StreamPumps(stream, `${stream.name} ${++this.#streamsSeen}`, this.#options.fanout)
      this.#pumps.set(stream, pumps)
    }
    return pumps
  }
}

/** What a negotiation works with. */
interface OurSide {
  readonly peer: WebRtcPeer
  readonly local: LocalDescription
  readonly session: WebRtcSession
}

/** What it comes to. */
interface Negotiated {
  readonly type: OpenedSession["type"]
  readonly sdp: string
  readonly hasVideo: boolean
  readonly events: WebRtcPeerEvents
}

function remoteParameters({ remote: { fingerprints, dtlsRole, ufrag } }: Offer): RemoteParameters {
  return { fingerprints, dtlsRole, ufrag }
}

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
