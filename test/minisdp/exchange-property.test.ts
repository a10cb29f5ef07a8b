import fc from "fast-check"
import { expect, test } from "vitest"
import { GatewayError } from "../../src/errors.ts"
import { encodeDetect } from "../../src/minisdp/detect.ts"
import { type ExchangeEvent, SignalingExchange } from "../../src/minisdp/exchange.ts"
import { encodeLossless } from "../../src/minisdp/lossless/envelope.ts"
import { encodePacket, errorPacket } from "../../src/minisdp/packet.ts"
import { sessionFromSdp } from "../../src/minisdp/session-from-sdp.ts"
import { encodeStop } from "../../src/minisdp/stop.ts"
import { wrapInStun } from "../../src/minisdp/stun.ts"
import { opusOffer } from "../io/minisdp/raw-peer.ts"

const SOURCE = { family: 4, address: "192.0.2.7", port: 40_000 } as const
const SDP = opusOffer({ fingerprint: Array.from({ length: 32 }, () => "AB").join(":") })
const ANSWER = { sdp: SDP, sessionId: "session", cookie: new Uint8Array(16), isSourceTrusted: false }

const PACKETS = packets()

/** Packets of all kinds, plain and inside of STUN. */
function packets(): Uint8Array[] {
  const session = { ...sessionFromSdp(SDP), isEncrypted: true }
  const bare = { status: 0, seq: 7, immSend: true, cookie: new Uint8Array(16), sessionId: "" }
  const offers = [
    encodeLossless({ ...bare, type: "offer", streamUrl: "live/cam1?token=t", sdp: SDP }),
    encodePacket({ ...errorPacket({ seq: 7, streamUrl: "host/live/cam1" }, 0), session }),
  ]
  const stop = encodeStop({ status: 0, seq: 7, svrsig: "192.0.2.1:ours:theirs" })
  const detect = encodeDetect({ sentAtMs: 1, token: Uint8Array.of(1, 2) })
  const wrapped = [
    ...offers.map((packet) =>
      wrapInStun({ kind: "sdp", packet, isResponse: false, xorKey: Uint8Array.of(1, 2, 3, 4) }),
    ),
    wrapInStun({ kind: "stop", packet: stop, isResponse: false, xorKey: undefined }),
    wrapInStun({ kind: "detect", packet: detect, isResponse: false, xorKey: undefined }),
  ]
  return [...offers, stop, detect, ...wrapped]
}

/** A packet with some bytes changed, cut off, or followed by others. */
const mutated = fc
  .record({
    packet: fc.constantFrom(...PACKETS),
    changes: fc.array(fc.tuple(fc.nat(1_400), fc.nat(255)), { maxLength: 4 }),
    length: fc.option(fc.nat(1_400), { nil: undefined }),
    tail: fc.uint8Array({ maxLength: 4 }),
  })
  .map(({ packet, changes, length, tail }) => {
    const bytes = Uint8Array.from([...packet.subarray(0, length ?? packet.length), ...tail])
    for (const [at, value] of changes) bytes[at % bytes.length] = value
    return bytes
  })

/** All that goes out for one datagram, whatever the decision about it; the first length may be three times as long. */
function answersTo(exchange: SignalingExchange, event: ExchangeEvent | undefined): { long: number; short: number } {
  const lengthOf = (datagram: Uint8Array | undefined) => datagram?.length ?? 0
  if (event?.type === "send") return { long: 0, short: event.datagram.length }
  if (event?.type === "stopRequested") return { long: 0, short: lengthOf(exchange.stopped(event.stop, false, 0)) }
  if (event?.type !== "sessionRequested") return { long: 0, short: 0 }
  try {
    return { long: exchange.answer(event.request, ANSWER, 0).length, short: 0 }
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    return { long: 0, short: lengthOf(exchange.refuse(event.request, error, 0)) }
  }
}

const anything = fc.oneof(mutated, fc.uint8Array({ maxLength: 200 }))
const open = () => new SignalingExchange({ maxPending: 2, maxAnswers: 2_000, answerTtlMs: 1_000 })

test("whatever comes, nothing is thrown, nothing waits for ever, and no answer is longer than it may be", () => {
  const property = fc.property(anything, (datagram) => {
    const exchange = open()
    const { long, short } = answersTo(exchange, exchange.push(datagram, SOURCE, 0))
    expect(short).toBeLessThanOrEqual(datagram.length)
    expect(long).toBeLessThanOrEqual(3 * datagram.length)
    expect(exchange.pendingRequests).toBe(0)
  })
  fc.assert(property, { numRuns: 1_000 })
})

test("that holds for what passes for a copy of a request, too", () => {
  const exchange = open()
  for (const packet of PACKETS) answersTo(exchange, exchange.push(packet, SOURCE, 0))
  const property = fc.property(anything, (datagram) => {
    const { long, short } = answersTo(exchange, exchange.push(datagram, SOURCE, 0))
    expect(Math.max(long, short)).toBeLessThanOrEqual(3 * datagram.length)
  })
  fc.assert(property, { numRuns: 1_000 })
})
