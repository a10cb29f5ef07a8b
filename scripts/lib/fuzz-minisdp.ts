import { readFileSync } from "node:fs"
import { GatewayError } from "../../src/errors.ts"
import { classifyDatagram } from "../../src/minisdp/datagram.ts"
import { decodeDetect, encodeDetect } from "../../src/minisdp/detect.ts"
import { SignalingExchange } from "../../src/minisdp/exchange.ts"
import { explainDatagram } from "../../src/minisdp/explain.ts"
import { decodeLossless, encodeLossless, isLossless } from "../../src/minisdp/lossless/envelope.ts"
import { decodePacket, encodePacket, MAX_PACKET_BYTES } from "../../src/minisdp/packet.ts"
import { referenceText } from "../../src/minisdp/reference-text.ts"
import { sessionFromSdp } from "../../src/minisdp/session-from-sdp.ts"
import { sessionToSdp } from "../../src/minisdp/session-to-sdp.ts"
import { decodeStop, encodeStop } from "../../src/minisdp/stop.ts"
import { unwrapStun, wrapInStun } from "../../src/minisdp/stun.ts"
import { Mutator } from "./mutator.ts"

/** What a run of the fuzzer has seen. */
export interface FuzzReport {
  readonly inputs: number
  /** Inputs that some parser took. */
  readonly accepted: number
  /** Datagrams that the exchange of the server would have sent. */
  readonly answers: number
  /** ms of the slowest input, the best of four where the first time was long. */
  readonly slowestMs: number
}

/**
 * Feeds mutated datagrams of all kinds to all parsers of MiniSDP and to the server's exchange. Throws an Error with the input in
 * hexadecimal where anything but a GatewayError comes out, bytes behind the end are read, a packet or an answer is longer than
 * allowed, or an input takes too long.
 */
export function fuzzMiniSdp(count: number, seed: number): FuzzReport {
  const mutator = new Mutator(seedDatagrams(), seed)
  const exchange = new SignalingExchange({ maxPending: 64, maxAnswers: 256, answerTtlMs: 10_000 })
  let [accepted, answers, slowestMs] = [0, 0, 0]
  for (let index = 0; index < count; index++) {
    const datagram = mutator.next()
    try {
      const startMs = performance.now()
      if (parse(datagram)) accepted++
      let tookMs = performance.now() - startMs
      // A pause for another process or for the collector is not the input's: only what is slow again counts.
      for (let again = 0; again < 3 && tookMs > DOUBTFUL_MS; again++)
        tookMs = Math.min(
          tookMs,
          timed(() => parse(datagram)),
        )
      if (tookMs > SLOW_MS) throw new Error(`took ${tookMs} ms`)
      slowestMs = Math.max(slowestMs, tookMs)
      if (answer(exchange, datagram, index)) answers++
      if (index % CHECK_EVERY === 0) checkBounds(datagram)
    } catch (cause) {
      const hex = Buffer.from(datagram).toString("hex")
      throw new Error(`input ${index} of seed ${seed}: ${String(cause)}\n${hex}`, { cause })
    }
  }
  return { inputs: count, accepted, answers, slowestMs }
}

/** All parsers that a datagram reaches, and what the gateway makes of their results. */
function parse(datagram: Uint8Array): boolean {
  const kind = classifyDatagram(datagram)
  if (kind === undefined) return attempt(() => decodePacket(datagram)) // never passes: the magic is wrong
  if (!kind.startsWith("stun-")) return parsePacket(kind, datagram)
  return attempt(() => {
    const wrapped = unwrapStun(datagram)
    const again = unwrapStun(wrapInStun(wrapped))
    if (Buffer.compare(again.packet, wrapped.packet) !== 0) throw new Error("STUN does not give the packet back")
    parsePacket(wrapped.kind, wrapped.packet)
  })
}

function parsePacket(kind: string, bytes: Uint8Array): boolean {
  if (kind === "stop") return attempt(() => encodeStop(decodeStop(bytes)))
  if (kind === "detect") return attempt(() => encodeDetect(decodeDetect(bytes)))
  if (isLossless(bytes)) return attempt(() => decodeLossless(bytes))
  return attempt(() => {
    const packet = decodePacket(bytes)
    referenceText(packet)
    attempt(() => {
      const encoded = encodePacket(packet)
      if (encoded.length > MAX_PACKET_BYTES) throw new Error(`a packet of ${encoded.length} bytes`)
      decodePacket(encoded)
    })
    attempt(() => sessionFromSdp(sessionToSdp(packet.session, { type: packet.type })))
  })
}

