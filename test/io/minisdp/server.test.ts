import { beforeAll, describe, expect, test } from "vitest"
import type { ConfigInput } from "../../../src/config.ts"
import { createGateway, type Gateway } from "../../../src/gateway.ts"
import { createIdentity, type DtlsIdentity } from "../../../src/io/webrtc/identity.ts"
import type { SrtpKeys } from "../../../src/io/webrtc/srtp/keys.ts"
import { SrtcpSession } from "../../../src/io/webrtc/srtp/srtcp.ts"
import { createUnprotector } from "../../../src/io/webrtc/srtp/unprotect.ts"
import { encodeDetect } from "../../../src/minisdp/detect.ts"
import { decodeLossless } from "../../../src/minisdp/lossless/envelope.ts"
import { decodePacket, encodePacket, type MiniSdpPacket, stopSignature } from "../../../src/minisdp/packet.ts"
import { sessionFromSdp } from "../../../src/minisdp/session-from-sdp.ts"
import { decodeStop, encodeStop } from "../../../src/minisdp/stop.ts"
import { unwrapStun, wrapInStun } from "../../../src/minisdp/stun.ts"
import { type RtcpPacket, serializeRtcp } from "../../../src/rtp/rtcp.ts"
import { testScope } from "../../support/test-scope.ts"
import { until, within } from "../../support/wait.ts"
import { protectRtp } from "../webrtc/transport-fixture.ts"
import { attribute, losslessOffer, opusOffer, RawPeer } from "./raw-peer.ts"

const ADMIN = { authorization: "Bearer an-admin-token" }
const FIRST_RTP = 0x80
const LAST_RTP = 0xbf

let identity: DtlsIdentity
beforeAll(async () => {
  identity = await createIdentity()
})

const scope = testScope()

async function startGateway(input: ConfigInput = {}): Promise<Gateway> {
  const local = { host: "127.0.0.1", port: 0 }
  const gateway = await createGateway({
    http: local,
    rtmp: local,
    media: { host: ["127.0.0.1"], port: 0 },
    log: { level: "silent" },
    ...input,
    access: { adminTokens: ["an-admin-token"], ...input.access },
  })
  scope.defer(() => gateway.close())
  return gateway
}

async function sessions(gateway: Gateway): Promise<{ protocol: string }[]> {
  const response = await fetch(`${gateway.urls.http}/api/v1/sessions`, { headers: ADMIN })
  return ((await response.json()) as { sessions: { protocol: string }[] }).sessions
}

const viewerCount = async (gateway: Gateway) =>
  (await sessions(gateway)).filter(({ protocol }) => protocol === "whep").length

/** Publishes Opus under live/cam1 by UDP, a packet each 20 ms, until the test is over. */
async function publish(gateway: Gateway, token = ""): Promise<{ peer: RawPeer; keys: SrtpKeys; stop: () => void }> {
  const peer = await RawPeer.open(gateway.ports.media, scope)
  const streamUrl = `live/cam1${token && `?token=${token}`}`
  const { type, sdp } = await peer.offer(opusOffer(identity, { direction: "sendonly" }), { streamUrl })
  expect(type).toBe("answer")
  await peer.check(sdp)
  const keys = await peer.connect(identity)
  let sequenceNumber = 0
  const timer = setInterval(() => peer.raw.send(protectRtp(keys, sequenceNumber++)), 20)
  const stop = () => clearInterval(timer)
  scope.defer(stop)
  return { peer, keys, stop }
}

/** A viewer that has an answer, but has shown nothing yet. */
async function askToPlay(gateway: Gateway, changes: Parameters<RawPeer["offer"]>[1] = {}) {
  const peer = await RawPeer.open(gateway.ports.media, scope)
  const answer = await peer.offer(opusOffer(identity), changes)
  return { peer, answer }
}

