import { createHmac, randomBytes } from "node:crypto"
import { createSocket, type Socket } from "node:dgram"
import { performance } from "node:perf_hooks"
import { type AgentEvent, ControllingAgent } from "../../../src/ice/controlling-agent.ts"
import type { TransportAddress } from "../../../src/ice/ip-address.ts"
import { DtlsSession } from "../../../src/io/webrtc/dtls-session.ts"
import { createIceLogin } from "../../../src/io/webrtc/ice-credentials.ts"
import type { DtlsIdentity } from "../../../src/io/webrtc/identity.ts"
import type { SrtpKeys } from "../../../src/io/webrtc/srtp/keys.ts"
import { SrtcpSession } from "../../../src/io/webrtc/srtp/srtcp.ts"
import { createUnprotector, type SrtpUnprotector } from "../../../src/io/webrtc/srtp/unprotect.ts"
import { serializeRtcp } from "../../../src/rtp/rtcp.ts"
import { acceptPlayAnswer, createPlayOffer } from "../../../src/sdp/play-offer.ts"

/** What a client has got so far. */
export interface WhepClientCounts {
  /** RTP packets. */
  packets: number
  bytes: number
  /** Those that it opened. */
  decrypted: number
  /** Those of them that were not authentic, or came twice. */
  damaged: number
}

/** How a client joins. */
export interface WhepClientOptions {
  readonly url: string
  readonly identity: DtlsIdentity
  /** Opens each packet, which costs as much as all the rest. */
  readonly decrypts: boolean
}

/**
 * A viewer by WHEP that does the real handshake and then counts: packets cost it little more than their way through the kernel, so that many
 * fit into a process. It reports once a second, as browsers do, and asks for nothing that was lost.
 */
export class WhepClient {
  readonly counts: WhepClientCounts = { packets: 0, bytes: 0, decrypted: 0, damaged: 0 }
  /** From the POST to the first packet. */
  firstPacketMs = 0
  readonly #options: WhepClientOptions
  readonly #socket: Socket
  readonly #login = createIceLogin()
  readonly #startMs = performance.now()
  readonly #joined = Promise.withResolvers<void>()
  readonly #streams = new Map<number, ReceivedNumbers>()
  #path: TransportAddress | undefined
  #agent: ControllingAgent | undefined
  #timer: NodeJS.Timeout | undefined
  #dtls: DtlsSession | undefined
  #unprotector: SrtpUnprotector | undefined

  private constructor(options: WhepClientOptions) {
    this.#options = options
    this.#socket = createSocket({ type: "udp4", recvBufferSize: SOCKET_BUFFER_BYTES })
    this.#socket.on("message", (datagram) => this.#onDatagram(datagram))
    this.#socket.on("error", (error) => this.#joined.reject(error))
  }

  /** Returns once media comes. Throws where the gateway refuses, or the handshake fails. */
  static async join(options: WhepClientOptions): Promise<WhepClient> {
    const client = new WhepClient(options)
    await client.#begin()
    await client.#joined.promise
    return client
  }

