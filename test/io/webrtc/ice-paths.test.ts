import { networkInterfaces } from "node:os"
import { describe, expect, test } from "vitest"
import { ICE_CONTROLLED, ICE_CONTROLLING, PRIORITY } from "../../../src/ice/stun.ts"
import { SrtcpSession } from "../../../src/io/webrtc/srtp/srtcp.ts"
import { WebRtcTransport } from "../../../src/io/webrtc/transport.ts"
import { checkFor, keysOf, RawClient } from "./raw-client.ts"
import { protectRtp, REPORT, TransportFixture } from "./transport-fixture.ts"

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"))
const fixture = new TransportFixture()
const { open, connect, settle } = fixture

describe("TCP", () => {
  test("carries a whole session: checks, DTLS and media both ways", async () => {
    const tcp = await fixture.openClient("tcp")
    const session = await connect({}, tcp)
    expect(session.peer.remote).toMatchObject({ transport: "tcp", address: "127.0.0.1", port: tcp.localPort })
    tcp.send(protectRtp(session.keys, 1))
    expect([...(await session.rtp).subarray(12)]).toEqual([5, 6, 7])
    const answer = tcp.next(128, 191)
    session.peer.sendRtcp(REPORT)
    expect(new SrtcpSession(session.keys).unprotect(await answer)).toEqual(REPORT)
  })

  test("sends what it was given also when the memory is used again at once", async () => {
    const tcp = await fixture.openClient("tcp")
    const { peer } = await connect({}, tcp)
    const arrived: Buffer[] = []
    const all = new Promise<void>((resolve) => {
      tcp.onDatagram = (datagram) => arrived.push(datagram) === 3 && resolve()
    })
    const memory = new Uint8Array(100)
    for (const value of [1, 2, 3]) fixture.transport.send(memory.fill(128 + value), peer.remote)
    memory.fill(0)
    await all
    expect(arrived.map((datagram) => datagram.at(-1))).toEqual([129, 130, 131])
  })

  test("and UDP are paths of one session, and USE-CANDIDATE chooses", async () => {
    const session = await connect()
    const { localUfrag, localPwd } = session.peer
    const tcp = await fixture.openClient("tcp")
    await tcp.check(localUfrag, localPwd, { isNominated: false })
    expect(session.peer.remote.transport).toBe("udp")
    await tcp.check(localUfrag, localPwd)
    expect(session.peer.remote).toMatchObject({ transport: "tcp", port: tcp.localPort })
    await fixture.client.check(localUfrag, localPwd)
    expect(session.peer.remote).toMatchObject({ transport: "udp", port: fixture.client.localPort })
  })

  test("that broke off leaves the session to the next check, nominated or not", async () => {
    const tcp = await fixture.openClient("tcp")
    const session = await connect({}, tcp)
    tcp.close()
    await expect.poll(() => fixture.transport.stats.tcpConnections, SOON).toBe(0)
    session.peer.sendRtcp(REPORT)
    expect(fixture.transport.stats).toMatchObject({ sessions: 1, sendErrors: 1 })
    await fixture.client.check(session.peer.localUfrag, session.peer.localPwd, { isNominated: false })
    expect(session.peer.remote.transport).toBe("udp")
  })

  test("is closed after 5 s without an authenticated check, and stays with one", async () => {
    const tcp = await fixture.openClient("tcp")
    const stranger = await fixture.openClient("tcp")
    const session = await connect({}, tcp)
    stranger.send(checkFor(session.peer.localUfrag, session.peer.localPwd, { password: "guess" }))
    await stranger.next(0, 3)
    fixture.nowMs += 5_000
    fixture.transport.checkTimeouts()
    await expect.poll(() => fixture.transport.stats, SOON).toMatchObject({ tcpConnections: 1, tcpRefused: 1 })
    tcp.send(protectRtp(session.keys, 1))
    await session.rtp
  })

  test("is closed with its session, after the goodbye", async () => {
    const tcp = await fixture.openClient("tcp")
    const session = await connect({}, tcp)
    const goodbye = tcp.next(21, 21)
    session.peer.close("stream is over")
    expect((await goodbye).readUInt16BE(3)).toBe(1)
    await expect.poll(() => fixture.transport.stats.tcpConnections, SOON).toBe(0)
  })
})

