import { randomBytes } from "node:crypto"
import { beforeEach, describe, expect, test } from "vitest"
import { GatewayError } from "../../src/errors.ts"
import { encodeDetect } from "../../src/minisdp/detect.ts"
import { type PendingRequest, SignalingExchange } from "../../src/minisdp/exchange.ts"
import { decodeLossless, encodeLossless, type LosslessPacket } from "../../src/minisdp/lossless/envelope.ts"
import { decodePacket, encodePacket, errorPacket, STATUS } from "../../src/minisdp/packet.ts"
import { decodeStop, encodeStop } from "../../src/minisdp/stop.ts"
import { unwrapStun, wrapInStun } from "../../src/minisdp/stun.ts"

const CLIENT = { family: 4, address: "192.0.2.7", port: 40_000 } as const
const NEIGHBOUR = { ...CLIENT, port: 40_001 }
const ANSWER = { sdp: "v=0\r\n", sessionId: "session-1", cookie: new Uint8Array(16), isSourceTrusted: false }
const LIMITS = { maxPending: 3, maxAnswers: 4, answerTtlMs: 10_000 }
/** What no coding makes shorter than 400 bytes. */
const NOISE = randomBytes(400).toString("base64")
const NOT_LIVE = new GatewayError("stream.not_live", "live/cam1 is not live")

let exchange: SignalingExchange
beforeEach(() => {
  exchange = new SignalingExchange(LIMITS)
})

function offer(changes: Partial<LosslessPacket> = {}, minBytes = 120): Uint8Array {
  const packet: LosslessPacket = {
    type: "offer",
    seq: 1,
    status: 0,
    immSend: false,
    streamUrl: "live/cam1?token=secret",
    cookie: new Uint8Array(0),
    sessionId: "",
    sdp: "v=0\r\na=recvonly\r\n",
    ...changes,
  }
  return encodeLossless(packet, minBytes)
}

function stun(kind: "sdp" | "stop" | "detect", packet: Uint8Array, isResponse = false): Uint8Array {
  return wrapInStun({ kind, packet, isResponse, xorKey: undefined })
}

/** Takes an offer that must ask for a session. */
function request(datagram = offer(), source = CLIENT, nowMs = 0): PendingRequest {
  const event = exchange.push(datagram, source, nowMs)
  if (event?.type !== "sessionRequested") throw new Error(`no session was requested: ${event?.type}`)
  return event.request
}

function sent(datagram: Uint8Array, source = CLIENT, nowMs = 0): Uint8Array | undefined {
  const event = exchange.push(datagram, source, nowMs)
  return event?.type === "send" ? event.datagram : undefined
}

describe("an offer", () => {
  test("says what it wants, and who asks", () => {
    const cookie = Uint8Array.of(1, 2, 3)
    const { session, source } = request(offer({ cookie, immSend: true }))
    expect(session).toEqual({
      action: "play",
      stream: "live/cam1",
      token: "secret",
      cookie,
      wantsMediaAtOnce: true,
      offerSdp: "v=0\r\na=recvonly\r\n",
    })
    expect(source).toBe(CLIENT)
  })

  test.each([
    { sdp: "a=sendonly\r\n", action: "publish" },
    { sdp: "a=sendonly\r\na=sendonly\r\n", action: "publish" },
    { sdp: "a=sendonly\r\na=recvonly\r\n", action: "play" },
    { sdp: "a=sendrecv\r\n", action: "play" },
  ])("that says $sdp means to $action", ({ sdp, action }) => {
    expect(request(offer({ sdp })).session.action).toBe(action)
  })

  test("is answered with its number, the session and a cookie", () => {
    const answer = decodeLossless(exchange.answer(request(offer({ seq: 77 })), ANSWER, 0))
    expect(answer).toMatchObject({ type: "answer", seq: 77, status: 0, ...pick(ANSWER) })
  })

  test("that comes again while it is decided on starts nothing and gets nothing", () => {
    request()
    expect(exchange.push(offer(), CLIENT, 5)).toBeUndefined()
    expect(exchange.pendingRequests).toBe(1)
  })

  test("that comes again gets the same answer, to the byte, until that has expired", () => {
    const answer = exchange.answer(request(), ANSWER, 1_000)
    expect(sent(offer(), CLIENT, 10_999)).toEqual(answer)
    expect(exchange.push(offer(), CLIENT, 11_000)?.type).toBe("sessionRequested")
  })

  test("of another number, port or form is another one", () => {
    exchange.answer(request(), ANSWER, 0)
    expect(exchange.push(offer({ seq: 2 }), CLIENT, 0)?.type).toBe("sessionRequested")
    expect(exchange.push(offer(), NEIGHBOUR, 0)?.type).toBe("sessionRequested")
    expect(exchange.push(stun("sdp", offer()), CLIENT, 0)?.type).toBe("sessionRequested")
  })

  test("is dropped while too many are decided on, and taken when there is room again", () => {
    const first = request(offer({ seq: 1 }))
    request(offer({ seq: 2 }))
    request(offer({ seq: 3 }))
    expect(exchange.push(offer({ seq: 4 }), CLIENT, 0)).toBeUndefined()
    exchange.refuse(first, NOT_LIVE, 0)
    expect(exchange.push(offer({ seq: 4 }), CLIENT, 0)?.type).toBe("sessionRequested")
  })

  test("as a STUN message is answered as one, with the same key", () => {
    const xorKey = Uint8Array.of(1, 2, 3, 4)
    const datagram = wrapInStun({ kind: "sdp", packet: offer(), isResponse: false, xorKey })
    const wrapped = unwrapStun(exchange.answer(request(datagram), ANSWER, 0))
    expect(wrapped).toMatchObject({ kind: "sdp", isResponse: true, xorKey })
    expect(decodeLossless(wrapped.packet).sdp).toBe(ANSWER.sdp)
  })
})

