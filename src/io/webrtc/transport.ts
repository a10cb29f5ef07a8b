import { createHmac } from "node:crypto"
import { GatewayError } from "../../errors.ts"
import { IceLiteResponder } from "../../ice/lite-responder.ts"
import { classifyDatagram } from "../../minisdp/datagram.ts"
import type { LocalCandidate } from "../../sdp/serialize.ts"
import { chooseCandidates, readInterfaces } from "./candidates.ts"
import type { DatagramHandler } from "./datagram.ts"
import { createIceLogin } from "./ice-credentials.ts"
import { createIdentity, type DtlsIdentity } from "./identity.ts"
import { PathTable } from "./path-table.ts"
import type { NetworkPath } from "./remote-address.ts"
import { type CandidateCheck, checkCandidate } from "./self-test.ts"
import type { OpenAead } from "./srtp/gcm.ts"
import type { SrtpProfile } from "./srtp/keys.ts"
import { TcpPort, type TcpPortHandlers } from "./tcp-port.ts"
import { type PeerLimits, TransportPeer, type WebRtcPeer, type WebRtcPeerOptions } from "./transport-peer.ts"
import { UdpPort, type UdpPortOptions } from "./udp-port.ts"

/** How the transport is set up. */
export interface WebRtcTransportOptions extends UdpPortOptions, Omit<PeerLimits, "answerTimeoutMs"> {
  readonly maxSessions: number
  /** SRTP profiles, the best first; what costs TypeScript least if left out. */
  readonly profiles?: readonly SrtpProfile[] | undefined
  /** AES-GCM for RTCP and for what publishers send; that of node:crypto if left out. */
  readonly openAead?: OpenAead | undefined
  /** TCP on the same port number for peers that UDP does not reach. */
  readonly tcp?: boolean
  /** Output that may wait for a slow peer on TCP, in bytes. */
  readonly tcpQueueMaxBytes?: number
  /** Addresses to announce before the machine's own, for example behind NAT. */
  readonly publicAddresses?: readonly string[]
  /** Milliseconds that only grow; tests hand in their own. */
  readonly nowMs?: () => number
  /** An error that nobody expected; the process lives on. */
  readonly onBug: (error: unknown) => void
  /** Takes MiniSDP by UDP: datagrams that begin with 0xff, and those that come as STUN messages. */
  readonly miniSdp?: DatagramHandler
  /** Is shown DTLS from an address that leads to no session; true where it is kept until one does. */
  readonly earlyDtls?: (datagram: Uint8Array, source: NetworkPath) => boolean
}

/** Counters since the start. */
export interface WebRtcTransportStats {
  readonly sessions: number
  /** ICE logins that are accepted: one for each session, two while it waits for the first check after a restart. */
  readonly logins: number
  readonly checksAnswered: number
  /** Checks that named a session but did not pass. */
  readonly checksRefused: number
  /** STUN that named no session, was malformed, or needed no answer. */
  readonly checksDropped: number
  /** DTLS and SRTP from an address that no check has authenticated. */
  readonly unknownSourceDatagrams: number
  /** SRTP that was forged, replayed or malformed, or whose content the session could not use. */
  readonly srtpDropped: number
  /** Datagrams that are nothing of this. */
  readonly unknownDatagrams: number
  /** Datagrams that the system or a slow TCP peer did not take. */
  readonly sendErrors: number
  readonly tcpConnections: number
  /** TCP connections that were refused, or closed without an authenticated check. */
  readonly tcpRefused: number
}

/**
 * All WebRTC sessions of the gateway on one port number, UDP and TCP. ICE checks lead to a session by their ufrag; from then on the source address does,
 * and only addresses with an authenticated check reach DTLS and SRTP at all.
 */
