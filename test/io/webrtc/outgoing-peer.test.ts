import { afterEach, beforeEach, expect, test } from "vitest"
import type { TransportAddress } from "../../../src/ice/ip-address.ts"
import { OutgoingPeer } from "../../../src/io/webrtc/outgoing-peer.ts"
import type { SrtpKeys } from "../../../src/io/webrtc/srtp/keys.ts"
import type { PeerCloseReason } from "../../../src/io/webrtc/transport-peer.ts"
import { protectRtp, REPORT, TransportFixture } from "./transport-fixture.ts"

/** Our own client against our own gateway's transport. */
const fixture = new TransportFixture()
let peer: OutgoingPeer
let connected: PromiseWithResolvers<SrtpKeys>
let closed: PromiseWithResolvers<PeerCloseReason>
let rtp: PromiseWithResolvers<Uint8Array>
let rtcp: PromiseWithResolvers<Uint8Array>

beforeEach(async () => {
  connected = Promise.withResolvers()
  closed = Promise.withResolvers()
  rtp = Promise.withResolvers()
  rtcp = Promise.withResolvers()
  peer = await openPeer()
})
afterEach(() => peer.close("test is over"))

test.each([
  { client: "client", gateway: "server" },
  { client: "server", gateway: "client" },
] as const)("connects as DTLS $client, with media one way and reports both ways", async ({ client, gateway }) => {
  const session = openSession(gateway)
  peer.setRemote(remote(session, client))
  const keys = await session.connected
  await connected.promise
  const { transport } = fixture
  transport.send(protectRtp(keys, 1), session.peer.remote)
  expect([...(await rtp.promise).subarray(12)]).toEqual([5, 6, 7])
  session.peer.sendRtcp(REPORT)
  expect([...(await rtcp.promise)]).toEqual([...REPORT])
  peer.sendRtcp(REPORT)
  expect([...(await session.rtcp)]).toEqual([...REPORT])
  expect(peer.stats).toMatchObject({ receivedPackets: 2, droppedPackets: 0 })
})

test("finds the candidate that answers, when the first one does not", async () => {
  const session = openSession("server")
  const { candidates, ...rest } = remote(session, "client")
  peer.setRemote({ ...rest, candidates: [{ ...(candidates[0] as TransportAddress), port: 9 }, ...candidates] })
  await connected.promise
  expect(peer.remote.port).toBe(fixture.transport.port)
})

test("a gateway with another certificate is refused", async () => {
  const session = openSession("server")
  const fingerprints = [{ algorithm: "sha-256", value: fixture.stranger.fingerprint }]
  peer.setRemote({ ...remote(session, "client"), fingerprints })
  expect(await closed.promise).toMatchObject({ type: "failed", error: { code: "dtls.peer" } })
})

test("each side hears of the other's goodbye", async () => {
  const first = openSession("server")
  peer.setRemote(remote(first, "client"))
  await Promise.all([first.connected, connected.promise])
  peer.close("enough")
  expect(await first.closed).toEqual({ type: "closedByPeer" })
  expect(await closed.promise).toEqual({ type: "closedByUs", text: "enough" })
})

test("a gateway that says nothing is given up", async () => {
  peer.close("another one")
  closed = Promise.withResolvers()
  peer = await openPeer({ connectTimeoutMs: 1, idleTimeoutMs: 1 })
  const candidates = [{ ...LOOPBACK, port: 9 }]
  peer.setRemote({
    ...fixture.remote(),
    dtlsRole: "client",
    ufrag: "nobody",
    pwd: "nobody nobody nobody 1",
    candidates,
  })
  expect(await closed.promise).toMatchObject({ type: "failed", error: { code: "dtls.handshake" } })
})

function openPeer(limits = { connectTimeoutMs: 15_000, idleTimeoutMs: 10_000 }): Promise<OutgoingPeer> {
  return OutgoingPeer.open({
    family: 4,
    identity: fixture.identity,
    limits,
    events: {
      connected: (keys) => connected.resolve(keys),
      closed: (reason) => closed.resolve(reason),
      rtp: (packet) => rtp.resolve(packet),
      rtcp: (compound) => rtcp.resolve(compound),
    },
    onBug: (error) => fixture.bugs.push(error),
  })
}

/** The gateway's side, which expects our certificate and ufrag. */
function openSession(role: "server" | "client") {
  const { transport, identity } = fixture
  const connected = Promise.withResolvers<SrtpKeys>()
  const closed = Promise.withResolvers<PeerCloseReason>()
  const rtcp = Promise.withResolvers<Uint8Array>()
  const fingerprints = [{ algorithm: "sha-256", value: identity.fingerprint }]
  const session = transport.open({
    remote: { fingerprints, dtlsRole: role, ufrag: peer.localUfrag },
    events: { connected: connected.resolve, closed: closed.resolve, rtcp: rtcp.resolve },
  })
  return { peer: session, connected: connected.promise, closed: closed.promise, rtcp: rtcp.promise }
}

function remote({ peer: session }: ReturnType<typeof openSession>, dtlsRole: "server" | "client") {
  const { identity, port } = fixture.transport
  return {
    fingerprints: [{ algorithm: "sha-256", value: identity.fingerprint }],
    dtlsRole,
    ufrag: session.localUfrag,
    pwd: session.localPwd,
    candidates: [{ ...LOOPBACK, port }],
  }
}

const LOOPBACK = { transport: "udp", family: 4, address: "127.0.0.1", port: 0 } as const
