import { GatewayError } from "../errors.ts"
import { classifyDatagram, type DatagramKind } from "./datagram.ts"
import { decodeDetect } from "./detect.ts"
import { ExpiringMap } from "./expiring-map.ts"
import { STATUS } from "./packet.ts"
import {
  encodeAnswer,
  encodeRefusal,
  parseRequest,
  type RequestPacket,
  readBrokenRequest,
  readRequestPacket,
  type SessionAnswer,
  type SessionRequest,
} from "./session-request.ts"
import { decodeStop, encodeStop, type StopPacket } from "./stop.ts"
import { parseStopTarget, type StopTarget } from "./stop-target.ts"
import { unwrapStun, type WrappedPacket, wrapInStun } from "./stun.ts"

/** Limits of an exchange. */
export interface ExchangeLimits {
  /** Requests that wait for the decision about them; more are dropped, and their clients come again. */
  readonly maxPending: number
  /** Answers that are kept for requests that come twice; as many refusals, and as many ends of sessions. */
  readonly maxAnswers: number
  /** How long they are kept. */
  readonly answerTtlMs: number
}

/** Whom a datagram is from. */
export interface DatagramSource {
  readonly family: 4 | 6
  readonly address: string
  readonly port: number
}

/** A packet, how it came, and what bounds the answer to it. */
interface Received<Packet> {
  readonly packet: Packet
  readonly source: DatagramSource
  /** The same for all copies of a request, and for nothing else. */
  readonly key: string
  /** Set where it came in a STUN message. */
  readonly wrapped: WrappedPacket | undefined
  readonly datagramBytes: number
}

/** A request that waits for a decision; `answer` or `refuse` is to be called in the end, whatever happens. */
export interface PendingRequest extends Received<RequestPacket> {
  readonly session: SessionRequest
}

/** Somebody wants a session to end; `stopped` makes the answer. */
export interface PendingStop extends Received<StopPacket> {
  readonly target: StopTarget
}

/** What a datagram came to. */
export type ExchangeEvent =
  /** To be sent back to the source at once. */
  | { readonly type: "send"; readonly datagram: Uint8Array }
  | { readonly type: "sessionRequested"; readonly request: PendingRequest }
  | { readonly type: "stopRequested"; readonly stop: PendingStop }

/**
 * The answering half of signalling by datagrams, for all clients: reads what comes, knows what came before, and writes what goes out. It decides
 * nothing and reads no clock. What goes out belongs to one datagram that came, and goes to its source: an answer is at most three times as long,
 * anything else at most as long, so that nobody gains by a forged source. Answers are never answered, so that two gateways cannot be set on
 * each other.
 */
export class SignalingExchange {
  readonly #maxPending: number
  readonly #pending = new Set<string>()
  readonly #answers: ExpiringMap<Uint8Array>
  /** Apart, as anyone can cause them: they push out no answers. */
  readonly #refusals: ExpiringMap<Uint8Array>

  constructor({ maxPending, maxAnswers, answerTtlMs }: ExchangeLimits) {
    this.#maxPending = maxPending
    this.#answers = new ExpiringMap(answerTtlMs, maxAnswers)
    this.#refusals = new ExpiringMap(answerTtlMs, maxAnswers)
  }

  /** Requests that wait for a decision. */
  get pendingRequests(): number {
    return this.#pending.size
  }

  /**
   * Takes a datagram, which it borrows. Undefined where nothing is to be done: for garbage, answers, requests that are being decided on, and
   * where too many are. Never throws.
   */
  push(datagram: Uint8Array, source: DatagramSource, nowMs: number): ExchangeEvent | undefined {
    try {
      return this.#push(datagram, source, nowMs)
    } catch (error) {
      if (error instanceof GatewayError) return undefined
      throw error
    }
  }

  /**
   * The answer to a request that was let in. Throws `minisdp.packet` where the request is too short for it, or its form cannot carry it;
   * `refuse` says so to the client.
   */
  answer(request: PendingRequest, answer: SessionAnswer, nowMs: number): Uint8Array {
    const datagram = rewrap(encodeAnswer(request.packet, answer, request.source.family), request.wrapped)
    if (datagram.length > MAX_AMPLIFICATION * request.datagramBytes) {
      const neededBytes = Math.ceil(datagram.length / MAX_AMPLIFICATION)
      throw new GatewayError(
        "minisdp.packet",
        `pad the request to ${neededBytes} bytes: its answer has ${datagram.length}`,
      )
    }
    this.#pending.delete(request.key)
    this.#answers.set(request.key, datagram, nowMs)
    return datagram
  }

  /** The refusal of a request, where there is room for one. A cookie invites the client to come again with it. */
  refuse(
    request: PendingRequest,
    error: GatewayError,
    nowMs: number,
    cookie: Uint8Array = NO_COOKIE,
  ): Uint8Array | undefined {
    this.#pending.delete(request.key)
    return this.#refuse(request, error, nowMs, cookie)
  }

