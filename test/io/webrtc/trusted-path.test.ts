import { expect, test } from "vitest"
import type { NetworkPath } from "../../../src/io/webrtc/remote-address.ts"
import type { RawClient } from "./raw-client.ts"
import { TransportFixture } from "./transport-fixture.ts"

const fixture = new TransportFixture()
const pathOf = ({ localPort }: RawClient): NetworkPath => ({
  transport: "udp",
  family: 4,
  address: "127.0.0.1",
  port: localPort,
})

test("a trusted source needs no check: the handshake can begin at once", async () => {
  const session = fixture.open()
  session.peer.trustPath(pathOf(fixture.client))
  fixture.client.openDtls("client", fixture.identity)
  expect((await session.connected).profile).toBe("AES128_CM_SHA1_80")
  expect(session.peer.remote.port).toBe(fixture.client.localPort)
})

test("where the handshake is ours to begin, it begins, but not before what is sent now", async () => {
  const session = fixture.open({ role: "client" })
  const first = new Promise<number | undefined>((resolve) => {
    fixture.client.onDatagram = ([byte]) => resolve(byte)
  })
  session.peer.trustPath(pathOf(fixture.client))
  fixture.transport.send(Uint8Array.of(0xff), pathOf(fixture.client))
  fixture.client.openDtls("server", fixture.identity)
  expect(await first).toBe(0xff)
  await session.connected
})

test("a source that leads to another session stays with that", async () => {
  const { peer: owner } = await fixture.connect()
  const thief = fixture.open()
  thief.peer.trustPath(pathOf(fixture.client))
  expect(thief.peer.remote.isKnown).toBe(false)
  expect(owner.remote.port).toBe(fixture.client.localPort)
})

test("a source cannot be trusted into a session that has an address", async () => {
  const { peer } = await fixture.connect()
  const other = await fixture.openClient()
  peer.trustPath(pathOf(other))
  expect(peer.remote.port).toBe(fixture.client.localPort)
})

test("an authenticated check moves the session from a trusted source to where it came from", async () => {
  const session = fixture.open()
  session.peer.trustPath(pathOf(fixture.client))
  const other = await fixture.openClient()
  await other.check(session.peer.localUfrag, session.peer.localPwd)
  expect(session.peer.remote.port).toBe(other.localPort)
})

test("a session that has ended takes no source", () => {
  const { peer } = fixture.open()
  peer.close("over")
  peer.trustPath(pathOf(fixture.client))
  expect(peer.remote.isKnown).toBe(false)
})