describe("an offer by datagram", () => {
  test("publishes and plays: what one client sends, the other gets", async () => {
    const gateway = await startGateway()
    await publish(gateway)
    const { peer, answer } = await askToPlay(gateway)
    await peer.check(answer.sdp)
    const keys = await peer.connect(identity)
    const unprotector = createUnprotector(keys.remote)
    const packet = unprotector.unprotect(await nextRtp(peer))
    expect(Array.from(packet.subarray(-3))).toEqual([5, 6, 7])
  })

  test("in the public form is answered in it, with the ufrag of the offer", async () => {
    const gateway = await startGateway()
    await publish(gateway)
    const peer = await RawPeer.open(gateway.ports.media, scope)
    const offer = encodePacket(publicOffer(9))
    const answer = await peer.ask(offer)
    expect(answer.length).toBeLessThanOrEqual(3 * offer.length)
    const packet = decodePacket(answer)
    expect(packet).toMatchObject({
      type: "answer",
      status: 0,
      seq: 9,
      svrsig: "them",
      streamUrl: "edge.example/live/cam1",
    })
    expect(packet.session).toMatchObject({ direction: "sendonly", role: "passive", isEncrypted: true })
    expect(packet.session.candidates[0]).toMatchObject({ address: "127.0.0.1", port: gateway.ports.media })
  })

  test("in the public form asks for encryption, or is refused", async () => {
    const gateway = await startGateway()
    await publish(gateway)
    const peer = await RawPeer.open(gateway.ports.media, scope)
    const { session, ...rest } = publicOffer(9)
    const offer = encodePacket({ ...rest, session: { ...session, isEncrypted: false } })
    expect(decodePacket(await peer.ask(offer))).toMatchObject({ seq: 9, status: 101 })
  })

  test("inside of STUN is answered there, and never seen by ICE", async () => {
    const gateway = await startGateway()
    await publish(gateway)
    const peer = await RawPeer.open(gateway.ports.media, scope)
    const packet = losslessOffer(opusOffer(identity))
    const answer = peer.next(1, 1)
    peer.raw.send(wrapInStun({ kind: "sdp", packet, isResponse: false, xorKey: Uint8Array.of(1, 2, 3, 4) }))
    const wrapped = unwrapStun(await answer)
    expect(wrapped.isResponse).toBe(true)
    expect(decodeLossless(wrapped.packet)).toMatchObject({ type: "answer", status: 0 })
  })

  test("that comes several times gets one answer, to the byte, and one session", async () => {
    const gateway = await startGateway()
    await publish(gateway)
    const peer = await RawPeer.open(gateway.ports.media, scope)
    const offer = losslessOffer(opusOffer(identity))
    for (let copy = 0; copy < 3; copy++) peer.raw.send(offer)
    const first = await peer.next(0xff, 0xff)
    const again = await peer.ask(offer)
    expect(decodeLossless(first).type).toBe("answer")
    expect(again).toEqual(first)
    expect(await viewerCount(gateway)).toBe(1)
  })

  test.each([
    { name: "without a token", streamUrl: "live/cam1", status: 103 },
    { name: "with a wrong token", streamUrl: "live/cam1?token=not-the-viewer-key", status: 103 },
    { name: "for a stream that is not live", streamUrl: "live/cam2?token=the-viewer-key", status: 104 },
    { name: "for a name that cannot be", streamUrl: "live/no name?token=the-viewer-key", status: 102 },
    { name: "with something else than SDP", sdp: "hello", streamUrl: "live/cam1?token=the-viewer-key", status: 100 },
    { name: "for nothing that there is", sdp: "video", streamUrl: "live/cam1?token=the-viewer-key", status: 101 },
  ])("$name has status $status", async ({ sdp, streamUrl, status }) => {
    const gateway = await startGateway({
      access: { publishTokens: ["the-stream-key"], playTokens: ["the-viewer-key"] },
    })
    await publish(gateway, "the-stream-key")
    const peer = await RawPeer.open(gateway.ports.media, scope)
    const text = sdp === "video" ? opusOffer(identity).replaceAll("opus/48000/2", "PCMU/8000") : sdp
    const offer = losslessOffer(text ?? opusOffer(identity), { streamUrl })
    const refusal = await peer.ask(offer)
    expect(decodeLossless(refusal)).toMatchObject({ type: "error", status })
    expect(refusal.length).toBeLessThanOrEqual(offer.length)
    expect(await viewerCount(gateway)).toBe(0)
  })

  test("with the right token is let in", async () => {
    const gateway = await startGateway({
      access: { publishTokens: ["the-stream-key"], playTokens: ["the-viewer-key"] },
    })
    await publish(gateway, "the-stream-key")
    const { answer } = await askToPlay(gateway, { streamUrl: "live/cam1?token=the-viewer-key" })
    expect(answer).toMatchObject({ type: "answer", status: 0 })
  })

  test("is not heard where MiniSDP is switched off", async () => {
    const gateway = await startGateway({ minisdp: { enabled: false } })
    const peer = await RawPeer.open(gateway.ports.media, scope)
    peer.raw.send(encodeDetect({ sentAtMs: 1, token: Uint8Array.of(1) }))
    const response = await fetch(`${gateway.urls.http}/health`)
    expect(response.ok).toBe(true)
    expect(peer.received).toEqual([])
  })
})

