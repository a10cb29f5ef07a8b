import { afterEach, beforeAll, beforeEach, expect } from "vitest"
import { createIdentity, type DtlsIdentity } from "../../../src/io/webrtc/identity.ts"
import type { SrtpKeys } from "../../../src/io/webrtc/srtp/keys.ts"
import { PacketRing } from "../../../src/io/webrtc/srtp/packet-ring.ts"
import { alignPayload, createProtector } from "../../../src/io/webrtc/srtp/protect.ts"
import { WebRtcTransport } from "../../../src/io/webrtc/transport.ts"
import type { PeerCloseReason, WebRtcPeer } from "../../../src/io/webrtc/transport-peer.ts"
import { keysOf, RawClient } from "./raw-client.ts"

/** A session of the transport under test, and what it reports. */
export interface Session {
  readonly peer: WebRtcPeer
  readonly connected: Promise<SrtpKeys>
  readonly closed: Promise<PeerCloseReason>
  readonly rtp: Promise<Uint8Array>
  readonly rtcp: Promise<Uint8Array>
}

/** A session whose handshake is done, with the client's side of it. */
export interface ConnectedSession extends Session {
  readonly keys: SrtpKeys
  readonly dtls: ReturnType<RawClient["openDtls"]>
}

/** How a session is opened. */
export interface SessionOptions {
  readonly fingerprint?: string
  readonly algorithm?: string
  readonly role?: "server" | "client"
  /** The code that takes media has a bug. */
  readonly throwing?: boolean
  /** Our offer: the peer's description comes later. */
  readonly isOffer?: boolean
}

/** A transport on loopback with a clock of its own, and a client, new for each test. */
export class TransportFixture {
  transport!: WebRtcTransport
  client!: RawClient
  identity!: DtlsIdentity
  /** Somebody else's certificate. */
  stranger!: DtlsIdentity
  nowMs = 0
  /** What a test expects it takes out. */
  bugs: unknown[] = []
  readonly #clients: RawClient[] = []

  constructor() {
    beforeAll(async () => {
      this.identity = await createIdentity()
      this.stranger = await createIdentity()
    })
    beforeEach(async () => {
      this.nowMs = 1_000
      this.bugs = []
      this.transport = await WebRtcTransport.listen({
        hosts: ["127.0.0.1"],
        port: 0,
        maxSessions: 3,
        connectTimeoutMs: 15_000,
        idleTimeoutMs: 10_000,
        nowMs: () => this.nowMs,
        onBug: (error) => this.bugs.push(error),
      })
      this.client = await this.openClient()
    })
    afterEach(async () => {
      for (const client of this.#clients.splice(0)) client.close()
      await this.transport.close("test is over")
      expect(this.bugs).toEqual([])
    })
  }

  /** Another client, on an address of its own. */
  async openClient(transport: "udp" | "tcp" = "udp"): Promise<RawClient> {
    const { port } = this.transport
    const client = await (transport === "udp" ? RawClient.open(port) : RawClient.openTcp(port))
    this.#clients.push(client)
    return client
  }

  open = (options: SessionOptions = {}): Session => {
    const connected = Promise.withResolvers<SrtpKeys>()
    const closed = Promise.withResolvers<PeerCloseReason>()
    const rtp = Promise.withResolvers<Uint8Array>()
    const rtcp = Promise.withResolvers<Uint8Array>()
    const peer = this.transport.open({
      ...(!options.isOffer && { remote: this.remote(options) }),
      events: {
        connected: connected.resolve,
        closed: closed.resolve,
        rtcp: rtcp.resolve,
        rtp: (packet) => {
          if (options.throwing) throw new Error("made by the test")
          rtp.resolve(packet)
        },
      },
    })
    return { peer, connected: connected.promise, closed: closed.promise, rtp: rtp.promise, rtcp: rtcp.promise }
  }

  /** What the client's session description says. */
  remote({ fingerprint = this.identity.fingerprint, algorithm = "sha-256", role = "server" }: SessionOptions = {}) {
    return { fingerprints: [{ algorithm, value: fingerprint }], dtlsRole: role, ufrag: "them" }
  }

  /** A connected session and the client's keys. */
  connect = async (options: SessionOptions = {}, client = this.client): Promise<ConnectedSession> => {
    const session = this.open(options)
    await client.check(session.peer.localUfrag, session.peer.localPwd)
    const dtls = client.openDtls("client", this.identity)
    const done = new Promise<void>((resolve) => dtls.onConnect.once(resolve))
    await Promise.all([session.connected, done])
    return { ...session, dtls, keys: keysOf(dtls) }
  }

  /** Waits until all that was sent is handled: loopback keeps the order of datagrams, so the answer to a last one says so. */
  settle = async (): Promise<void> => {
    const session = this.open()
    const probe = await RawClient.open(this.transport.port)
    await probe.check(session.peer.localUfrag, session.peer.localPwd)
    probe.close()
    session.peer.close("was a probe")
  }
}

const ring = new PacketRing(8)

/** An encrypted packet of payload 5, 6, 7. */
export function protectRtp(keys: SrtpKeys, sequenceNumber: number): Uint8Array {
  const offset = ring.next()
  ring.bytes.set([0x80, 96, sequenceNumber >> 8, sequenceNumber, 0, 0, 0, 9, 1, 2, 3, 4], offset)
  const length = createProtector(keys.local).protect(ring, offset, 12, alignPayload(Uint8Array.of(5, 6, 7)))
  return ring.bytes.slice(offset, offset + length)
}

/** An empty receiver report. */
export const REPORT = Uint8Array.of(0x80, 201, 0, 1, 1, 2, 3, 4)
