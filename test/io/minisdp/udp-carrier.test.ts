import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { LOSSLESS_FORM } from "../../../src/io/minisdp/forms.ts"
import type { ReceivedAnswer, SignalingPeer } from "../../../src/io/minisdp/play-session.ts"
import { UdpCarrier } from "../../../src/io/minisdp/udp-carrier.ts"
import { decodeLossless, encodeLossless, type LosslessPacket } from "../../../src/minisdp/lossless/envelope.ts"
import { decodeStop } from "../../../src/minisdp/stop.ts"

const GATEWAY = { transport: "udp", family: 4, address: "192.0.2.1", port: 8000 } as const
const COOKIE = Uint8Array.of(1, 2, 3, 4)
const HELLO = Uint8Array.of(22, 0xfe, 0xfd)
let sent: { readonly atMs: number; readonly datagram: Uint8Array }[]
const peer: SignalingPeer = {
  send: (datagram) => void sent.push({ atMs: Date.now(), datagram }),
  beginHandshake: () => HELLO,
}

beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
  sent = []
})
afterEach(() => {
  vi.useRealTimers()
})

test("an offer is sent at 0, 20 and 60 ms, then with doubling pauses, and given up after 3 s", async () => {
  const { outcome } = begin()
  await vi.advanceTimersByTimeAsync(3_000)
  expect(sent.map(({ atMs }) => atMs)).toEqual([0, 20, 60, 160, 360, 760, 1560])
  expect(new Set(sent.map(({ datagram }) => datagram)).size).toBe(1)
  expect(await outcome).toMatchObject({ code: "stream.not_live" })
})

test("an answer ends the repeats, and tells the way that worked", async () => {
  const { carrier, outcome } = begin()
  await vi.advanceTimersByTimeAsync(30)
  carrier.onSignal(packet({ cookie: COOKIE }), GATEWAY)
  expect(await outcome).toMatchObject({ sdp: "v=0\r\n", address: GATEWAY, hasHello: false })
  expect(carrier.cookie).toEqual(COOKIE)
  await vi.advanceTimersByTimeAsync(3_000)
  expect(sent).toHaveLength(2)
})

test("what is no answer to this offer changes nothing", async () => {
  const { carrier, outcome } = begin()
  carrier.onSignal(packet({}), { ...GATEWAY, port: 8001 })
  carrier.onSignal(packet({ seq: 8 }), GATEWAY)
  carrier.onSignal(Uint8Array.of(0xff, 0x53), GATEWAY)
  await vi.advanceTimersByTimeAsync(3_000)
  expect(await outcome).toMatchObject({ code: "stream.not_live" })
})

test.each([
  { status: 100, code: "minisdp.packet" },
  { status: 101, code: "sdp.unsupported" },
  { status: 102, code: "stream.name" },
  { status: 103, code: "access.denied" },
  { status: 104, code: "stream.not_live" },
  { status: 999, code: "sdp.unsupported" },
])("status $status is $code, with the gateway's words and no control characters", async ({ status, code }) => {
  const { carrier, outcome } = begin()
  carrier.onSignal(packet({ type: "error", status, sdp: "so\u001b[31m it is" }), GATEWAY)
  const message = expect.stringMatching(new RegExp(`status ${status}: so \\[31m it is`))
  expect(await outcome).toMatchObject({ code, message })
})

test("with a cookie the ClientHello goes out behind the first offer, and not behind the next two", async () => {
  const { carrier, outcome } = begin(COOKIE)
  await vi.advanceTimersByTimeAsync(200)
  expect(sent.map(({ datagram }) => datagram[0])).toEqual([0xff, 22, 0xff, 0xff, 0xff, 22])
  expect(decodeLossless(sent[0]?.datagram as Uint8Array)).toMatchObject({ immSend: true, cookie: COOKIE, seq: 7 })
  carrier.onSignal(packet({ immSend: true }), GATEWAY)
  expect(await outcome).toMatchObject({ hasHello: true })
})

test("a refusal with a cookie is answered with the cookie, once", async () => {
  const { carrier, outcome } = begin()
  carrier.onSignal(packet({ type: "error", status: 101, cookie: COOKIE }), GATEWAY)
  await vi.advanceTimersByTimeAsync(1)
  expect(sent.map(({ datagram }) => datagram[0])).toEqual([0xff, 0xff, 22])
  expect(decodeLossless(sent[1]?.datagram as Uint8Array)).toMatchObject({ seq: 8, immSend: true, cookie: COOKIE })
  carrier.onSignal(packet({ seq: 8, type: "error", status: 101, cookie: COOKIE }), GATEWAY)
  expect(await outcome).toMatchObject({ code: "sdp.unsupported" })
})

test("a cookie that the gateway does not take leaves the ClientHello to be sent again", async () => {
  const { carrier, outcome } = begin(COOKIE)
  carrier.onSignal(packet({ immSend: false }), GATEWAY)
  expect(await outcome).toMatchObject({ hasHello: false })
})

test("the end is told by the id of the session, where there is one", async () => {
  const { carrier, outcome } = begin()
  carrier.onClosing(peer)
  expect(sent).toHaveLength(1)
  carrier.onSignal(packet({ sessionId: "the-session" }), GATEWAY)
  await outcome
  carrier.onClosing(peer)
  expect(decodeStop(sent[1]?.datagram as Uint8Array)).toMatchObject({ seq: 7, svrsig: "the-session" })
})

function begin(cookie = new Uint8Array(0)): { carrier: UdpCarrier; outcome: Promise<ReceivedAnswer | Error> } {
  const streamUrl = "live/cam1?token=secret"
  const carrier = new UdpCarrier({ form: LOSSLESS_FORM, gateway: GATEWAY, host: "edge", streamUrl, seq: 7, cookie })
  return { carrier, outcome: carrier.exchange("v=0\r\n", peer).catch((error: Error) => error) }
}

function packet(changes: Partial<LosslessPacket>): Uint8Array {
  const cookie = new Uint8Array(0)
  const answer = { type: "answer", seq: 7, status: 0, immSend: false, streamUrl: "", sessionId: "" } as const
  return encodeLossless({ ...answer, cookie, sdp: "v=0\r\n", ...changes })
}