describe("media goes", () => {
  test("nowhere before a check", async () => {
    const gateway = await startGateway()
    await publish(gateway)
    const { peer, answer } = await askToPlay(gateway)
    peer.raw.openDtls("client", identity)
    await peer.ask(encodeDetect({ sentAtMs: 1, token: Uint8Array.of(1) }))
    expect(peer.mediaBytes).toEqual([])
    await peer.check(answer.sdp)
    expect(await viewerCount(gateway)).toBe(1)
  })

  test("at once to an address that shows the cookie of its last answer: the gateway begins the handshake", async () => {
    const gateway = await startGateway()
    await publish(gateway)
    const { answer: before } = await askToPlay(gateway)
    const peer = await RawPeer.open(gateway.ports.media, scope)
    const keys = peer.connect(identity, "server")
    const sdp = opusOffer(identity, { setup: "passive" })
    const answer = await peer.offer(sdp, { immSend: true, cookie: before.cookie })
    expect(answer).toMatchObject({ type: "answer", immSend: true })
    const packet = createUnprotector((await keys).remote).unprotect(await nextRtp(peer))
    expect(Array.from(packet.subarray(-3))).toEqual([5, 6, 7])
    expect(peer.received.findIndex(([first]) => first === 0xff)).toBe(0)
  })

  test("to a client whose handshake comes right behind its offer", async () => {
    const gateway = await startGateway()
    await publish(gateway)
    const { answer: before } = await askToPlay(gateway)
    const peer = await RawPeer.open(gateway.ports.media, scope)
    const offer = losslessOffer(opusOffer(identity, { setup: "active" }), { immSend: true, cookie: before.cookie })
    const answer = peer.ask(offer)
    const helloes: Buffer[] = []
    peer.raw.mangle = (datagram) => {
      helloes.push(datagram)
      return helloes.length === 1 ? [datagram] : []
    }
    const reply = peer.next(20, 63)
    peer.raw.openDtls("client", identity)
    expect(decodeLossless(await answer)).toMatchObject({ type: "answer", immSend: true })
    await reply
    expect(helloes.length).toBeGreaterThan(0)
  })

  test.each([
    { name: "a forged cookie", cookie: () => new Uint8Array(16).fill(7) },
    { name: "a part of a cookie", cookie: (given: Uint8Array) => given.subarray(0, 8) },
    { name: "no cookie", cookie: () => new Uint8Array(0) },
  ])("nowhere for $name", async ({ cookie }) => {
    const gateway = await startGateway()
    await publish(gateway)
    const { answer: before } = await askToPlay(gateway)
    const peer = await RawPeer.open(gateway.ports.media, scope)
    const sdp = opusOffer(identity, { setup: "passive" })
    const answer = await peer.offer(sdp, { immSend: true, cookie: cookie(before.cookie) })
    expect(answer).toMatchObject({ type: "answer", immSend: false })
    await peer.ask(encodeDetect({ sentAtMs: 1, token: Uint8Array.of(1) }))
    expect(peer.mediaBytes).toEqual([])
  })
})