describe("rule 19: an ICE restart", () => {
  test("leaves media on the old path until the first check under the new login, which ends the old one", async () => {
    const session = await connect()
    const { localUfrag, localPwd } = session.peer
    const fresh = session.peer.restartIce("again")
    expect([fresh.ufrag, fresh.pwd]).not.toContain(localUfrag)
    expect(session.peer).toMatchObject({ localUfrag: fresh.ufrag, localPwd: fresh.pwd })

    await fixture.client.check(localUfrag, localPwd)
    expect(session.peer.remote.port).toBe(fixture.client.localPort)
    const moved = await fixture.openClient()
    await moved.check(fresh.ufrag, fresh.pwd, { remoteUfrag: "again" })
    expect(session.peer.remote.port).toBe(moved.localPort)
    moved.send(protectRtp(session.keys, 1))
    expect((await session.rtp).length).toBe(15)

    const { checksDropped } = fixture.transport.stats
    fixture.client.send(checkFor(localUfrag, localPwd))
    await settle()
    expect(fixture.transport.stats.checksDropped).toBe(checksDropped + 1)
    expect(session.peer.remote.port).toBe(moved.localPort)
  })

  test("needs the new ufrag of the peer and the new password", async () => {
    const session = await connect()
    const fresh = session.peer.restartIce("again")
    const attacker = await fixture.openClient()
    attacker.send(checkFor(fresh.ufrag, fresh.pwd))
    attacker.send(checkFor(fresh.ufrag, session.peer.localUfrag, { remoteUfrag: "again" }))
    await settle()
    expect(fixture.transport.stats.checksRefused).toBe(2)
    expect(session.peer.remote.port).toBe(fixture.client.localPort)
  })

  test("rule 21: that fails leaves the session as it was, until it is silent", async () => {
    const session = await connect()
    const { localUfrag, localPwd } = session.peer
    session.peer.restartIce("never")
    fixture.nowMs += 9_000
    await fixture.client.check(localUfrag, localPwd)
    fixture.client.send(protectRtp(session.keys, 1))
    await session.rtp
    fixture.nowMs += 10_000
    fixture.transport.checkTimeouts()
    expect(await session.closed).toMatchObject({ type: "silent" })
    fixture.client.send(checkFor(localUfrag, localPwd))
    await settle()
    expect(fixture.transport.stats.checksDropped).toBe(1)
  })

  test("in place of one that no check followed makes that one's login void", async () => {
    const session = await connect()
    const { localUfrag, localPwd } = session.peer
    const first = session.peer.restartIce("again")
    const second = session.peer.restartIce("again")
    fixture.client.send(checkFor(first.ufrag, first.pwd, { remoteUfrag: "again" }))
    await settle()
    expect(fixture.transport.stats.checksDropped).toBe(1)
    await fixture.client.check(localUfrag, localPwd)
    await fixture.client.check(second.ufrag, second.pwd, { remoteUfrag: "again" })
  })
})

describe("rule 37: a session that we offered", () => {
  test("takes checks before the answer, and begins DTLS with it", async () => {
    const session = open({ isOffer: true })
    expect(session.peer.setup).toBe("actpass")
    await fixture.client.check(session.peer.localUfrag, session.peer.localPwd)
    session.peer.setRemote(fixture.remote())
    expect(session.peer.setup).toBe("passive")
    const dtls = fixture.client.openDtls("client", fixture.identity)
    expect((await session.connected).remote).toEqual(keysOf(dtls).local)
  })

  test("asks for the handshake itself where the answer is passive", async () => {
    const session = open({ isOffer: true })
    fixture.client.openDtls("server", fixture.identity)
    await fixture.client.check(session.peer.localUfrag, session.peer.localPwd)
    session.peer.setRemote(fixture.remote({ role: "client" }))
    await session.connected
  })

  test("knows the peer by the answer: another ufrag or certificate is refused from then on", async () => {
    const session = open({ isOffer: true })
    session.peer.setRemote(fixture.remote({ fingerprint: fixture.stranger.fingerprint }))
    fixture.client.send(checkFor(session.peer.localUfrag, session.peer.localPwd, { remoteUfrag: "other" }))
    await settle()
    expect(fixture.transport.stats.checksRefused).toBe(1)
    await fixture.client.check(session.peer.localUfrag, session.peer.localPwd)
    fixture.client.openDtls("client", fixture.identity)
    expect(await session.closed).toMatchObject({ error: { code: "dtls.peer" } })
  })

  test("ends without an answer after 30 s, and has the time to connect from the answer on", async () => {
    const unanswered = open({ isOffer: true })
    const late = open({ isOffer: true })
    fixture.nowMs += 29_999
    fixture.transport.checkTimeouts()
    late.peer.setRemote(fixture.remote())
    fixture.nowMs += 1
    fixture.transport.checkTimeouts()
    expect(await unanswered.closed).toMatchObject({ error: { message: expect.stringContaining("no answer") } })
    expect(fixture.transport.stats.sessions).toBe(1)
    fixture.nowMs += 15_000
    fixture.transport.checkTimeouts()
    expect(await late.closed).toMatchObject({ type: "failed" })
  })
})

