import { describe, expect, test } from "vitest"
import { serializeDtlsRecord } from "../../../src/io/webrtc/dtls-record.ts"
import { SrtcpSession } from "../../../src/io/webrtc/srtp/srtcp.ts"
import { checkFor } from "./raw-client.ts"
import { type ConnectedSession, protectRtp, REPORT, TransportFixture } from "./transport-fixture.ts"

/** What nobody who lacks the keys can do to a session, tried from raw sockets; also from the peer's own address, as an address can be forged. */
const fixture = new TransportFixture()
const { connect, settle } = fixture

/** The session still takes the peer's media, and sends to where it sent. */
async function expectUntouched({ peer, keys }: ConnectedSession, sequenceNumber: number): Promise<void> {
  const before = peer.stats.receivedPackets
  fixture.client.send(protectRtp(keys, sequenceNumber))
  await settle()
  expect(peer.stats.receivedPackets).toBe(before + 1)
  expect(peer.remote.port).toBe(fixture.client.localPort)
}

describe("forged STUN", () => {
  test.each([
    { name: "the right ufrag and a wrong password", options: { password: "guess" } },
    { name: "no integrity", options: { password: null } },
    { name: "the ufrag of another peer", options: { remoteUfrag: "other" } },
  ])("with $name moves no session and does not open its door", async ({ options }) => {
    const session = await connect()
    const attacker = await fixture.openClient()
    attacker.send(checkFor(session.peer.localUfrag, session.peer.localPwd, options))
    attacker.send(protectRtp(session.keys, 1)) // right keys, but no check came from there
    attacker.send(serializeDtlsRecord(22, 0, 0, new Uint8Array(20)))
    await settle()
    expect(session.peer.stats.receivedPackets).toBe(0)
    expect(fixture.transport.stats).toMatchObject({ checksRefused: 1, unknownSourceDatagrams: 2, sessions: 1 })
    await expectUntouched(session, 2)
  })

  test("never gets back more bytes than it sent", async () => {
    const session = await connect()
    const attacker = await fixture.openClient()
    const request = checkFor(session.peer.localUfrag, session.peer.localPwd, { password: "guess" })
    const refusal = attacker.next(0, 3)
    attacker.send(request)
    expect((await refusal).length).toBeLessThanOrEqual(request.length)
  })

  test("does not keep a silent session alive, and neither does forged or replayed media", async () => {
    const session = await connect()
    const packet = protectRtp(session.keys, 1)
    fixture.client.send(packet)
    fixture.client.send(new SrtcpSession(session.keys).protect(REPORT))
    await session.rtcp
    fixture.nowMs += 9_999
    const wrongKeys = { ...session.keys, local: session.keys.remote }
    fixture.client.send(checkFor(session.peer.localUfrag, session.peer.localPwd, { password: "guess" }))
    fixture.client.send(packet)
    fixture.client.send(protectRtp(wrongKeys, 2))
    fixture.client.send(new SrtcpSession(wrongKeys).protect(REPORT))
    fixture.client.send(serializeDtlsRecord(23, 1, 9, new Uint8Array(30)))
    await settle()
    expect(session.peer.stats).toMatchObject({ receivedPackets: 2, droppedPackets: 3 })
    fixture.nowMs += 1
    fixture.transport.checkTimeouts()
    expect(await session.closed).toEqual({ type: "silent", idleMs: 10_000 })
  })
})

describe("liveness", () => {
  test.each([
    { name: "a check", send: ({ peer }: ConnectedSession) => checkFor(peer.localUfrag, peer.localPwd) },
    { name: "SRTP", send: ({ keys }: ConnectedSession) => protectRtp(keys, 7) },
    { name: "SRTCP", send: ({ keys }: ConnectedSession) => new SrtcpSession(keys).protect(REPORT) },
  ])("rule 6: $name of the peer keeps a session alive", async ({ send }) => {
    const session = await connect()
    fixture.nowMs += 9_000
    fixture.client.send(send(session))
    await settle()
    fixture.nowMs += 9_999
    fixture.transport.checkTimeouts()
    expect(fixture.transport.stats.sessions).toBe(1)
    fixture.nowMs += 1
    fixture.transport.checkTimeouts()
    expect(await session.closed).toMatchObject({ type: "silent" })
  })
})