describe("a session ends", () => {
  async function connectedViewer(gateway: Gateway) {
    const { peer, answer } = await askToPlay(gateway)
    await peer.check(answer.sdp)
    const keys = await peer.connect(identity)
    await nextRtp(peer)
    return { peer, answer, keys }
  }

  test("by a stop packet with its id, which is answered, and again to a copy", async () => {
    const gateway = await startGateway()
    await publish(gateway)
    const { peer, answer } = await connectedViewer(gateway)
    const stop = encodeStop({ status: 0, seq: answer.seq, svrsig: answer.sessionId })
    const reply = await peer.ask(stop)
    expect(decodeStop(reply).status).toBe(0)
    expect(await viewerCount(gateway)).toBe(0)
    expect(await peer.ask(stop)).toEqual(reply)
  })

  test("by a stop packet with the ufrags of the public form, before any check", async () => {
    const gateway = await startGateway()
    await publish(gateway)
    const peer = await RawPeer.open(gateway.ports.media, scope)
    const answer = decodePacket(await peer.ask(encodePacket(publicOffer(4))))
    expect(await viewerCount(gateway)).toBe(1)
    const reply = await peer.ask(encodeStop({ status: 0, seq: 4, svrsig: stopSignature(answer) }))
    expect(decodeStop(reply).status).toBe(0)
    expect(await viewerCount(gateway)).toBe(0)
  })

  test("by no stop packet from another address, nor by one with a wrong id", async () => {
    const gateway = await startGateway()
    await publish(gateway)
    const { peer, answer } = await connectedViewer(gateway)
    const stranger = await RawPeer.open(gateway.ports.media, scope)
    const stop = { status: 0, seq: answer.seq, svrsig: answer.sessionId }
    expect(decodeStop(await stranger.ask(encodeStop(stop))).status).toBe(104)
    expect(decodeStop(await peer.ask(encodeStop({ ...stop, svrsig: `${answer.sessionId}x` }))).status).toBe(104)
    const ufrags = `127.0.0.1:${attribute(answer.sdp, "ice-ufrag")}:nobody`
    expect(decodeStop(await peer.ask(encodeStop({ ...stop, svrsig: ufrags }))).status).toBe(104)
    expect(await viewerCount(gateway)).toBe(1)
  })

  test.each([
    { name: "its own source", ssrcs: [77] },
    { name: "all of its sources", ssrcs: [] },
  ])("by a BYE for $name", async ({ ssrcs }) => {
    const gateway = await startGateway()
    await publish(gateway)
    const { peer, keys } = await connectedViewer(gateway)
    peer.raw.send(bye(keys, ssrcs))
    await until("the viewer to be gone", async () => (await viewerCount(gateway)) === 0)
  })

  test("by a BYE of its publisher", async () => {
    const gateway = await startGateway()
    const publisher = await publish(gateway)
    await connectedViewer(gateway)
    publisher.stop()
    publisher.peer.raw.send(bye(publisher.keys, [0x01020304]))
    await until("all to be gone", async () => (await sessions(gateway)).length === 0)
  })

  test("not by a BYE of its publisher for another source", async () => {
    const gateway = await startGateway()
    const publisher = await publish(gateway)
    const { peer } = await connectedViewer(gateway)
    publisher.peer.raw.send(bye(publisher.keys, [99]))
    await nextRtp(peer)
    await nextRtp(peer)
    expect(await sessions(gateway)).toHaveLength(2)
  })
})

function nextRtp(peer: RawPeer): Promise<Buffer> {
  const isRtp = (datagram: Buffer) => {
    const second = datagram[1] ?? 0
    return (second & 0x7f) === 96
  }
  const take = async (): Promise<Buffer> => {
    const datagram = await peer.next(FIRST_RTP, LAST_RTP)
    return isRtp(datagram) ? datagram : take()
  }
  return within(5_000, "a packet of sound", take())
}

function bye(keys: SrtpKeys, ssrcs: number[]): Uint8Array {
  const report: RtcpPacket = { type: "receiver_report", senderSsrc: 77, reports: [] }
  return new SrtcpSession(keys).protect(serializeRtcp([report, { type: "bye", ssrcs }]))
}

function publicOffer(seq: number): MiniSdpPacket {
  return {
    generation: "ext",
    type: "offer",
    status: 0,
    seq,
    immSend: false,
    streamUrl: "edge.example/live/cam1",
    svrsig: "",
    push: false,
    session: { ...sessionFromSdp(opusOffer(identity)), isEncrypted: true },
  }
}
