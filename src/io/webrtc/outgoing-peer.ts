import { createHmac, randomBytes, randomUUID } from "node:crypto"
import { GatewayError } from "../../errors.ts"
import { type AgentEvent, type AgentLogin, ControllingAgent } from "../../ice/controlling-agent.ts"
import { pathKey, type TransportAddress } from "../../ice/ip-address.ts"
import { isRtcp } from "../../rtp/packet.ts"
import { DtlsSession } from "./dtls-session.ts"
import type { Fingerprint } from "./dtls-verify.ts"
import { createIceLogin } from "./ice-credentials.ts"
import type { DtlsIdentity } from "./identity.ts"
import { RemoteAddress } from "./remote-address.ts"
import type { OpenAead } from "./srtp/gcm.ts"
import type { SrtpKeys } from "./srtp/keys.ts"
import { SrtcpSession } from "./srtp/srtcp.ts"
import { createUnprotector, type SrtpUnprotector } from "./srtp/unprotect.ts"
import type {
  PeerCloseReason,
  PeerLimits,
  RemoteParameters,
  WebRtcPeerEvents,
  WebRtcPeerStats,
} from "./transport-peer.ts"
import { UdpPort } from "./udp-port.ts"

/** What the gateway's answer says of its side of the transport. */
export interface OutgoingRemote extends RemoteParameters {
  readonly pwd: string
  /** UDP addresses of our family, best first; never empty. */
  readonly candidates: readonly TransportAddress[]
  /** What signalling took, if it is known: a check is sent again after twice that. */
  readonly roundTripMs?: number
  /** The gateway has got the ClientHello of `beginHandshake`. */
  readonly hasHello?: boolean
}

/** What a session of ours reports. */
export interface OutgoingPeerEvents extends WebRtcPeerEvents {
  /** The session ends; `send` works for the last time. */
  closing?(): void
}

/** How a session of ours is opened. */
export interface OutgoingPeerOptions {
  readonly family: 4 | 6
  readonly identity: DtlsIdentity
  /** AES-GCM for what comes; that of node:crypto if left out. */
  readonly openAead?: OpenAead | undefined
  readonly events: OutgoingPeerEvents
  readonly limits: Pick<PeerLimits, "connectTimeoutMs" | "idleTimeoutMs">
  /** Takes datagrams that begin with 0xff: answers to offers that went out by `send`. */
  readonly onSignal?: (datagram: Uint8Array, source: TransportAddress) => void
  /** An error that nobody expected. */
  readonly onBug: (error: unknown) => void
  readonly nowMs?: () => number
}

/**
 * A session that we begin as a client, on a UDP socket of its own: the controlling side of ICE, DTLS in either role, SRTP in and
 * SRTCP both ways. Nothing waits for a round trip that is not needed: the ClientHello goes out with the first check, or even with the
 * offer, a ClientHello of the gateway's is taken with its answer, and media is kept for the moment in which the keys come.
 */
export class OutgoingPeer {
  readonly id = randomUUID()
  readonly remote = new RemoteAddress()
  readonly stats: WebRtcPeerStats = { receivedPackets: 0, receivedBytes: 0, droppedPackets: 0 }
  readonly #options: OutgoingPeerOptions
  readonly #login: AgentLogin = createIceLogin()
  readonly #port: UdpPort
  readonly #sweep: NodeJS.Timeout
  #candidateKeys: ReadonlySet<string> = new Set()
  #agent: ControllingAgent | undefined
  #agentTimer: NodeJS.Timeout | undefined
  readonly #fingerprints: Fingerprint[] = []
  #dtls: DtlsSession | undefined
  #earlyHello: Uint8Array | undefined
  #keys: SrtpKeys | undefined
  #unprotector: SrtpUnprotector | undefined
  #srtcp: SrtcpSession | undefined
  /** What came before the answer or the keys that it needs, oldest first. */
  #early: { readonly kind: "dtls" | "srtp"; readonly datagram: Uint8Array; readonly source: TransportAddress }[] = []
  #lastHeardMs: number
  #isEnding = false
  #isEnded = false

  private constructor(options: OutgoingPeerOptions, port: UdpPort) {
    this.#options = options
    this.#port = port
    this.#lastHeardMs = this.#nowMs()
    this.#sweep = setInterval(() => this.#checkTimeout(), SWEEP_INTERVAL_MS)
  }

