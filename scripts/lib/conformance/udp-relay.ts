import { createSocket, type Socket } from "node:dgram"
import type { UdpAddress } from "./stun-probe.ts"

/** What came from a server, told apart by the first byte (RFC 7983) and the second one (RFC 5761). */
export interface Traffic {
  stun: number
  dtls: number
  rtcp: number
  /** RTP packets by payload type, which SRTP leaves readable. */
  readonly rtp: Map<number, number>
}

/** Stands between a peer and a server: it sees what passes, and can cut the line without a word to either. */
export class UdpRelay {
  readonly fromServer: Traffic = { stun: 0, dtls: 0, rtcp: 0, rtp: new Map() }
  readonly #server: UdpAddress
  readonly #inner: Socket = createSocket("udp4")
  readonly #outer: Socket
  #peerPort: number | undefined
  #isCut = false

  private constructor(server: UdpAddress) {
    this.#server = server
    this.#outer = createSocket(server.family)
  }

  /** Opens a relay to a server's candidate. */
  static async open(server: UdpAddress): Promise<UdpRelay> {
    const relay = new UdpRelay(server)
    for (const socket of [relay.#inner, relay.#outer]) socket.on("error", () => undefined)
    relay.#inner.on("message", (datagram, { port }) => relay.#onPeer(datagram, port))
    relay.#outer.on("message", (datagram) => relay.#onServer(datagram))
    await new Promise<void>((resolve) => relay.#inner.bind(0, LOOPBACK, resolve))
    await new Promise<void>((resolve) => relay.#outer.bind(0, resolve))
    return relay
  }

  /** The candidate that the peer is told in place of the server's. */
  get candidate(): string {
    return `1 1 udp 2130706431 ${LOOPBACK} ${this.#inner.address().port} typ host`
  }

  /** Lets nothing pass any more. */
  cut(): void {
    this.#isCut = true
  }

  close(): void {
    this.cut()
    this.#inner.close()
    this.#outer.close()
  }

  #onPeer(datagram: Buffer, port: number): void {
    this.#peerPort = port
    if (!this.#isCut) this.#outer.send(datagram, this.#server.port, this.#server.host, () => undefined)
  }

  #onServer(datagram: Buffer): void {
    if (this.#isCut || this.#peerPort === undefined) return
    this.#count(datagram)
    this.#inner.send(datagram, this.#peerPort, LOOPBACK, () => undefined)
  }

  #count([first = 0, second = 0]: Buffer): void {
    const traffic = this.fromServer
    if (first < 4) traffic.stun++
    else if (first >= 20 && first < 64) traffic.dtls++
    else if (first >= 128 && second >= 192 && second < 224) traffic.rtcp++
    else if (first >= 128) traffic.rtp.set(second & 0x7f, (traffic.rtp.get(second & 0x7f) ?? 0) + 1)
  }
}

const LOOPBACK = "127.0.0.1"