  /** The answer to a stop packet. */
  stopped(stop: PendingStop, hasEnded: boolean, nowMs: number): Uint8Array | undefined {
    const status = hasEnded ? STATUS.ok : STATUS.notFound
    const datagram = rewrap(encodeStop({ ...stop.packet, status }), stop.wrapped)
    if (datagram.length > stop.datagramBytes) return undefined
    if (hasEnded) this.#answers.set(stop.key, datagram, nowMs)
    return datagram
  }

  #push(datagram: Uint8Array, source: DatagramSource, nowMs: number): ExchangeEvent | undefined {
    const kind = classifyDatagram(datagram)
    if (kind === undefined) return undefined
    const wrapped = kind.startsWith("stun-") ? unwrapStun(datagram) : undefined
    if (wrapped?.isResponse) return undefined
    const packet = wrapped?.packet ?? datagram
    const received = { source, wrapped, datagramBytes: datagram.length }
    switch (PLAIN_KIND[kind]) {
      case "detect":
        decodeDetect(packet)
        return sendIfShort(rewrap(packet, wrapped), datagram.length)
      case "stop": {
        const stop = decodeStop(packet)
        if (stop.status !== 0) return undefined
        const key = keyOf("stop", stop.seq, source)
        const before = this.#answers.get(key, nowMs)
        if (before !== undefined) return sendIfShort(before, datagram.length)
        return { type: "stopRequested", stop: { ...received, packet: stop, key, target: parseStopTarget(stop.svrsig) } }
      }
      case "sdp":
        return this.#pushOffer({ ...received, packet }, nowMs)
    }
  }

  #pushOffer(received: Omit<Received<Uint8Array>, "key">, nowMs: number): ExchangeEvent | undefined {
    const { packet, source, wrapped } = received
    let request: RequestPacket | undefined
    try {
      request = readRequestPacket(packet)
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      const broken = readBrokenRequest(packet)
      const refusal = broken && encodeRefusal(broken, error, NO_COOKIE, packet.length)
      return refusal && sendIfShort(rewrap(refusal, wrapped), received.datagramBytes)
    }
    if (request === undefined) return undefined
    const key = keyOf(`${request.form} ${wrapped === undefined ? "" : "stun "}offer`, request.packet.seq, source)
    // A shorter copy gets no more than it could have got by itself.
    const answer = this.#answers.get(key, nowMs)
    if (answer !== undefined) return sendIfShort(answer, MAX_AMPLIFICATION * received.datagramBytes)
    const refusal = this.#refusals.get(key, nowMs)
    if (refusal !== undefined) return sendIfShort(refusal, received.datagramBytes)
    return this.#request({ ...received, packet: request, key }, nowMs)
  }

  #request(received: Received<RequestPacket>, nowMs: number): ExchangeEvent | undefined {
    if (this.#pending.has(received.key) || this.#pending.size >= this.#maxPending) return undefined
    let session: SessionRequest
    try {
      session = parseRequest(received.packet)
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      const datagram = this.#refuse(received, error, nowMs, NO_COOKIE)
      return datagram && { type: "send", datagram }
    }
    this.#pending.add(received.key)
    return { type: "sessionRequested", request: { ...received, session } }
  }

  #refuse(
    { packet, key, wrapped, datagramBytes }: Received<RequestPacket>,
    error: GatewayError,
    nowMs: number,
    cookie: Uint8Array,
  ): Uint8Array | undefined {
    const { form, packet: request } = packet
    const { seq, streamUrl } = request
    const refusal = encodeRefusal({ form, seq, streamUrl }, error, cookie, wrapped?.packet.length ?? datagramBytes)
    const datagram = refusal && rewrap(refusal, wrapped)
    if (datagram === undefined || datagram.length > datagramBytes) return undefined
    this.#refusals.set(key, datagram, nowMs)
    return datagram
  }
}

function keyOf(what: string, seq: number, { address, port }: DatagramSource): string {
  return `${what} ${seq} ${address} ${port}`
}

function sendIfShort(datagram: Uint8Array, maxBytes: number): ExchangeEvent | undefined {
  return datagram.length > maxBytes ? undefined : { type: "send", datagram }
}

/** Puts an answer into a STUN message where its request came in one. */
function rewrap(packet: Uint8Array, wrapped: WrappedPacket | undefined): Uint8Array {
  return wrapped === undefined ? packet : wrapInStun({ ...wrapped, packet, isResponse: true })
}

const PLAIN_KIND: Readonly<Record<DatagramKind, WrappedPacket["kind"]>> = {
  sdp: "sdp",
  stop: "stop",
  detect: "detect",
  "stun-sdp": "sdp",
  "stun-stop": "stop",
  "stun-detect": "detect",
}
const NO_COOKIE = new Uint8Array(0)
const MAX_AMPLIFICATION = 3
