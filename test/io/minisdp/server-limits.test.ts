import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { GatewayError } from "../../../src/errors.ts"
import { MiniSdpServer, type OfferByUdp } from "../../../src/io/minisdp/server.ts"
import type { NetworkPath } from "../../../src/io/webrtc/remote-address.ts"
import type { OpenedSession } from "../../../src/io/webrtc/webrtc-service.ts"
import type { WebRtcSession } from "../../../src/io/webrtc/webrtc-session.ts"
import { encodeDetect } from "../../../src/minisdp/detect.ts"
import { SignalingExchange } from "../../../src/minisdp/exchange.ts"
import { decodeLossless, type LosslessPacket } from "../../../src/minisdp/lossless/envelope.ts"
import { decodePacket, encodePacket, errorPacket } from "../../../src/minisdp/packet.ts"
import { sessionFromSdp } from "../../../src/minisdp/session-from-sdp.ts"
import { losslessOffer, opusOffer } from "./raw-peer.ts"

const PORT = 8_000
const DETECT = encodeDetect({ sentAtMs: 1, token: Uint8Array.of(1) })

let nowMs: number
let server: MiniSdpServer
let sent: { datagram: Uint8Array; to: NetworkPath }[]
let early: Uint8Array[]
let bugs: unknown[]
let offers: OfferByUdp[]
/** Sessions by id, and whether their clients have shown where they are. */
let sessions: Map<string, { hasAddress: boolean; ended: string[] }>
/** What the next offer comes to. */
let open: (offer: OfferByUdp) => Promise<OpenedSession>

beforeEach(() => {
  nowMs = 0
  sent = []
  early = []
  bugs = []
  offers = []
  sessions = new Map()
  open = async ({ source }) => {
    const id = `session-${sessions.size}`
    sessions.set(id, { hasAddress: source?.isTrusted === true, ended: [] })
    return { id, type: "answer", sdp: "v=0\r\n", etag: "e", hasVideo: true }
  }
  const find = (id: string) => {
    const session = sessions.get(id)
    return (
      session &&
      (Object.assign(session, { id, end: (text: string) => session.ended.push(text) }) as unknown as WebRtcSession)
    )
  }
  server = new MiniSdpServer({
    transport: {
      port: PORT,
      send: (datagram, to) => sent.push({ datagram, to }),
      receiveDtls: (datagram) => early.push(datagram),
    },
    webrtc: { find, findByUfrags: () => undefined },
    open: (offer) => {
      offers.push(offer)
      return open(offer)
    },
    requestsPerSecond: 2,
    requestBurst: 5,
    maxUncheckedSessions: 3,
    nowMs: () => nowMs,
    onBug: (error) => bugs.push(error),
  })
})

afterEach(() => {
  vi.restoreAllMocks()
})

function path(address = "192.0.2.7", port = 40_000): NetworkPath {
  return { transport: "udp", family: 4, address, port }
}