describe("rules 18 and 26: the first check, of a peer that announced no candidates", () => {
  const word = (value: number) => Uint8Array.of(value >> 24, value >> 16, value >> 8, value)

  test.each([
    { name: "ffmpeg 8.0's: nominating, without PRIORITY and role", options: {} },
    {
      name: "ffmpeg 8.1's: nominating, with PRIORITY and role",
      options: {
        attributes: [
          { type: PRIORITY, value: word(0x6e7f00ff) },
          { type: ICE_CONTROLLING, value: new Uint8Array(8).fill(9) },
        ],
      },
    },
    {
      name: "OBS's: with PRIORITY, role and SOFTWARE, not nominating yet",
      options: {
        isNominated: false,
        attributes: [
          { type: 0x8022, value: new TextEncoder().encode("libjuice") },
          { type: PRIORITY, value: word(0x6e7f1eff) },
          { type: ICE_CONTROLLING, value: new Uint8Array(8).fill(3) },
        ],
      },
    },
    {
      name: "Chromium's: with NETWORK-COST, of the optional range",
      options: {
        isNominated: false,
        attributes: [
          { type: 0xc057, value: word(0x0003000a) },
          { type: ICE_CONTROLLING, value: new Uint8Array(8).fill(5) },
          { type: PRIORITY, value: word(0x6e7f1eff) },
        ],
      },
    },
  ])("$name, opens the path and repeats change nothing", async ({ options }) => {
    const session = open()
    const { localUfrag, localPwd } = session.peer
    const answer = await fixture.client.check(localUfrag, localPwd, options)
    expect(answer.readUInt16BE(0)).toBe(0x0101)
    for (let n = 0; n < 3; n++) await fixture.client.check(localUfrag, localPwd, options)
    expect(session.peer.remote).toMatchObject({ transport: "udp", port: fixture.client.localPort })
    const dtls = fixture.client.openDtls("client", fixture.identity)
    expect((await session.connected).remote).toEqual(keysOf(dtls).local)
  })

  test("an offerer that believes to be controlled is told to change over", async () => {
    const { peer } = open()
    const attributes = [{ type: ICE_CONTROLLED, value: new Uint8Array(8) }]
    const answer = await fixture.client.check(peer.localUfrag, peer.localPwd, { attributes, isNominated: false })
    expect(answer.readUInt16BE(0)).toBe(0x0111)
    expect(peer.remote.isKnown).toBe(false)
    await fixture.client.check(peer.localUfrag, peer.localPwd)
    expect(peer.remote.isKnown).toBe(true)
  })
})

test("the self test reaches every announced candidate, by UDP and TCP, and leaves nothing behind", async () => {
  const { port } = fixture.transport
  expect(await fixture.transport.selfTest()).toEqual([
    { candidate: { protocol: "udp", address: "127.0.0.1", port }, reachable: true },
    { candidate: { protocol: "tcp", address: "127.0.0.1", port }, reachable: true },
  ])
  expect(fixture.transport.stats).toMatchObject({ sessions: 0, logins: 0, checksRefused: 0 })
  await expect.poll(() => fixture.transport.stats.tcpConnections, SOON).toBe(0)
})

test.skipIf(!hasIpv6)(
  "IPv6 and IPv4, UDP and TCP are on one port number, and one session has paths by all of them",
  async () => {
    const transport = await WebRtcTransport.listen({
      hosts: ["127.0.0.1", "::1"],
      port: 0,
      maxSessions: 1,
      connectTimeoutMs: 15_000,
      idleTimeoutMs: 10_000,
      onBug: (error) => fixture.bugs.push(error),
    })
    const { localUfrag, localPwd, remote } = transport.open({ remote: fixture.remote(), events: {} })
    for (const { protocol, address, port } of transport.candidates("::1")) {
      const client = await (protocol === "udp" ? RawClient.open(port, address) : RawClient.openTcp(port, address))
      await client.check(localUfrag, localPwd)
      expect(remote).toMatchObject({ transport: protocol, address, port: client.localPort })
      client.close()
    }
    expect((await transport.selfTest()).map(({ reachable }) => reachable)).toEqual([true, true, true, true])
    await transport.close("test is over")
  },
)

test("nothing is left of sessions that came and went, also of those that nobody ended", async () => {
  for (let round = 0; round < 20; round++) {
    const [ended, lost, restarted] = [open(), open(), open({ isOffer: true })]
    const tcp = await fixture.openClient("tcp")
    for (const { peer } of [ended, lost, restarted]) await tcp.check(peer.localUfrag, peer.localPwd)
    restarted.peer.restartIce("again")
    ended.peer.close("ended by DELETE")
    tcp.close()
    fixture.nowMs += 30_000
    fixture.transport.checkTimeouts()
    await Promise.all([ended.closed, lost.closed, restarted.closed])
  }
  const nothing = { sessions: 0, logins: 0, tcpConnections: 0 }
  await expect.poll(() => fixture.transport.stats, SOON).toMatchObject(nothing)
})

test("a peer has eight paths at most: the oldest one that is not in use goes", async () => {
  const { peer } = await connect()
  for (let n = 0; n < 9; n++) {
    const tcp = await fixture.openClient("tcp")
    await tcp.check(peer.localUfrag, peer.localPwd, { isNominated: false })
  }
  await expect.poll(() => fixture.transport.stats.tcpConnections, SOON).toBe(7)
  expect(peer.remote.transport).toBe("udp")
})

/** What comes from a socket takes a turn or two of the event loop, and longer on a busy machine. */
const SOON = { timeout: 5_000, interval: 5 }
