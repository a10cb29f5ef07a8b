import { RateLimiter } from "../../access/rate-limit.ts"
import { GatewayError } from "../../errors.ts"
import { classifyDatagram } from "../../minisdp/datagram.ts"
import { type PendingRequest, type PendingStop, SignalingExchange } from "../../minisdp/exchange.ts"
import type { NetworkPath } from "../webrtc/remote-address.ts"
import type { WebRtcTransport } from "../webrtc/transport.ts"
import type { OfferRequest, OpenedSession, WebRtcService } from "../webrtc/webrtc-service.ts"
import type { WebRtcSession } from "../webrtc/webrtc-session.ts"
import { AddressCookies } from "./cookies.ts"
import { EarlyDatagrams } from "./early-datagrams.ts"
import { WorkBudget } from "./work-budget.ts"

/** An offer by UDP that somebody has to decide on. */
export interface OfferByUdp extends Omit<OfferRequest, "stream" | "grant"> {
  readonly action: "publish" | "play"
  /** `app/stream` as the client wrote it. */
  readonly stream: string
  readonly token: string | undefined
  readonly remoteAddress: string
}

/** What the server works with; the numbers are those of the section `minisdp` of the configuration. */
export interface MiniSdpServerOptions {
  readonly transport: Pick<WebRtcTransport, "port" | "send" | "receiveDtls">
  readonly webrtc: Pick<WebRtcService, "find" | "findByUfrags">
  /** Opens the session for those who may have it; throws what `WebRtcService` and access control throw. */
  readonly open: (offer: OfferByUdp) => Promise<OpenedSession>
  readonly requestsPerSecond: number
  readonly requestBurst: number
  readonly maxUncheckedSessions: number
  readonly nowMs: () => number
  /** An error that nobody expected. */
  readonly onBug: (error: unknown) => void
}

/** Counters since the start. */
export interface MiniSdpServerStats {
  /** Datagrams beyond what their source may send, or all sources together. */
  rateLimited: number
  /** Offers that became sessions. */
  accepted: number
  refused: number
  /** Sessions that began without a check, by a cookie. */
  trusted: number
  stopped: number
}

/** WHIP and WHEP by datagrams: joins the exchange to the port, to access control and to the sessions. docs/minisdp-signaling.md. */
export class MiniSdpServer {
  readonly stats: MiniSdpServerStats = { rateLimited: 0, accepted: 0, refused: 0, trusted: 0, stopped: 0 }
  readonly #options: MiniSdpServerOptions
  readonly #exchange = new SignalingExchange(EXCHANGE_LIMITS)
  readonly #cookies = new AddressCookies()
  readonly #early = new EarlyDatagrams()
  readonly #rateLimiter: RateLimiter
  readonly #work = new WorkBudget({ share: WORK_SHARE, burstMs: WORK_BURST_MS })
  /** Sessions whose clients have shown nothing, oldest first, and some that have since. */
  readonly #unchecked = new Set<WebRtcSession>()

  constructor(options: MiniSdpServerOptions) {
    this.#options = options
    const { requestsPerSecond: perSecond, requestBurst: burst } = options
    this.#rateLimiter = new RateLimiter({ perSecond, burst, maxSources: MAX_RATE_LIMITED_SOURCES })
  }

  /** Takes a datagram of the MiniSDP family, which is the server's own then. */
  push(datagram: Uint8Array, source: NetworkPath): void {
    const { transport, nowMs } = this.#options
    if (source.transport !== "udp") return
    // Two gateways that are told to ask each other would go on for ever: detect packets are answered by themselves.
    if (source.port === transport.port && classifyDatagram(datagram) === "detect") return
    const startMs = nowMs()
    if (!this.#rateLimiter.take(source.address, startMs).ok || !this.#work.hasTime(startMs)) {
      this.stats.rateLimited++
      return
    }
    const event = this.#exchange.push(datagram, source, startMs)
    this.#work.spend(nowMs() - startMs)
    if (event?.type === "send") transport.send(event.datagram, source)
    else if (event?.type === "stopRequested") this.#stop(event.stop, source)
    else if (event?.type === "sessionRequested") void this.#decide(event.request, source)
  }

  /** Takes DTLS from a source without a session; false where it is not kept for one. */
  keepDtls(datagram: Uint8Array, source: NetworkPath): boolean {
    return this.#early.keep(datagram, source)
  }

