import { beforeEach, describe, expect, test } from "vitest"
import { ALERT, DTLS_1_2, serializeDtlsRecord } from "../../../src/io/webrtc/dtls-record.ts"
import type { DtlsIdentity } from "../../../src/io/webrtc/identity.ts"
import { SrtcpSession } from "../../../src/io/webrtc/srtp/srtcp.ts"
import type { WebRtcTransport } from "../../../src/io/webrtc/transport.ts"
import { keysOf, RawClient } from "./raw-client.ts"
import { protectRtp, REPORT, type Session, TransportFixture } from "./transport-fixture.ts"

const fixture = new TransportFixture()
const { open, connect, settle } = fixture
let transport: WebRtcTransport
let client: RawClient
let identity: DtlsIdentity
let stranger: DtlsIdentity

beforeEach(() => {
  ;({ transport, client, identity, stranger } = fixture)
})

describe("a peer that is a DTLS client", () => {
  test("connects with the same keys on both ends, and media goes both ways", async () => {
    const session = await connect()
    const ours = await session.connected
    expect(ours.remote).toEqual(session.keys.local)
    expect(ours.local).toEqual(session.keys.remote)
    client.send(protectRtp(session.keys, 1))
    expect((await session.rtp).subarray(12)).toEqual(Buffer.of(5, 6, 7))
    const srtcp = new SrtcpSession(session.keys)
    client.send(srtcp.protect(REPORT))
    expect(await session.rtcp).toEqual(REPORT)
    const answer = client.next(128, 191)
    session.peer.sendRtcp(REPORT)
    expect(srtcp.unprotect(await answer)).toEqual(REPORT)
  })

  test.each<{ offered: (1 | 7)[]; profile: string }>([
    { offered: [7, 1], profile: "AES128_CM_SHA1_80" },
    { offered: [1], profile: "AES128_CM_SHA1_80" },
    { offered: [7], profile: "AEAD_AES_128_GCM" },
  ])("gets $profile when it offers $offered", async ({ offered, profile }) => {
    const session = open()
    await client.check(session.peer.localUfrag, session.peer.localPwd)
    client.openDtls("client", identity, offered)
    expect((await session.connected).profile).toBe(profile)
  })

  test("is refused when it offers no SRTP at all", async () => {
    const session = open()
    await client.check(session.peer.localUfrag, session.peer.localPwd)
    client.openDtls("client", identity, [])
    expect(await session.closed).toMatchObject({ type: "failed", error: { code: "dtls.handshake" } })
  })

  test.each(["sha-384", "sha-512"])("is known by a %s fingerprint too", async (algorithm) => {
    const { X509Certificate } = await import("node:crypto")
    const { fingerprintOf } = await import("../../../src/io/webrtc/dtls-verify.ts")
    const der = new X509Certificate(identity.certPem).raw
    const fingerprint = fingerprintOf(der, algorithm === "sha-384" ? "sha384" : "sha512").toLowerCase()
    await connect({ algorithm, fingerprint })
  })

  test.each([
    { name: "another certificate", fingerprint: "00:11", algorithm: "sha-256" },
    { name: "a fingerprint of a kind that proves nothing", fingerprint: "00:11", algorithm: "md5" },
  ])("is refused with $name", async ({ fingerprint, algorithm }) => {
    const session = open({ fingerprint, algorithm })
    await client.check(session.peer.localUfrag, session.peer.localPwd)
    client.openDtls("client", identity)
    expect(await session.closed).toMatchObject({ type: "failed", error: { code: "dtls.peer" } })
  })

  test("is refused with a stolen certificate: the right fingerprint, another key", async () => {
    const session = open()
    await client.check(session.peer.localUfrag, session.peer.localPwd)
    client.openDtls("client", { ...identity, keyPem: stranger.keyPem })
    const reason = await session.closed
    expect(reason).toMatchObject({ type: "failed", error: { code: "dtls.peer" } })
    expect(reason).toMatchObject({ error: { message: expect.stringContaining("does not hold the key") } })
  })

  test("connects although each datagram comes twice", async () => {
    client.mangle = (datagram) => [datagram, datagram]
    await connect()
  })

  test("connects although its messages come in small fragments, last one first", async () => {
    client.mangle = (datagram) => splitHandshake(datagram, 50).reverse()
    await connect()
  })

  test("connects although its last flight is lost once after the key exchange", async () => {
    let isLost = false
    client.mangle = (datagram) => {
      const isFinished = datagram.readUInt16BE(3) === 1
      if (!isFinished || isLost) return [datagram]
      isLost = true
      return []
    }
    await connect()
  })

  test.each([
    { name: "announces 16 MB", type: 11, length: 0xffffff },
    { name: "comes out of place", type: 20, length: 3 },
  ])("is refused when a handshake message $name", async ({ type, length }) => {
    const session = open()
    await client.check(session.peer.localUfrag, session.peer.localPwd)
    const message = Buffer.from([type, length >> 16, length >> 8, length, 0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3])
    client.send(Buffer.concat([Buffer.from([22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, message.length]), message]))
    expect(await session.closed).toMatchObject({ type: "failed", error: { code: "dtls.handshake" } })
  })
})

describe("a peer that is a DTLS server", () => {
  async function begin(shown: DtlsIdentity): Promise<Session & { dtls: ReturnType<RawClient["openDtls"]> }> {
    const session = open({ role: "client" })
    const dtls = client.openDtls("server", shown)
    await client.check(session.peer.localUfrag, session.peer.localPwd)
    return { ...session, dtls }
  }

  test("is asked for a handshake and connects", async () => {
    const session = await begin(identity)
    expect(session.peer.setup).toBe("active")
    expect((await session.connected).remote).toEqual(keysOf(session.dtls).local)
  })

  test.each([
    { name: "another certificate", shown: () => stranger },
    { name: "a stolen certificate", shown: () => ({ ...identity, keyPem: stranger.keyPem }) },
  ])("is refused with $name", async ({ shown }) => {
    const session = await begin(shown())
    expect(await session.closed).toMatchObject({ type: "failed", error: { code: "dtls.peer" } })
  })
})

