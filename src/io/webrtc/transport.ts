import { createHmac, randomBytes, randomUUID } from "node:crypto"
import { GatewayError } from "../../errors.ts"
import type { SocketAddress } from "../../ice/ip-address.ts"
import { IceLiteResponder } from "../../ice/lite-responder.ts"
import { chooseCandidates, type HostCandidate, readInterfaces } from "./candidates.ts"
import { createIdentity, type DtlsIdentity } from "./identity.ts"
import { type PeerLimits, TransportPeer, type WebRtcPeer, type WebRtcPeerOptions } from "./transport-peer.ts"
import { type DatagramHandler, UdpPort, type UdpPortOptions } from "./udp-port.ts"

/** How the transport is set up. */
export interface WebRtcTransportOptions extends UdpPortOptions, PeerLimits {
  readonly maxSessions: number
  /** Addresses to announce before the machine's own, for example behind NAT. */
  readonly publicAddresses?: readonly string[]
  /** Milliseconds that only grow; tests hand in their own. */
  readonly nowMs?: () => number
  /** An error that nobody expected; the process lives on. */
  readonly onBug: (error: unknown) => void
  /** Takes datagrams that begin with 0xff. */
  readonly miniSdp?: DatagramHandler
}

/** Counters since the start. */
export interface WebRtcTransportStats {
  readonly sessions: number
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
  readonly sendErrors: number
}

/**
 * All WebRTC sessions of the gateway on one UDP port. ICE checks lead to a session by their ufrag; from then on the source address does,
 * and only addresses with an authenticated check reach DTLS and SRTP at all.
 */
export class WebRtcTransport {
  readonly identity: DtlsIdentity
  readonly #options: WebRtcTransportOptions
  readonly #responder = new IceLiteResponder<TransportPeer>((key, data) =>
    createHmac("sha1", key).update(data).digest(),
  )
  readonly #peers = new Set<TransportPeer>()
  readonly #bySource = new Map<string, TransportPeer>()
  readonly #counts = {
    checksAnswered: 0,
    checksRefused: 0,
    checksDropped: 0,
    unknownSourceDatagrams: 0,
    srtpDropped: 0,
  }
  #port: UdpPort | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosing = false

  private constructor(identity: DtlsIdentity, options: WebRtcTransportOptions) {
    this.identity = identity
    this.#options = options
  }

  /** Opens the port; throws `listen.failed`. */
  static async listen(options: WebRtcTransportOptions): Promise<WebRtcTransport> {
    const transport = new WebRtcTransport(await createIdentity(), options)
    transport.#port = await UdpPort.open(options, {
      stun: (datagram, source) => transport.#pushStun(datagram, source),
      dtls: (datagram, source) => transport.#pushDtls(datagram, source),
      srtp: (datagram, source) => transport.#pushSrtp(datagram, source),
      onBug: options.onBug,
      ...(options.miniSdp && { miniSdp: options.miniSdp }),
    })
    transport.#timer = setInterval(() => transport.checkTimeouts(), SWEEP_INTERVAL_MS)
    transport.#timer.unref()
    return transport
  }

  /** The port, also where the configuration asked for any. */
  get port(): number {
    return (this.#port as UdpPort).port
  }

  get stats(): WebRtcTransportStats {
    const { droppedDatagrams, sendErrors } = this.#port as UdpPort
    return { sessions: this.#peers.size, ...this.#counts, unknownDatagrams: droppedDatagrams, sendErrors }
  }

  /** What to announce in an answer, best first; `requestAddress` is our end of the HTTP connection, if known. */
  candidates(requestAddress?: string): HostCandidate[] {
    const { publicAddresses = [], hosts } = this.#options
    const interfaces = readInterfaces()
    return chooseCandidates({ publicAddresses, boundHosts: hosts, interfaces, requestAddress, port: this.port })
  }

  /** Opens a session; it waits for the peer's checks. Throws `session.limit` or `gateway.closing`. */
  open(options: WebRtcPeerOptions): WebRtcPeer {
    if (this.#isClosing) throw new GatewayError("gateway.closing", "the gateway is shutting down")
    if (this.#peers.size >= this.#options.maxSessions) {
      throw new GatewayError("session.limit", `there are ${this.#peers.size} WebRTC sessions already`)
    }
    const localUfrag = randomBytes(6).toString("base64") // its alphabet is just that of ICE
    const credentials = { id: randomUUID(), localUfrag, localPwd: randomBytes(24).toString("base64") }
    const host = {
      identity: this.identity,
      nowMs: () => this.#nowMs(),
      send: (datagram: Uint8Array, to: SocketAddress) => this.send(datagram, to),
      release: (peer: TransportPeer) => this.#release(peer),
      onBug: (error: unknown) => this.#options.onBug(error),
    }
    const peer = new TransportPeer(host, credentials, options)
    this.#responder.register({ ...credentials, remoteUfrag: options.remoteUfrag }, peer)
    this.#peers.add(peer)
    return peer
  }

  /** Sends a datagram that is already encrypted; its memory must stay as it is for a while. */
  readonly send = (datagram: Uint8Array, to: SocketAddress): void => {
    this.#port?.send(datagram, to)
  }

  /** Ends the sessions that are out of time; runs by itself, and tests call it with their own clock. */
  checkTimeouts(): void {
    for (const peer of this.#peers) peer.checkTimeout(this.#options)
  }

  /** Ends all sessions, with a goodbye, and closes the port. */
  async close(text: string): Promise<void> {
    this.#isClosing = true
    clearInterval(this.#timer)
    for (const peer of [...this.#peers]) peer.close(text)
    await this.#port?.close()
  }

  #pushStun(datagram: Uint8Array, source: SocketAddress): void {
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
    this.#route(keyOf(source), peer)
    this.#guard(peer, () => peer.pushCheck(source, outcome.selected))
  }

  /** Makes a source lead to the session whose check came from there last; each session has a few sources at most. */
  #route(key: string, peer: TransportPeer): void {
    const before = this.#bySource.get(key)
    if (before === peer) return
    before?.sources.delete(key)
    this.#bySource.set(key, peer)
    peer.sources.add(key)
    if (peer.sources.size <= MAX_SOURCES) return
    const selected = keyOf(peer.remote)
    for (const oldest of peer.sources) {
      if (oldest === selected || oldest === key) continue
      peer.sources.delete(oldest)
      this.#bySource.delete(oldest)
      return
    }
  }

  #pushDtls(datagram: Uint8Array, source: SocketAddress): void {
    const peer = this.#bySource.get(keyOf(source))
    if (peer) this.#guard(peer, () => peer.pushDtls(datagram))
    else this.#counts.unknownSourceDatagrams++
  }

  #pushSrtp(packet: Uint8Array, source: SocketAddress): void {
    const peer = this.#bySource.get(keyOf(source))
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

  #release(peer: TransportPeer): void {
    this.#peers.delete(peer)
    this.#responder.remove(peer.localUfrag)
    for (const key of peer.sources) this.#bySource.delete(key)
    peer.sources.clear()
  }

  #nowMs(): number {
    return this.#options.nowMs ? this.#options.nowMs() : performance.now()
  }
}

function keyOf({ address, port }: SocketAddress): string {
  return `${address} ${port}`
}

const SWEEP_INTERVAL_MS = 1_000
const MAX_SOURCES = 8