  async #decide(request: PendingRequest, source: NetworkPath): Promise<void> {
    const { transport, nowMs, onBug } = this.#options
    let answer: Uint8Array | undefined
    try {
      answer = await this.#accept(request, source)
      this.stats.accepted++
    } catch (error) {
      if (!(error instanceof GatewayError)) onBug(error)
      this.stats.refused++
      const told = error instanceof GatewayError ? error : new GatewayError("sdp.unsupported", "internal error")
      const cookie = error instanceof CookieNeededError ? this.#cookies.give(source.address, nowMs()) : undefined
      answer = this.#exchange.refuse(request, told, nowMs(), cookie)
    }
    if (answer) transport.send(answer, source)
    // In this order: what is answered to the handshake shall come after the fingerprint to check it by.
    for (const datagram of this.#early.take(source)) transport.receiveDtls(datagram, source)
  }

  async #accept(request: PendingRequest, source: NetworkPath): Promise<Uint8Array> {
    const { open, webrtc, nowMs } = this.#options
    const { action, stream, token, cookie, wantsMediaAtOnce, offerSdp } = request.session
    const isKnown = this.#cookies.isValid(cookie, source.address, nowMs())
    if (!isKnown) this.#makeRoom(request)
    const isTrusted = isKnown && wantsMediaAtOnce
    if (isTrusted) this.#early.expect(source)
    const opened = await open({
      action,
      stream,
      token,
      offerSdp,
      localAddress: undefined,
      remoteAddress: source.address,
      acceptsCounterOffer: false,
      source: { path: source, isTrusted },
    })
    const session = webrtc.find(opened.id)
    try {
      const { sdp, id: sessionId } = opened
      const isSourceTrusted = isTrusted && session?.hasAddress === true
      const nextCookie = this.#cookies.give(source.address, nowMs())
      const answer = this.#exchange.answer(request, { sdp, sessionId, cookie: nextCookie, isSourceTrusted }, nowMs())
      if (isSourceTrusted) this.stats.trusted++
      else if (session && !isKnown) this.#unchecked.add(session)
      return answer
    } catch (error) {
      session?.end("its answer could not be sent")
      throw error
    }
  }

  /**
   * An offer costs nothing, and its source may be forged: it shall not be possible to fill the gateway with sessions for which nobody is there.
   * Where too many are open, a cookie shows that somebody is; the public form has none, so there the oldest of them makes room, whose client has
   * had the most time. Throws `session.limit`.
   */
  #makeRoom({ packet: { form } }: PendingRequest): void {
    const { maxUncheckedSessions, webrtc } = this.#options
    const isFull = () => this.#unchecked.size + this.#exchange.pendingRequests > maxUncheckedSessions
    if (!isFull()) return
    for (const session of this.#unchecked) {
      if (session.hasAddress || webrtc.find(session.id) === undefined) this.#unchecked.delete(session)
    }
    if (!isFull()) return
    if (form === "lossless") throw new CookieNeededError()
    const [oldest] = this.#unchecked
    if (oldest === undefined) throw new GatewayError("session.limit", "too many offers are being decided on")
    this.#unchecked.delete(oldest)
    oldest.end("nothing came from its client, and others wait")
  }

  /** Only who knows the session's secrets and is where its client is ends it. */
  #stop(stop: PendingStop, source: NetworkPath): void {
    const { webrtc, transport, nowMs } = this.#options
    const { target } = stop
    const session = target.type === "id" ? webrtc.find(target.sessionId) : webrtc.findByUfrags(target)
    const isTheirs = session?.isFrom(source) === true
    if (isTheirs) {
      session.end("ended by a stop packet")
      this.stats.stopped++
    }
    const answer = this.#exchange.stopped(stop, isTheirs, nowMs())
    if (answer) transport.send(answer, source)
  }
}

class CookieNeededError extends GatewayError {
  constructor() {
    super("session.limit", "many sessions wait for their clients: come again with the cookie of this answer")
  }
}

const EXCHANGE_LIMITS = { maxPending: 256, maxAnswers: 4_096, answerTtlMs: 15_000 }
/** Room for some hundred offers a second; who is not heard then comes again, or comes by HTTP. */
const WORK_SHARE = 0.25
const WORK_BURST_MS = 250
const MAX_RATE_LIMITED_SOURCES = 10_000