describe("amplification", () => {
  test("an answer of more than three times the request is not given, and the client is told how long to make it", () => {
    const long = { ...ANSWER, sdp: NOISE }
    const short = request(offer({}, 0))
    expect(() => exchange.answer(short, long, 0)).toThrow(/pad the request to \d+ bytes/)
    const answerBytes = exchange.answer(request(offer({ seq: 2 }, 1_400)), long, 0).length
    const enough = offer({ seq: 3 }, Math.ceil(answerBytes / 3))
    expect(exchange.answer(request(enough), long, 0).length).toBeLessThanOrEqual(3 * enough.length)
  })

  test("a short copy of a long request does not get its answer, nor one of a refused request its refusal", () => {
    const answer = exchange.answer(request(offer({}, 600)), { ...ANSWER, sdp: NOISE }, 0)
    const [long, short] = [offer({}, Math.ceil(answer.length / 3)), offer({}, Math.ceil(answer.length / 3) - 1)]
    expect(long.length).toBe(short.length + 1)
    expect(sent(long)).toEqual(answer)
    expect(sent(short)).toBeUndefined()
    const refusal = exchange.refuse(request(offer({ seq: 2 }, 600)), NOT_LIVE, 0) as Uint8Array
    const bare = offer({ seq: 2, streamUrl: "a/b", sdp: "v" }, 0)
    expect(bare.length).toBeLessThan(refusal.length)
    expect(sent(bare)).toBeUndefined()
  })

  test("what was too long is not kept: the refusal is", () => {
    const long = { ...ANSWER, sdp: NOISE }
    const short = request(offer({}, 0))
    expect(() => exchange.answer(short, long, 0)).toThrow(GatewayError)
    const refusal = exchange.refuse(short, new GatewayError("minisdp.packet", "pad the request to 500 bytes"), 0)
    expect(sent(offer({}, 0))).toEqual(refusal)
  })

  test("a refusal says why where there is room, and is never longer than the request", () => {
    const bare = offer({ sdp: "v=0", streamUrl: "a/b" }, 0)
    const tight = exchange.refuse(request(bare), NOT_LIVE, 0)
    expect(tight?.length).toBeLessThanOrEqual(bare.length)
    const roomy = exchange.refuse(request(offer({ seq: 2 })), NOT_LIVE, 0) as Uint8Array
    expect(decodeLossless(roomy)).toMatchObject({ type: "error", seq: 2, status: 104, sdp: NOT_LIVE.message })
  })

  test.each([
    { name: "an answer", datagram: () => offer({ type: "answer" }) },
    { name: "an error", datagram: () => offer({ type: "error", status: 104 }) },
    { name: "an offer with a status", datagram: () => offer({ status: 104 }) },
    { name: "a public error", datagram: () => encodePacket(errorPacket({ seq: 1, streamUrl: "h/a/b" }, 104)) },
    { name: "a stop packet with a status", datagram: () => encodeStop({ status: 104, seq: 1, svrsig: "x" }) },
    { name: "a STUN response", datagram: () => stun("sdp", offer(), true) },
    { name: "an echo in a STUN response", datagram: () => stun("detect", DETECT, true) },
  ])("$name is not answered, or two gateways could be set on each other", ({ datagram }) => {
    expect(exchange.push(datagram(), CLIENT, 0)).toBeUndefined()
  })
})

