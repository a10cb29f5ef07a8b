import { readFileSync } from "node:fs"
import { beforeAll, describe, expect, test } from "vitest"
import { createGateway, type Gateway } from "../../../src/gateway.ts"
import { decodePacket, encodePacket, errorPacket } from "../../../src/minisdp/packet.ts"
import { sessionFromSdp } from "../../../src/minisdp/session-from-sdp.ts"
import { sessionToSdp } from "../../../src/minisdp/session-to-sdp.ts"
import { parseAnswer } from "../../../src/sdp/offer.ts"
import { bytesOf, vectors } from "../../minisdp/vectors.ts"
import { allowGatewayErrors } from "../../support/errors.ts"
import { groupScope, testScope } from "../../support/test-scope.ts"
import { RawPeer } from "./raw-peer.ts"

const scope = groupScope()
const perTest = testScope()
const fixture = (name: string) => readFileSync(`test/fixtures/sdp/${name}.sdp`, "utf8")

let gateway: Gateway
beforeAll(async () => {
  const local = { host: "127.0.0.1", port: 0 }
  const media = { host: ["127.0.0.1"], port: 0 }
  gateway = await createGateway({ http: local, rtmp: local, media, log: { level: "silent" } })
  scope.defer(() => gateway.close())
  const publisher = await RawPeer.open(gateway.ports.media, scope)
  const { type } = await publisher.offer(fixture("libdatachannel-whip"))
  expect(type).toBe("answer")
})

/** A packet that asks to play live/cam1, made of the offer of a real client. */
function offerOf(name: string, seq: number): Uint8Array {
  const session = { ...sessionFromSdp(fixture(name)), isEncrypted: true }
  return encodePacket({ ...errorPacket({ seq, streamUrl: "edge.example/live/cam1" }, 0), push: false, session })
}

const PLAYERS = ["chromium-whep", "gstreamer-whep", "werift-whep"]
test.each(PLAYERS)("the offer of %s is answered with H.264 and Opus, for an answer that parses", async (name) => {
  const peer = await RawPeer.open(gateway.ports.media, perTest)
  const offer = offerOf(name, 21)
  const bytes = await peer.ask(offer)
  expect(bytes.length).toBeLessThanOrEqual(3 * offer.length)
  const answer = decodePacket(bytes)
  expect(answer).toMatchObject({ type: "answer", status: 0, seq: 21, svrsig: decodePacket(offer).session.ufrag })
  const codecs = answer.session.media.flatMap((media) => media.codecs.map((codec) => codec.name))
  expect(codecs).toEqual(expect.arrayContaining(["H264", "opus"]))
  const { remote, media } = parseAnswer(sessionToSdp(answer.session, { type: "answer" }))
  expect(remote.fingerprints[0]?.algorithm).toBe("sha-256")
  expect(media.map(({ kind }) => kind).sort()).toEqual(["audio", "video"])
})

test("a publisher's packet opens a stream, which its push flag asks for", async () => {
  const peer = await RawPeer.open(gateway.ports.media, perTest)
  const session = { ...sessionFromSdp(fixture("libdatachannel-whip")), isEncrypted: true }
  const offer = { ...errorPacket({ seq: 3, streamUrl: "edge.example/live/pushed" }, 0), push: true, session }
  const answer = decodePacket(await peer.ask(encodePacket(offer)))
  expect(answer).toMatchObject({ type: "answer", status: 0, session: { direction: "recvonly" } })
  const viewer = await RawPeer.open(gateway.ports.media, perTest)
  const played = await viewer.offer(fixture("chromium-whep"), { streamUrl: "live/pushed" })
  expect(played.type).toBe("answer")
})

describe("the public vectors", () => {
  const offers = [...vectors("v0-base"), ...vectors("v0-ext")].flatMap(({ name, profile, packet_hex }) => {
    const datagram = bytesOf(packet_hex)
    const packet = allowGatewayErrors(() => decodePacket(datagram))
    return packet?.type === "offer" && packet.status === 0 ? [{ label: `${profile} ${name}`, datagram, packet }] : []
  })

  test.each(offers)("$label gets an answer of its number, and none that is too long", async ({ datagram, packet }) => {
    const peer = await RawPeer.open(gateway.ports.media, perTest)
    const bytes = await peer.ask(datagram)
    const answer = decodePacket(bytes)
    expect(answer.seq).toBe(packet.seq)
    expect([0, 100, 101, 102, 104]).toContain(answer.status)
    if (!packet.session.isEncrypted) expect(answer.status).not.toBe(0)
    expect(bytes.length).toBeLessThanOrEqual(answer.status === 0 ? 3 * datagram.length : datagram.length)
  })
})

test.each(PLAYERS)("the offer of %s in the lossless form is long enough for its answer", async (name) => {
  const peer = await RawPeer.open(gateway.ports.media, perTest)
  expect(await peer.offer(fixture(name))).toMatchObject({ type: "answer", status: 0 })
})