export class WebRtcTransport {
  readonly identity: DtlsIdentity
  readonly #options: WebRtcTransportOptions
  readonly #responder = new IceLiteResponder<TransportPeer | undefined>(hmacSha1)
  readonly #peers = new Set<TransportPeer>()
  readonly #paths = new PathTable<TransportPeer>()
  readonly #counts = {
    checksAnswered: 0,
    checksRefused: 0,
    checksDropped: 0,
    unknownSourceDatagrams: 0,
    srtpDropped: 0,
  }
  #udp: UdpPort | undefined
  #tcp: TcpPort | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosing = false

  private constructor(identity: DtlsIdentity, options: WebRtcTransportOptions) {
    this.identity = identity
    this.#options = options
  }

  /** Opens the ports; throws `listen.failed`. */
  static async listen(options: WebRtcTransportOptions): Promise<WebRtcTransport> {
    const transport = new WebRtcTransport(await createIdentity(), options)
    await transport.#openPorts()
    transport.#timer = setInterval(() => transport.checkTimeouts(), SWEEP_INTERVAL_MS)
    transport.#timer.unref()
    return transport
  }

  /** The port, also where the configuration asked for any. */
  get port(): number {
    return (this.#udp as UdpPort).port
  }

  /** Of the UDP port, see `UdpPort.descriptors`. */
  get descriptors(): UdpPort["descriptors"] {
    return (this.#udp as UdpPort).descriptors
  }

  get stats(): WebRtcTransportStats {
    const udp = this.#udp as UdpPort
    return {
      sessions: this.#peers.size,
      logins: this.#responder.size,
      ...this.#counts,
      unknownDatagrams: udp.droppedDatagrams + (this.#tcp?.droppedDatagrams ?? 0),
      sendErrors: udp.sendErrors + (this.#tcp?.sendErrors ?? 0),
      tcpConnections: this.#tcp?.connectionCount ?? 0,
      tcpRefused: this.#tcp?.refusedConnections ?? 0,
    }
  }

  /** What to announce in an answer, best first; `requestAddress` is our end of the HTTP connection, if known. */
  candidates(requestAddress?: string): LocalCandidate[] {
    const { hosts: boundHosts, port } = this.#udp as UdpPort
    const { publicAddresses = [] } = this.#options
    const interfaces = readInterfaces()
    const hasTcp = this.#tcp !== undefined
    return chooseCandidates({ publicAddresses, boundHosts, interfaces, requestAddress, port, hasTcp })
  }

  /** Sends each announced candidate a check from another socket and says which ones were answered; takes a second at most. */
  async selfTest(): Promise<CandidateCheck[]> {
    const { ufrag, pwd } = createIceLogin()
    this.#responder.register({ localUfrag: ufrag, localPwd: pwd }, undefined)
    try {
      const checks = this.candidates().map((candidate) => checkCandidate(candidate, { ufrag, pwd }, hmacSha1))
      const results = await Promise.all(checks)
      return this.#isClosing ? [] : results
    } finally {
      this.#responder.remove(ufrag)
    }
  }

  /**
   * Opens a session; it waits for the peer's checks, and without `remote` also for `setRemote`, for `ANSWER_TIMEOUT_MS` at most. Throws
   * `session.limit` or `gateway.closing`.
   */
  open(options: WebRtcPeerOptions): WebRtcPeer {
    if (this.#isClosing) throw new GatewayError("gateway.closing", "the gateway is shutting down")
    if (this.#peers.size >= this.#options.maxSessions) {
      throw new GatewayError("session.limit", `there are ${this.#peers.size} WebRTC sessions already`)
    }
    const host = {
      identity: this.identity,
      profiles: this.#options.profiles,
      openAead: this.#options.openAead,
      responder: this.#responder,
      nowMs: () => this.#nowMs(),
      send: this.send,
      claim: (path: NetworkPath, peer: TransportPeer) => this.#claim(path, peer),
      release: (peer: TransportPeer) => this.#release(peer),
      onBug: (error: unknown) => this.#options.onBug(error),
    }
    const peer = new TransportPeer(host, options)
    this.#peers.add(peer)
    return peer
  }

  /** Sends a datagram that is already encrypted; its memory must stay as it is for a while. */
  readonly send = (datagram: Uint8Array, to: NetworkPath): void => {
    if (to.connection === undefined) this.#udp?.send(datagram, to)
    else to.connection.send(datagram)
  }

  /** Takes DTLS that was kept for a session which is there now. */
  receiveDtls(datagram: Uint8Array, source: NetworkPath): void {
    this.#pushDtls(datagram, source)
  }

  /** Ends the sessions that are out of time; runs by itself, and tests call it with their own clock. */
  checkTimeouts(): void {
    const limits = { ...this.#options, answerTimeoutMs: ANSWER_TIMEOUT_MS }
    for (const peer of this.#peers) peer.checkTimeout(limits)
    this.#tcp?.checkTimeouts()
  }

  /** Ends all sessions, with a goodbye, and closes the ports. */
  async close(text: string): Promise<void> {
    this.#isClosing = true
    clearInterval(this.#timer)
    for (const peer of [...this.#peers]) peer.close(text)
    await Promise.all([this.#udp?.close(), this.#tcp?.close()])
  }

  /** Where any port will do, the system chooses one that is free for UDP, and TCP or the other family may find it taken. */
  async #openPorts(): Promise<void> {
    const options = this.#options
    const handlers: TcpPortHandlers = {
      stun: (datagram, source) => this.#pushStun(datagram, source),
      dtls: (datagram, source) => this.#pushDtls(datagram, source),
      srtp: (datagram, source) => this.#pushSrtp(datagram, source),
      closed: (path) => this.#paths.delete(path)?.forgetPath(path),
      onBug: options.onBug,
      ...(options.miniSdp && { miniSdp: options.miniSdp }),
    }
    for (let attempt = 1; ; attempt++) {
      try {
        this.#udp = await UdpPort.open(options, handlers)
        if (options.tcp !== false) this.#tcp = await this.#openTcp(handlers)
        return
      } catch (error) {
        await this.#udp?.close()
        if (options.port !== 0 || attempt === MAX_PORT_ATTEMPTS) throw error
      }
    }
  }

  #openTcp(handlers: TcpPortHandlers): Promise<TcpPort> {
    const { hosts, port } = this.#udp as UdpPort
    const { maxSessions, tcpQueueMaxBytes = TCP_QUEUE_BYTES } = this.#options
    const limits = {
      maxConnections: maxSessions + SPARE_TCP_CONNECTIONS,
      maxWaitingPerAddress: MAX_WAITING_PER_ADDRESS,
      checkTimeoutMs: TCP_CHECK_TIMEOUT_MS,
      idleTimeoutMs: TCP_IDLE_TIMEOUT_MS,
      maxQueueBytes: tcpQueueMaxBytes,
    }
    return TcpPort.open({ hosts, port, ...limits, nowMs: () => this.#nowMs() }, handlers)
  }

  #pushStun(datagram: Uint8Array, source: NetworkPath): void {
    const { miniSdp } = this.#options
    // It has no login that ICE could know.
    if (miniSdp && source.transport === "udp" && classifyDatagram(datagram) !== undefined) {
      miniSdp(datagram, source)
      return
    }
    const outcome = this.#responder.push(datagram, source)
    if (outcome.type === "dropped") {
      this.#counts.checksDropped++
      return
    }
    this.send(outcome.response, source)
    if (outcome.type === "refused") {
      this.#counts.checksRefused++
      return
    }
    this.#counts.checksAnswered++
    const peer = outcome.session
    if (!peer) return // our own check
    this.#tcp?.authenticate(source)
    this.#paths.set(source, peer)
    this.#guard(peer, () => peer.pushCheck(source, outcome.localUfrag, outcome.selected))
  }

  #pushDtls(datagram: Uint8Array, source: NetworkPath): void {
    const peer = this.#paths.find(source)
    if (peer) this.#guard(peer, () => peer.pushDtls(datagram))
    else if (this.#options.earlyDtls?.(datagram, source) !== true) this.#counts.unknownSourceDatagrams++
  }

  #pushSrtp(packet: Uint8Array, source: NetworkPath): void {
    const peer = this.#paths.find(source)
    if (!peer) {
      this.#counts.unknownSourceDatagrams++
      return
    }
    try {
      peer.pushSrtp(packet)
    } catch (error) {
      if (!(error instanceof GatewayError)) {
        peer.fail(error)
        return
      }
      peer.stats.droppedPackets++
      this.#counts.srtpDropped++
    }
  }

  #guard(peer: TransportPeer, action: () => void): void {
    try {
      action()
    } catch (error) {
      peer.fail(error)
    }
  }

  /** Only a check may take a source from another session: whoever knows no login of ours could have forged the source. */
  #claim(path: NetworkPath, peer: TransportPeer): boolean {
    if ((this.#paths.find(path) ?? peer) !== peer) return false
    this.#paths.set(path, peer)
    return true
  }

  #release(peer: TransportPeer): void {
    this.#peers.delete(peer)
    this.#paths.release(peer)
  }

  #nowMs(): number {
    return this.#options.nowMs ? this.#options.nowMs() : performance.now()
  }
}

function hmacSha1(key: Uint8Array, data: Uint8Array): Uint8Array {
  return createHmac("sha1", key).update(data).digest()
}

/** So long a session waits for the answer to our offer. */
export const ANSWER_TIMEOUT_MS = 30_000

const SWEEP_INTERVAL_MS = 1_000
const MAX_PORT_ATTEMPTS = 10
const TCP_QUEUE_BYTES = 512 * 1024
const TCP_CHECK_TIMEOUT_MS = 5_000
/** Browsers check a path in reserve every 25 s. */
const TCP_IDLE_TIMEOUT_MS = 60_000
const SPARE_TCP_CONNECTIONS = 256
const MAX_WAITING_PER_ADDRESS = 32