/** Lets all decisions be made: none of them waits for anything but promises. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

async function ask(changes: Partial<LosslessPacket> = {}, source = path()): Promise<LosslessPacket | undefined> {
  server.push(losslessOffer("a=recvonly", changes), source)
  await settle()
  const answer = sent.pop()
  return answer && decodeLossless(answer.datagram)
}

describe("a source", () => {
  test("is heard as often as it may, and again after a pause; others are not touched by that", () => {
    for (let count = 0; count < 9; count++) server.push(DETECT, path())
    expect(sent).toHaveLength(5)
    expect(server.stats.rateLimited).toBe(4)
    server.push(DETECT, path("192.0.2.8"))
    expect(sent).toHaveLength(6)
    nowMs += 500
    server.push(DETECT, path())
    expect(sent).toHaveLength(7)
  })

  test("is counted by its address, whatever its ports", () => {
    for (let port = 40_000; port < 40_009; port++) server.push(DETECT, path("192.0.2.7", port))
    expect(sent).toHaveLength(5)
  })

  test("that could be a gateway is not echoed to, or two of them would never stop", () => {
    server.push(DETECT, path("192.0.2.7", PORT))
    expect(sent).toEqual([])
  })

  test("whose datagrams take long to read makes the gateway deaf for a while, not busy", () => {
    let readAtMs = 0
    vi.spyOn(SignalingExchange.prototype, "push").mockImplementation(() => {
      nowMs += 100
      readAtMs = nowMs
      return undefined
    })
    for (let i = 0; i < 9; i++) server.push(DETECT, path(`192.0.2.${i}`))
    expect([readAtMs, server.stats.rateLimited]).toEqual([400, 5])
    nowMs += 1_000
    server.push(DETECT, path())
    expect(readAtMs).toBe(1_500)
  })

  test("by TCP is none", () => {
    server.push(DETECT, { ...path(), transport: "tcp" })
    expect(sent).toEqual([])
  })
})

describe("sessions whose clients show nothing", () => {
  async function fill(): Promise<void> {
    for (let i = 1; i <= 3; i++) expect((await ask({}, path(`192.0.2.${i}`)))?.type).toBe("answer")
  }

  test("are as many as may be; then a client is asked to come again with a cookie, which lets it in", async () => {
    await fill()
    const refusal = await ask()
    expect(refusal).toMatchObject({ type: "error", status: 101 })
    expect(offers).toHaveLength(3)
    const answer = await ask({ cookie: refusal?.cookie as Uint8Array })
    expect(answer?.type).toBe("answer")
    expect(await ask({ cookie: refusal?.cookie as Uint8Array }, path("192.0.2.8"))).toMatchObject({ type: "error" })
  })

  test("make room for a client of the public form, which knows no cookies: the oldest goes", async () => {
    await fill()
    const session = { ...sessionFromSdp(opusOffer({ fingerprint: "AB:CD" })), isEncrypted: true }
    const offer = { ...errorPacket({ seq: 5, streamUrl: "host/live/cam1" }, 0), session }
    open = async () => {
      throw new GatewayError("stream.not_live", "not live")
    }
    server.push(encodePacket(offer), path())
    await settle()
    expect(decodePacket(sent.pop()?.datagram as Uint8Array)).toMatchObject({ seq: 5, status: 104 })
    expect([...sessions.values()].map(({ ended }) => ended.length)).toEqual([1, 0, 0])
  })

  test("count while they are decided on", async () => {
    const waiting: (() => void)[] = []
    open = () => new Promise((_, reject) => waiting.push(() => reject(new GatewayError("stream.not_live", "no"))))
    for (let i = 1; i <= 3; i++) server.push(losslessOffer("a=recvonly"), path(`192.0.2.${i}`))
    await settle()
    expect(await ask()).toMatchObject({ type: "error", status: 101 })
    for (const end of waiting) end()
    await settle()
    open = async () => ({ id: "last", type: "answer", sdp: "v=0\r\n", etag: "e", hasVideo: true })
    expect(await ask({}, path("192.0.2.8"))).toMatchObject({ type: "answer" })
  })

  test("make room when they do, or are over", async () => {
    await fill()
    const [first, second] = [...sessions]
    Object.assign(first?.[1] ?? {}, { hasAddress: true })
    sessions.delete(second?.[0] ?? "")
    expect((await ask({}, path("192.0.2.8")))?.type).toBe("answer")
    expect((await ask({}, path("192.0.2.9")))?.type).toBe("answer")
    expect((await ask({}, path("192.0.2.10")))?.type).toBe("error")
  })
})

describe("an offer", () => {
  test("hands on where it came from, and whether that is to be trusted", async () => {
    await ask({ streamUrl: "live/cam1?token=t", immSend: true })
    expect(offers[0]).toMatchObject({
      action: "play",
      stream: "live/cam1",
      token: "t",
      remoteAddress: "192.0.2.7",
      acceptsCounterOffer: false,
      source: { path: path(), isTrusted: false },
    })
  })

  test("is trusted with a cookie and the wish for it, from any port, but not later than twenty minutes after", async () => {
    const cookie = (await ask())?.cookie as Uint8Array
    const isTrusted = async (immSend: boolean) => (await ask({ immSend, cookie }, path("192.0.2.7", 50_000)))?.immSend
    expect(await isTrusted(false)).toBe(false)
    expect(await isTrusted(true)).toBe(true)
    expect(offers.at(-1)?.source).toEqual({ path: path("192.0.2.7", 50_000), isTrusted: true })
    nowMs = 1_200_000
    expect(await isTrusted(true)).toBe(false)
  })

  test("whose answer would be too long ends its session again", async () => {
    const sdp = Array.from({ length: 3_000 }, (_, i) => `a=${(i * 7_919) % 10_007}`).join("\r\n")
    open = async () => {
      sessions.set("long", { hasAddress: false, ended: [] })
      return { id: "long", type: "answer", sdp, etag: "e", hasVideo: true }
    }
    expect(await ask()).toMatchObject({ type: "error", status: 100, sdp: expect.stringContaining("pad the request") })
    expect(sessions.get("long")?.ended).toHaveLength(1)
  })

  test("that meets a bug is refused, and the bug is told", async () => {
    const bug = new TypeError("made by the test")
    open = async () => {
      throw bug
    }
    expect(await ask()).toMatchObject({ type: "error", status: 101 })
    expect(bugs).toEqual([bug])
  })

  test("that is refused is counted", async () => {
    open = async () => {
      throw new GatewayError("stream.not_live", "not live")
    }
    expect(await ask()).toMatchObject({ status: 104 })
    expect(server.stats).toMatchObject({ accepted: 0, refused: 1 })
  })
})

describe("DTLS that comes while an offer is decided on", () => {
  const hello = (length = 100) => new Uint8Array(length).fill(22)

  async function trustedOffer() {
    const cookie = (await ask())?.cookie as Uint8Array
    server.push(losslessOffer("a=recvonly", { immSend: true, cookie }), path())
  }

  test("is kept of a trusted source, in order, and handed over after the answer", async () => {
    await trustedOffer()
    const [first, second] = [hello(100), hello(200)]
    expect([server.keepDtls(first, path()), server.keepDtls(second, path())]).toEqual([true, true])
    expect(early).toEqual([])
    await settle()
    expect(early).toEqual([first, second])
    expect(server.keepDtls(hello(), path())).toBe(false)
  })

  test("is kept of no other source, and only little of it", async () => {
    server.push(losslessOffer("a=recvonly"), path("192.0.2.9"))
    expect(server.keepDtls(hello(), path("192.0.2.9"))).toBe(false)
    await settle()
    await trustedOffer()
    expect(server.keepDtls(hello(), path("192.0.2.7", 40_001))).toBe(false)
    expect(server.keepDtls(hello(1_501), path())).toBe(false)
    const kept = Array.from({ length: 9 }, () => server.keepDtls(hello(), path()))
    expect(kept.filter(Boolean)).toHaveLength(4)
  })
})