describe("an address", () => {
  test("moves with an authenticated USE-CANDIDATE, and not with an authenticated check alone", async () => {
    const session = await connect()
    const second = await fixture.openClient()
    await second.check(session.peer.localUfrag, session.peer.localPwd, { isNominated: false })
    expect(session.peer.remote.port).toBe(fixture.client.localPort)
    await second.check(session.peer.localUfrag, session.peer.localPwd)
    expect(session.peer.remote.port).toBe(second.localPort)
  })

  test("does not move with an authentic check that somebody overheard", async () => {
    const session = await connect()
    const overheard = checkFor(session.peer.localUfrag, session.peer.localPwd)
    const answer = fixture.client.next(0, 3)
    fixture.client.send(overheard)
    await answer
    const attacker = await fixture.openClient()
    attacker.send(overheard)
    await settle()
    await expectUntouched(session, 1)
  })

  test("does not move to where authentic media comes from", async () => {
    const session = await connect()
    const second = await fixture.openClient()
    await second.check(session.peer.localUfrag, session.peer.localPwd, { isNominated: false })
    second.send(protectRtp(session.keys, 1))
    await session.rtp
    expect(session.peer.remote.port).toBe(fixture.client.localPort)
  })
})

describe("forged DTLS from the peer's own address", () => {
  const FATAL = Uint8Array.of(2, 40)
  const CLOSE_NOTIFY = Uint8Array.of(1, 0)

  test.each([
    { name: "a fatal alert in plaintext", record: () => serializeDtlsRecord(21, 0, 99, FATAL) },
    { name: "a close_notify in plaintext", record: () => serializeDtlsRecord(21, 0, 99, CLOSE_NOTIFY) },
    {
      name: "a close_notify in plaintext under the epoch of the keys",
      record: () => serializeDtlsRecord(21, 1, 99, CLOSE_NOTIFY),
    },
    { name: "an alert that is too long", record: () => serializeDtlsRecord(21, 1, 99, new Uint8Array(64).fill(1)) },
    { name: "application data", record: () => serializeDtlsRecord(23, 1, 99, new Uint8Array(40)) },
    { name: "a handshake message", record: () => serializeDtlsRecord(22, 0, 99, new Uint8Array(60)) },
    { name: "a Finished without the keys", record: () => serializeDtlsRecord(22, 1, 99, new Uint8Array(48)) },
    { name: "a record cut off", record: () => serializeDtlsRecord(21, 1, 99, FATAL).subarray(0, 14) },
  ])("$name does not close a session", async ({ record }) => {
    const session = await connect()
    for (let n = 0; n < 50; n++) fixture.client.send(record())
    await settle()
    expect(fixture.transport.stats.sessions).toBe(1)
    await expectUntouched(session, 1)
  })

  test("an alert in plaintext does not stop a handshake", async () => {
    const session = fixture.open()
    await fixture.client.check(session.peer.localUfrag, session.peer.localPwd)
    fixture.client.send(serializeDtlsRecord(21, 0, 0, FATAL))
    await settle()
    fixture.client.openDtls("client", fixture.identity)
    await session.connected
  })
})

test("replayed SRTP and SRTCP are dropped", async () => {
  const session = await connect()
  const rtp = protectRtp(session.keys, 1)
  const rtcp = new SrtcpSession(session.keys).protect(REPORT)
  for (const datagram of [rtp, rtcp, rtp, rtcp, rtp]) fixture.client.send(datagram)
  await settle()
  expect(session.peer.stats).toMatchObject({ receivedPackets: 2, droppedPackets: 3 })
})

test("a session id and a password cannot be guessed: no two are alike, and they are long", () => {
  const logins = [fixture.open(), fixture.open()].map(({ peer }) => peer)
  expect(new Set(logins.flatMap(({ id, localUfrag, localPwd }) => [id, localUfrag, localPwd])).size).toBe(6)
  for (const { id, localUfrag, localPwd } of logins) {
    expect(id).toMatch(/^[\da-f-]{36}$/)
    expect(localUfrag).toMatch(/^[\w+/]{8}$/)
    expect(localPwd).toMatch(/^[\w+/]{32}$/)
  }
})