/** Runs the server's side: what it sends is at most as long as what came, an answer at most three times as long. */
function answer(exchange: SignalingExchange, datagram: Uint8Array, index: number): boolean {
  const source = { family: 4, address: "192.0.2.1", port: 1024 + (index % 60_000) } as const
  const nowMs = index
  const event = exchange.push(datagram, source, nowMs)
  if (event === undefined) return false
  if (event.type === "send") return isAtMost(event.datagram, ANSWER_FACTOR * datagram.length) // may repeat an answer
  if (event.type === "stopRequested")
    return isAtMost(exchange.stopped(event.stop, index % 2 === 0, nowMs), datagram.length)
  const { request } = event
  if (index % 2 === 0) {
    const reply = { sdp: ANSWER_SDP, sessionId: "0123456789abcdef", cookie: COOKIE, isSourceTrusted: false }
    let sent: Uint8Array | undefined
    if (attempt(() => (sent = exchange.answer(request, reply, nowMs)))) {
      return isAtMost(sent, ANSWER_FACTOR * datagram.length)
    }
  }
  const refusal = exchange.refuse(request, new GatewayError("stream.not_live", "nobody publishes it"), nowMs, COOKIE)
  return isAtMost(refusal, datagram.length)
}

function isAtMost(datagram: Uint8Array | undefined, bytes: number): boolean {
  if ((datagram?.length ?? 0) > bytes) throw new Error(`an answer of ${datagram?.length} bytes, ${bytes} are allowed`)
  return datagram !== undefined
}

/** Whatever lies behind a datagram in its buffer must not matter to what is read from it. */
function checkBounds(datagram: Uint8Array): void {
  const [zeros, ones] = [0x00, 0xff].map((filling) => {
    const buffer = new Uint8Array(datagram.length + 64).fill(filling)
    buffer.set(datagram, 32)
    const inside = buffer.subarray(32, 32 + datagram.length)
    return JSON.stringify(outcome(() => [explainDatagram(inside), isPublic(inside) ? decodePacket(inside) : 0]))
  })
  if (zeros !== ones) throw new Error("bytes outside of the datagram were read")
}

function isPublic(bytes: Uint8Array): boolean {
  return classifyDatagram(bytes) === "sdp" && !isLossless(bytes)
}

function outcome(action: () => unknown): unknown {
  try {
    return action()
  } catch (error) {
    if (error instanceof GatewayError) return error.message
    throw error
  }
}

/** True where it passes; only a GatewayError may stand in its way. */
function attempt(action: () => unknown): boolean {
  try {
    action()
    return true
  } catch (error) {
    if (error instanceof GatewayError) return false
    throw error
  }
}

function timed(action: () => unknown): number {
  const startMs = performance.now()
  action()
  return performance.now() - startMs
}

/** The packets of the vectors, and some of their texts in the lossless form: about one input in ten. */
function seedDatagrams(): Uint8Array[] {
  const files = ["v0-base", "v0-ext", "control", "cross-decode"]
  const vectors: { packet_hex: string; sdp_in?: string }[] = files.flatMap(
    (file) => JSON.parse(readFileSync(`${FIXTURES}/${file}.json`, "utf8")).vectors,
  )
  const texts = vectors.flatMap(({ sdp_in }) => sdp_in ?? [])
  const common = { status: 0, streamUrl: "live/cam1?token=abc", cookie: COOKIE, sessionId: "" } as const
  const lossless = texts.slice(0, 5).map((sdp, seq) => {
    return encodeLossless({ ...common, type: seq % 2 === 0 ? "offer" : "answer", seq, immSend: seq === 0, sdp })
  })
  return [...vectors.map(({ packet_hex }) => Uint8Array.from(Buffer.from(packet_hex, "hex"))), ...lossless]
}

const FIXTURES = new URL("../../test/fixtures/minisdp", import.meta.url).pathname
const CHECK_EVERY = 64
const ANSWER_FACTOR = 3
/** Far above what any packet takes, and far below what would hurt. */
const SLOW_MS = 50
/** From here on the input is timed again. */
const DOUBTFUL_MS = 5
const COOKIE = new Uint8Array(16).fill(7)
const ANSWER_SDP = JSON.parse(readFileSync(`${FIXTURES}/v0-base.json`, "utf8")).vectors[2].sdp_in as string