describe("a connected session", () => {
  test("takes a packet once, and counts the replay and a forgery", async () => {
    const session = await connect()
    const packet = protectRtp(session.keys, 1)
    const forged = protectRtp({ ...session.keys, local: session.keys.remote }, 2)
    for (const datagram of [packet, packet, forged]) client.send(datagram)
    await settle()
    expect(session.peer.stats).toMatchObject({ receivedPackets: 1, droppedPackets: 2 })
    expect(transport.stats.srtpDropped).toBe(2)
  })

  test("is not ended by a plain alert, nor restarted by a plain ClientHello", async () => {
    const session = await connect()
    client.send(Buffer.from([21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40]))
    client.openDtls("client", identity)
    await settle()
    client.send(protectRtp(session.keys, 1))
    expect((await session.rtp).length).toBe(15)
  })

  test("ends when the peer says goodbye, but not for an alert that somebody else sealed", async () => {
    const { dtls, closed } = await connect()
    const header = { type: ALERT, version: DTLS_1_2, epoch: 1, sequenceNumber: 20 }
    const sealed = dtls.cipher.cipher.encrypt(dtls.sessionType, Buffer.of(1, 0), header)
    client.send(serializeDtlsRecord(ALERT, 1, 21, sealed))
    await settle()
    expect(transport.stats.sessions).toBe(1)
    client.send(serializeDtlsRecord(ALERT, 1, 20, sealed))
    expect(await closed).toEqual({ type: "closedByPeer" })
  })

  test("says goodbye to the peer", async () => {
    const session = await connect()
    const goodbye = client.next(21, 21)
    session.peer.close("stream is over")
    expect((await goodbye).readUInt16BE(3)).toBe(1)
    expect(await session.closed).toEqual({ type: "closedByUs", text: "stream is over" })
    expect(transport.stats.sessions).toBe(0)
  })

  test("follows the peer to another address, and still takes what comes from the old one", async () => {
    const session = await connect()
    const second = await RawClient.open(transport.port)
    await second.check(session.peer.localUfrag, session.peer.localPwd)
    expect(session.peer.remote.port).toBe(second.localPort)
    client.send(protectRtp(session.keys, 1))
    await session.rtp
    second.send(protectRtp(session.keys, 2))
    await settle()
    second.close()
    expect(session.peer.stats.receivedPackets).toBe(2)
  })

  test("ends when it was silent for too long, which checks prevent", async () => {
    const session = await connect()
    fixture.nowMs += 9_000
    await client.check(session.peer.localUfrag, session.peer.localPwd)
    fixture.nowMs += 9_000
    transport.checkTimeouts()
    expect(transport.stats.sessions).toBe(1)
    fixture.nowMs += 1_000
    transport.checkTimeouts()
    expect(await session.closed).toEqual({ type: "silent", idleMs: 10_000 })
  })

  test("alone is ended by a bug in the code that takes its media", async () => {
    const session = await connect({ throwing: true })
    const other = open()
    client.send(protectRtp(session.keys, 1))
    expect(await session.closed).toMatchObject({ type: "bug" })
    expect(fixture.bugs.splice(0)).toHaveLength(1)
    expect(transport.stats.sessions).toBe(1)
    other.peer.close("done")
  })
})

test("a session that never connects ends and says how far it came", async () => {
  const idle = open()
  const halfway = open()
  await client.check(halfway.peer.localUfrag, halfway.peer.localPwd)
  client.send(Buffer.from([21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40]))
  await settle()
  fixture.nowMs += 15_000
  transport.checkTimeouts()
  expect(await idle.closed).toMatchObject({ error: { message: expect.stringContaining("no connectivity check") } })
  expect(await halfway.closed).toMatchObject({ error: { message: expect.stringContaining("alert 40") } })
})

test("there are no more sessions than the limit", () => {
  for (let n = 0; n < 3; n++) open()
  expect(() => open()).toThrow(expect.objectContaining({ code: "session.limit" }))
})

test("garbage is dropped and counted, and nobody answers it", async () => {
  let answers = 0
  client.onDatagram = () => answers++
  const first = [0, 3, 20, 63, 64, 100, 128, 191, 200, 255]
  for (const byte of first) client.send(Buffer.alloc(40, byte))
  client.send(new Uint8Array(0))
  await settle()
  expect(transport.stats).toMatchObject({ checksDropped: 2, unknownSourceDatagrams: 4, unknownDatagrams: 5 })
  expect(answers).toBe(0)
})

/** Cuts each unencrypted handshake message of a datagram into records of their own. */
function splitHandshake(datagram: Buffer, size: number): Buffer[] {
  if (datagram[0] !== 22 || datagram.readUInt16BE(3) !== 0) return [datagram]
  const message = datagram.subarray(13)
  const length = message.readUIntBE(1, 3)
  const parts: Buffer[] = []
  for (let at = 0; at < length; at += size) {
    const fragment = message.subarray(12 + at, Math.min(12 + at + size, 12 + length))
    const head = Buffer.from(message.subarray(0, 12))
    head.writeUIntBE(at, 6, 3)
    head.writeUIntBE(fragment.length, 9, 3)
    const record = Buffer.from(datagram.subarray(0, 13))
    record.writeUInt16BE(12 + fragment.length, 11)
    parts.push(Buffer.concat([record, head, fragment]))
  }
  return parts
}