  /** Packets that did not come, by the gaps in the numbers. */
  get lost(): number {
    let lost = 0
    for (const numbers of this.#streams.values()) lost += numbers.lost
    return lost
  }

  /** Ends the session as the page does that is closed. */
  close(): void {
    clearTimeout(this.#timer)
    this.#dtls?.close()
    this.#socket.close()
  }

  async #begin(): Promise<void> {
    const { url, identity } = this.#options
    const fingerprint = { algorithm: "sha-256", value: identity.fingerprint } as const
    const offer = createPlayOffer({ sessionId: "1", ...this.#login, fingerprint })
    const headers = { "content-type": "application/sdp" }
    const response = await fetch(url, { method: "POST", headers, body: offer })
    const answer = await response.text()
    if (response.status !== 201) throw new Error(`POST ${url}: ${response.status} ${answer}`)
    const { remote, candidates } = acceptPlayAnswer(answer)
    const candidate = candidates.find(({ protocol, address }) => protocol === "udp" && !address.includes(":"))
    if (candidate === undefined) throw new Error("the answer has no UDP candidate of IPv4")
    const path = { transport: "udp", family: 4, address: candidate.address, port: candidate.port } as const
    this.#path = path
    await new Promise<void>((resolve) => this.#socket.connect(path.port, path.address, resolve))
    this.#dtls = new DtlsSession(
      { identity, role: remote.dtlsRole, fingerprints: remote.fingerprints },
      {
        send: (datagram) => this.#socket.send(datagram),
        connected: (keys) => this.#onConnected(keys),
        failed: (error) => this.#joined.reject(error),
        closed: () => this.#joined.reject(new Error("the gateway ended the session")),
      },
    )
    this.#agent = new ControllingAgent({
      ...{ local: this.#login, remote, candidates: [path], rtoMs: 250 },
      ...{ randomBytes, hmacSha1: (key, data) => createHmac("sha1", key).update(data).digest() },
    })
    this.#act(this.#agent.start(performance.now()))
    this.#dtls.start()
  }

  #onConnected(keys: SrtpKeys): void {
    if (this.#options.decrypts) this.#unprotector = createUnprotector(keys.remote)
    const srtcp = new SrtcpSession(keys)
    const report = serializeRtcp([{ type: "receiver_report", senderSsrc: 1, reports: [] }])
    const timer = setInterval(() => this.#socket.send(srtcp.protect(report)), REPORT_INTERVAL_MS)
    this.#socket.once("close", () => clearInterval(timer))
  }

  #onDatagram(datagram: Uint8Array): void {
    const first = datagram[0] as number
    if (first >= 128) this.#onSrtp(datagram)
    else if (first >= 20) this.#dtls?.push(datagram)
    else if (this.#path) this.#act(this.#agent?.push(datagram, this.#path, performance.now()) ?? [])
  }

  #onSrtp(datagram: Uint8Array): void {
    const second = datagram[1] as number
    if (second >= 192 && second <= 223) return // RTCP
    const { counts } = this
    if (counts.packets++ === 0) {
      this.firstPacketMs = performance.now() - this.#startMs
      this.#joined.resolve()
    }
    counts.bytes += datagram.length
    const ssrc = new DataView(datagram.buffer, datagram.byteOffset).getUint32(8)
    let numbers = this.#streams.get(ssrc)
    if (!numbers) {
      numbers = new ReceivedNumbers()
      this.#streams.set(ssrc, numbers)
    }
    numbers.add(((datagram[2] as number) << 8) | (datagram[3] as number))
    if (this.#unprotector) this.#open(this.#unprotector, datagram)
  }

  #open(unprotector: SrtpUnprotector, datagram: Uint8Array): void {
    this.counts.decrypted++
    try {
      unprotector.unprotect(datagram)
    } catch {
      this.counts.damaged++
    }
  }

  #act(events: readonly AgentEvent[]): void {
    for (const event of events) {
      if (event.type === "send") this.#socket.send(event.datagram)
      else if (event.type === "failed") this.#joined.reject(new Error(event.text))
    }
    clearTimeout(this.#timer)
    const dueMs = this.#agent?.nextTimeoutMs ?? Number.POSITIVE_INFINITY
    if (dueMs === Number.POSITIVE_INFINITY) return
    const nowMs = performance.now()
    this.#timer = setTimeout(
      () => this.#act(this.#agent?.onTimeout(performance.now()) ?? []),
      Math.max(1, Math.ceil(dueMs - nowMs)),
    )
  }
}

/** Counts what is missing between the first and the highest number of an SSRC. */
class ReceivedNumbers {
  #first = -1
  #highest = 0
  #count = 0

  get lost(): number {
    return this.#highest - this.#first + 1 - this.#count
  }

  add(sequenceNumber: number): void {
    this.#count++
    if (this.#first < 0) this.#first = this.#highest = sequenceNumber
    const ahead = ((sequenceNumber - this.#highest) << 16) >> 16
    if (ahead > 0) this.#highest += ahead
  }
}

const SOCKET_BUFFER_BYTES = 1024 * 1024
const REPORT_INTERVAL_MS = 1_000