describe("a refusal", () => {
  test.each([
    { code: "minisdp.packet", status: 100 },
    { code: "sdp.syntax", status: 100 },
    { code: "sdp.unsupported", status: 101 },
    { code: "sdp.not_acceptable", status: 101 },
    { code: "session.limit", status: 101 },
    { code: "stream.busy", status: 101 },
    { code: "gateway.closing", status: 101 },
    { code: "stream.name", status: 102 },
    { code: "access.required", status: 103 },
    { code: "access.invalid", status: 103 },
    { code: "access.denied", status: 103 },
    { code: "access.unavailable", status: 103 },
    { code: "stream.not_live", status: 104 },
  ] as const)("for $code has status $status", ({ code, status }) => {
    const refusal = exchange.refuse(request(), new GatewayError(code, "no"), 0) as Uint8Array
    expect(decodeLossless(refusal).status).toBe(status)
  })

  test("is given again to a copy of its request, without another decision", () => {
    const refusal = exchange.refuse(request(), NOT_LIVE, 0)
    expect(sent(offer())).toEqual(refusal)
  })

  test("of others pushes out no answer", () => {
    const answer = exchange.answer(request(), ANSWER, 0)
    for (let seq = 2; seq < 20; seq++) exchange.refuse(request(offer({ seq })), NOT_LIVE, 0)
    expect(sent(offer())).toEqual(answer)
  })

  test("may bring a cookie", () => {
    const cookie = new Uint8Array(16).fill(9)
    const refusal = exchange.refuse(request(), NOT_LIVE, 0, cookie) as Uint8Array
    expect(decodeLossless(refusal).cookie).toEqual(cookie)
  })
})

describe("what cannot be read", () => {
  test("is refused under its number where that can be read", () => {
    const broken = offer({ seq: 300 }, 0).subarray(0, 20)
    const refusal = sent(broken) as Uint8Array
    expect(decodeLossless(refusal)).toMatchObject({ type: "error", seq: 300, status: STATUS.badFormat })
    expect(refusal.length).toBeLessThanOrEqual(broken.length)
  })

  test("in the public form is refused too", () => {
    const broken = new Uint8Array(80)
    broken.set([0xff, 0x53, 0x44, 0x50])
    broken.set([0x01, 0x02, 0x0e], 26) // sequence number 258, audio and video that do not come
    broken.fill(0xff, 29)
    expect(decodePacket(sent(broken) as Uint8Array)).toMatchObject({ seq: 258, status: STATUS.badFormat })
  })

  test("is refused where the URL names no stream", () => {
    const refusal = sent(offer({ streamUrl: "cam1" })) as Uint8Array
    expect(decodeLossless(refusal).status).toBe(STATUS.badStream)
  })

  test.each([
    { name: "nothing", datagram: [] },
    { name: "another version", datagram: [0xff, 0x53, 0x44, 0x50, 9, ...new Array(60).fill(0)] },
    { name: "the magic alone", datagram: [0xff, 0x53, 0x44, 0x50] },
    { name: "half a stop packet", datagram: [0xff, 0x53, 0x54, 0x50, 0, 0, 0, 0, 1, 0, 9] },
    { name: "half a detect packet", datagram: [0xff, 0x01, 0] },
    { name: "something else", datagram: [0xff, 0x99, 1, 2, 3] },
  ])("is dropped where it is $name", ({ datagram }) => {
    expect(exchange.push(Uint8Array.from(datagram), CLIENT, 0)).toBeUndefined()
  })
})

describe("a stop packet", () => {
  const bySession = encodeStop({ status: 0, seq: 1, svrsig: "session-1" })
  const byUfrags = encodeStop({ status: 0, seq: 1, svrsig: "2001:db8::1:ours:theirs" })

  function stop(datagram: Uint8Array) {
    const event = exchange.push(datagram, CLIENT, 0)
    if (event?.type !== "stopRequested") throw new Error(`no stop was requested: ${event?.type}`)
    return event.stop
  }

  test("means a session by its id or by the ufrags of both sides", () => {
    expect(stop(bySession).target).toEqual({ type: "id", sessionId: "session-1" })
    expect(stop(byUfrags).target).toEqual({ type: "ufrags", local: "ours", remote: "theirs" })
  })

  test("comes back when the session has ended, and again to each copy", () => {
    const answer = exchange.stopped(stop(bySession), true, 0)
    expect(answer).toEqual(bySession)
    expect(sent(bySession)).toEqual(bySession)
  })

  test("comes back with a status where there was no such session, which is asked again the next time", () => {
    const answer = exchange.stopped(stop(bySession), false, 0) as Uint8Array
    expect(decodeStop(answer)).toEqual({ status: 104, seq: 1, svrsig: "session-1" })
    expect(stop(bySession).target.type).toBe("id")
  })

  test("as a STUN message is answered as one", () => {
    const answer = exchange.stopped(stop(stun("stop", bySession)), true, 0) as Uint8Array
    expect(unwrapStun(answer)).toMatchObject({ kind: "stop", isResponse: true })
  })
})

test("a detect packet comes back as it is, also as a STUN message", () => {
  expect(sent(DETECT)).toEqual(DETECT)
  const echo = unwrapStun(sent(stun("detect", DETECT)) as Uint8Array)
  expect(echo).toMatchObject({ kind: "detect", isResponse: true })
  expect(Buffer.from(echo.packet)).toEqual(Buffer.from(DETECT))
})

const DETECT = encodeDetect({ sentAtMs: 123_456, token: Uint8Array.of(1, 2, 3) })

function pick({ sdp, sessionId, cookie }: typeof ANSWER) {
  return { sdp, sessionId, cookie }
}
