import { createSocket, type Socket } from "node:dgram"
import { once } from "node:events"
import { seededRandom } from "../../test/rtp/h264-stream.ts"

/** How one direction of a network treats datagrams. */
export interface LinkTerms {
  /** Share that is lost, from 0 to 1. */
  readonly lossRate?: number
  readonly delayMs?: number
  /** Each datagram takes up to so much longer, so that they overtake one another. */
  readonly jitterMs?: number
  /** What the link carries; more waits in front of it. */
  readonly bitrateBps?: number
  /** How long datagrams wait there at most: later ones are lost. */
  readonly queueMs?: number
}

/** A network between clients and the gateway. */
export interface LossyRelayOptions {
  readonly targetPort: number
  /** The same seed loses the same datagrams by number. */
  readonly seed?: number
  readonly toGateway?: LinkTerms
  readonly toClient?: LinkTerms
}

/** What one direction has done so far. */
export interface LinkCounts {
  readonly passed: number
  readonly lost: number
}

/** A relay to a UDP port of this machine that behaves like a bad network; every client gets a socket of its own. */
export interface LossyRelay {
  readonly port: number
  readonly toGateway: Link
  readonly toClient: Link
  close(): void
}

/** Starts a relay on loopback. */
export async function startLossyRelay(options: LossyRelayOptions): Promise<LossyRelay> {
  const { targetPort, seed = 1, toGateway = {}, toClient = {} } = options
  const links = { toGateway: new Link(toGateway, seed), toClient: new Link(toClient, seed + 1) }
  const front = createSocket({ type: "udp4", recvBufferSize: BUFFER_BYTES })
  const backs = new Map<number, Socket>()
  let isClosed = false
  front.on("message", (datagram, client) => {
    let back = backs.get(client.port)
    if (back === undefined) {
      back = createSocket({ type: "udp4", recvBufferSize: BUFFER_BYTES })
      backs.set(client.port, back)
      back.on("message", (answer) => {
        links.toClient.pass(answer, () => isClosed || front.send(answer, client.port, client.address))
      })
      back.on("error", () => undefined)
    }
    const socket = back
    links.toGateway.pass(datagram, () => isClosed || socket.send(datagram, targetPort, LOOPBACK))
  })
  front.bind(0, LOOPBACK)
  await once(front, "listening")
  return {
    port: front.address().port,
    ...links,
    close: () => {
      isClosed = true
      front.close()
      for (const back of backs.values()) back.close()
    },
  }
}

/** Leads a page to the relay: what the answers of WHIP and WHEP name as the gateway's port becomes the relay's. */
export function throughRelay(answerSdp: string, gatewayPort: number, relayPort: number): string {
  return answerSdp
    .split("\r\n")
    .filter((line) => !/^a=candidate:\S+ \d+ tcp /i.test(line))
    .map((line) => (line.startsWith("a=candidate:") ? line.replace(` ${gatewayPort} typ`, ` ${relayPort} typ`) : line))
    .join("\r\n")
}

/** One direction; its terms can be changed at any time. */
export class Link {
  terms: LinkTerms
  readonly #random: () => number
  /** In order of the time at which they are due. */
  readonly #waiting: { readonly dueMs: number; readonly deliver: () => void }[] = []
  #timer: NodeJS.Timeout | undefined
  #freeAtMs = 0
  #counts = { passed: 0, lost: 0 }

  constructor(terms: LinkTerms, seed: number) {
    this.terms = terms
    this.#random = seededRandom(seed)
  }

  get counts(): LinkCounts {
    return { ...this.#counts }
  }

  /** Delivers a datagram later, or not at all. */
  pass(datagram: Uint8Array, deliver: () => void): void {
    const { lossRate = 0, delayMs = 0, jitterMs = 0, bitrateBps, queueMs = 300 } = this.terms
    const nowMs = performance.now()
    let sentMs = nowMs
    if (bitrateBps !== undefined) {
      sentMs = Math.max(nowMs, this.#freeAtMs) + (datagram.length * 8_000) / bitrateBps
    }
    if (this.#random() < lossRate || sentMs - nowMs > queueMs) {
      this.#counts.lost++
      return
    }
    this.#counts.passed++
    this.#freeAtMs = sentMs
    const dueMs = sentMs + delayMs + this.#random() * jitterMs
    let at = this.#waiting.length
    while (at > 0 && (this.#waiting[at - 1]?.dueMs ?? 0) > dueMs) at--
    this.#waiting.splice(at, 0, { dueMs, deliver })
    if (at === 0) this.#schedule()
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    const [first] = this.#waiting
    if (first === undefined) return
    this.#timer = setTimeout(() => this.#deliverDue(), Math.max(0, first.dueMs - performance.now()))
  }

  #deliverDue(): void {
    const nowMs = performance.now()
    while (this.#waiting[0] !== undefined && this.#waiting[0].dueMs <= nowMs + 0.5) this.#waiting.shift()?.deliver()
    this.#schedule()
  }
}

const LOOPBACK = "127.0.0.1"
const BUFFER_BYTES = 1 << 20