  /** Opens the socket. Throws `listen.failed`. */
  static async open(options: OutgoingPeerOptions): Promise<OutgoingPeer> {
    const port = await UdpPort.open(
      { hosts: [options.family === 4 ? "0.0.0.0" : "::"], port: 0 },
      {
        stun: (datagram, source) => opened.#onStun(datagram, source),
        dtls: (datagram, source) => opened.#onDtls(datagram, source),
        srtp: (packet, source) => opened.#onSrtp(packet, source),
        miniSdp: (datagram, source) => options.onSignal?.(datagram, source),
        onBug: (error) => opened.#fail(error),
      },
    )
    const opened: OutgoingPeer = new OutgoingPeer(options, port)
    return opened
  }

  get localUfrag(): string {
    return this.#login.ufrag
  }

  get localPwd(): string {
    return this.#login.pwd
  }

  /** The port of our socket. */
  get localPort(): number {
    return this.#port.port
  }

  /** Sends a datagram of signalling. */
  send(datagram: Uint8Array, to: TransportAddress): void {
    if (!this.#isEnded) this.#port.send(datagram, to)
  }

  /**
   * Begins the handshake as DTLS client before there is an answer, and returns the ClientHello, which goes out behind the offer: for gateways
   * that take it from an address that they know already. The peer's certificate is judged at the end, by the answer.
   */
  beginHandshake(): Uint8Array | undefined {
    this.#dtls ??= this.#openDtls("client")
    this.#dtls.start()
    return this.#earlyHello
  }

  /** The gateway's answer, once: checks and handshake begin. */
  setRemote(remote: OutgoingRemote): void {
    if (this.#agent) throw new Error("the gateway's answer is there already")
    if (this.#isEnded) return
    const { candidates, fingerprints, dtlsRole, ufrag, pwd, roundTripMs, hasHello } = remote
    this.#fingerprints.push(...fingerprints)
    this.#lastHeardMs = this.#nowMs()
    this.#candidateKeys = new Set(candidates.map(pathKey))
    this.remote.moveTo(candidates[0] as TransportAddress)
    this.#agent = new ControllingAgent({
      local: this.#login,
      remote: { ufrag, pwd },
      candidates,
      hmacSha1,
      randomBytes,
      ...(roundTripMs !== undefined && { rtoMs: Math.min(MAX_RTO_MS, Math.max(MIN_RTO_MS, 2 * roundTripMs)) }),
    })
    this.#act(this.#agent.start(this.#nowMs()))
    const begun = dtlsRole === "client" ? this.#dtls : undefined
    if (begun === undefined) {
      this.#dtls?.close()
      this.#dtls = this.#openDtls(dtlsRole)
      this.#dtls.start()
    } else if (!hasHello) begun.repeatHello()
    this.#takeEarly("dtls")
    // One of the two datagrams in front may have been lost.
    const repeatMs = Math.max(MIN_RTO_MS, 1.5 * (roundTripMs ?? MAX_RTO_MS / 10))
    for (const delayMs of [repeatMs, 3 * repeatMs]) setTimeout(() => this.#dtls?.repeatHello(), delayMs)
  }

  /** Encrypts and sends a compound RTCP packet; nothing happens before `connected` and after the end. */
  sendRtcp(compound: Uint8Array): void {
    if (this.#srtcp && !this.#isEnded) this.#port.send(this.#srtcp.protect(compound), this.remote)
  }

  /** Says goodbye and ends the session; the text is for the log. */
  close(text: string): void {
    this.#end({ type: "closedByUs", text })
  }

  #onStun(datagram: Uint8Array, source: TransportAddress): void {
    if (this.#agent) this.#act(this.#agent.push(datagram, source, this.#nowMs()))
  }

  #onDtls(datagram: Uint8Array, source: TransportAddress): void {
    if (this.#isEnded) return
    if (!this.#agent) this.#keepEarly("dtls", datagram, source)
    else if (this.#candidateKeys.has(pathKey(source))) this.#dtls?.push(datagram)
  }

  /** Throws nothing that is the peer's doing: what is not authentic is dropped and counted. */
  #onSrtp(packet: Uint8Array, source: TransportAddress): void {
    if (this.#isEnded) return
    if (!this.#keys || !this.#srtcp) {
      this.#keepEarly("srtp", packet, source)
      return
    }
    try {
      if (isRtcp(packet)) {
        const compound = this.#srtcp.unprotect(packet)
        this.#count(packet)
        this.#options.events.rtcp?.(compound)
      } else {
        this.#unprotector ??= createUnprotector(this.#keys.remote, this.#options.openAead)
        const plain = this.#unprotector.unprotect(packet)
        this.#count(packet)
        this.#options.events.rtp?.(plain)
      }
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      this.stats.droppedPackets++
    }
  }

  #openDtls(role: "server" | "client"): DtlsSession {
    return new DtlsSession(
      { identity: this.#options.identity, role, fingerprints: this.#fingerprints, helloRepeatsMs: [] },
      {
        send: (datagram) => {
          this.#earlyHello ??= datagram
          if (this.remote.isKnown) this.#port.send(datagram, this.remote)
        },
        connected: (keys) => this.#connect(keys),
        failed: (error) => this.#end({ type: "failed", error }),
        closed: () => this.#end({ type: "closedByPeer" }),
      },
    )
  }

  #connect(keys: SrtpKeys): void {
    this.#keys = keys
    this.#srtcp = new SrtcpSession(keys, this.#options.openAead)
    this.#lastHeardMs = this.#nowMs()
    this.#guard(() => this.#options.events.connected?.(keys))
    this.#takeEarly("srtp")
  }

  #keepEarly(kind: "dtls" | "srtp", datagram: Uint8Array, source: TransportAddress): void {
    if (this.#early.length < MAX_EARLY) this.#early.push({ kind, datagram, source })
  }

  #takeEarly(kind: "dtls" | "srtp"): void {
    const due = this.#early.filter((early) => early.kind === kind)
    this.#early = this.#early.filter((early) => early.kind !== kind)
    for (const { datagram, source } of due) {
      this.#guard(() => (kind === "dtls" ? this.#onDtls(datagram, source) : this.#onSrtp(datagram, source)))
    }
  }

  #act(events: readonly AgentEvent[]): void {
    for (const event of events) {
      if (event.type === "send") this.#port.send(event.datagram, event.to)
      else if (event.type === "selected") this.remote.moveTo(event.path)
      else this.#end({ type: "failed", error: new GatewayError("stun.message", event.text) })
    }
    clearTimeout(this.#agentTimer)
    const dueMs = this.#agent?.nextTimeoutMs ?? Number.POSITIVE_INFINITY
    if (this.#isEnded || dueMs === Number.POSITIVE_INFINITY) return
    this.#agentTimer = setTimeout(() => this.#onAgentTimeout(), Math.max(0, dueMs - this.#nowMs()))
  }

  #onAgentTimeout(): void {
    if (this.#agent && !this.#isEnded) this.#act(this.#agent.onTimeout(this.#nowMs()))
  }

  #count(packet: Uint8Array): void {
    this.#lastHeardMs = this.#nowMs()
    this.stats.receivedPackets++
    this.stats.receivedBytes += packet.length
  }

  #checkTimeout(): void {
    const { connectTimeoutMs, idleTimeoutMs } = this.#options.limits
    const idleMs = this.#nowMs() - this.#lastHeardMs
    if (this.#keys) {
      if (idleMs >= idleTimeoutMs) this.#end({ type: "silent", idleMs })
    } else if (idleMs >= connectTimeoutMs) {
      const text = `not connected after ${connectTimeoutMs} ms`
      this.#end({ type: "failed", error: new GatewayError("dtls.handshake", text) })
    }
  }

  #guard(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    if (error instanceof GatewayError) {
      this.#end({ type: "failed", error })
      return
    }
    this.#options.onBug(error)
    this.#end({ type: "bug", error })
  }

  #end(reason: PeerCloseReason): void {
    if (this.#isEnded || this.#isEnding) return
    this.#isEnding = true
    this.#options.events.closing?.()
    this.#dtls?.close()
    this.#isEnded = true
    this.#early = []
    clearInterval(this.#sweep)
    clearTimeout(this.#agentTimer)
    void this.#port.close()
    try {
      this.#options.events.closed?.(reason)
    } catch (error) {
      this.#options.onBug(error)
    }
  }

  #nowMs(): number {
    return this.#options.nowMs ? this.#options.nowMs() : performance.now()
  }
}

function hmacSha1(key: Uint8Array, data: Uint8Array): Uint8Array {
  return createHmac("sha1", key).update(data).digest()
}

const SWEEP_INTERVAL_MS = 250
/** The beginning of a stream comes as a burst. */
const MAX_EARLY = 512
const MIN_RTO_MS = 50
const MAX_RTO_MS = 500
