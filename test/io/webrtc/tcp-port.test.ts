import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { networkInterfaces } from "node:os"
import { afterEach, expect, test } from "vitest"
import { MAX_FRAME_BYTES, serializeFrame } from "../../../src/ice/tcp-framing.ts"
import type { NetworkPath } from "../../../src/io/webrtc/remote-address.ts"
import { TcpPort, type TcpPortHandlers, type TcpPortOptions } from "../../../src/io/webrtc/tcp-port.ts"
import { freeTcpPort } from "../../support/ports.ts"

const ignore = () => {}
const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"))
const closing: (() => unknown)[] = []
let nowMs = 0

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function open(
  options: Partial<TcpPortOptions> = {},
  handlers: Partial<TcpPortHandlers> = {},
): Promise<{ tcp: TcpPort; port: number }> {
  const port = options.port ?? (await freeTcpPort())
  nowMs = 0
  const all = {
    hosts: ["127.0.0.1"],
    maxConnections: 10,
    maxWaitingPerAddress: 10,
    checkTimeoutMs: 5_000,
    idleTimeoutMs: 60_000,
    maxQueueBytes: 50_000,
    nowMs: () => nowMs,
    ...options,
    port,
  }
  const tcp = await TcpPort.open(all, {
    stun: ignore,
    dtls: ignore,
    srtp: ignore,
    closed: ignore,
    onBug: ignore,
    ...handlers,
  })
  closing.push(() => tcp.close())
  return { tcp, port }
}

async function dial(port: number, host = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ port, host })
  closing.push(() => socket.destroy())
  socket.on("error", ignore)
  await once(socket, "connect")
  return socket
}

/** Connections whose first frame makes them known to the test. */
async function openAndMeet(options: Partial<TcpPortOptions> = {}) {
  const met: NetworkPath[] = []
  const gone: NetworkPath[] = []
  const handlers = {
    stun: (_: unknown, path: NetworkPath) => met.push(path),
    closed: (path: NetworkPath) => gone.push(path),
  }
  const { tcp, port } = await open(options, handlers)
  const meet = async () => {
    const socket = await dial(port)
    const before = met.length
    socket.write(serializeFrame(Uint8Array.of(0)))
    await expect.poll(() => met.length, SOON).toBe(before + 1)
    return { socket, path: met.at(-1) as NetworkPath }
  }
  return { tcp, port, meet, gone }
}

const closed = (socket: Socket) => (socket.closed ? Promise.resolve() : once(socket, "close"))

test("a connection without an authenticated check is closed in time, one with it stays until it is idle", async () => {
  const { tcp, meet, gone } = await openAndMeet()
  const stranger = await meet()
  const peer = await meet()
  tcp.authenticate(peer.path)
  nowMs = 4_999
  tcp.checkTimeouts()
  expect(tcp.connectionCount).toBe(2)
  nowMs = 5_000
  tcp.checkTimeouts()
  await closed(stranger.socket)
  expect(tcp).toMatchObject({ connectionCount: 1, refusedConnections: 1 })
  nowMs = 60_000
  tcp.checkTimeouts()
  await closed(peer.socket)
  await expect.poll(() => gone, SOON).toEqual([peer.path])
})

test("one address has few connections that are not authenticated, and as many as it likes that are", async () => {
  const { tcp, port, meet } = await openAndMeet({ maxWaitingPerAddress: 2 })
  for (let n = 0; n < 4; n++) tcp.authenticate((await meet()).path)
  await meet()
  await meet()
  await closed(await dial(port))
  expect(tcp).toMatchObject({ connectionCount: 6, refusedConnections: 1 })
})

test("when all connections are taken, the oldest stranger makes room, but no peer does", async () => {
  const { tcp, port, meet } = await openAndMeet({ maxConnections: 3 })
  tcp.authenticate((await meet()).path)
  const oldest = await meet()
  tcp.authenticate((await meet()).path)
  const newest = await meet()
  await closed(oldest.socket)
  tcp.authenticate(newest.path)
  await closed(await dial(port))
  expect(tcp).toMatchObject({ connectionCount: 3, refusedConnections: 2 })
})

test.each([
  { name: "an HTTP request", bytes: new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n") },
  { name: "a frame that is too long", bytes: serializeFrame(new Uint8Array(MAX_FRAME_BYTES + 1)) },
])("$name ends its connection, and the port lives on", async ({ bytes }) => {
  const { tcp, port, meet } = await openAndMeet()
  const socket = await dial(port)
  socket.write(bytes)
  await closed(socket)
  await meet()
  expect(tcp).toMatchObject({ connectionCount: 1, refusedConnections: 1 })
})

test("a peer that does not read loses datagrams as by UDP, and takes no more memory than the queue", async () => {
  const { tcp, meet } = await openAndMeet()
  const { socket, path } = await meet()
  socket.pause()
  const datagram = new Uint8Array(1_200).fill(200)
  let sent = 0
  while (tcp.sendErrors < 100 && sent < 100_000) {
    path.connection?.send(datagram)
    if (++sent % 100 === 0) await new Promise(setImmediate)
  }
  expect(tcp.sendErrors).toBeGreaterThanOrEqual(100)
  let receivedBytes = 0
  socket.on("data", (chunk: Buffer) => {
    receivedBytes += chunk.length
  })
  socket.resume()
  const expectedBytes = (sent - tcp.sendErrors) * (2 + datagram.length)
  await expect.poll(() => receivedBytes, SOON).toBe(expectedBytes) // whole frames only, none of them cut
})

test("a reset connection is forgotten, and sending to it is no error", async () => {
  const { tcp, meet, gone } = await openAndMeet()
  const { socket, path } = await meet()
  socket.resetAndDestroy()
  await expect.poll(() => gone, SOON).toEqual([path])
  path.connection?.send(Uint8Array.of(1))
  path.connection?.close()
  expect(tcp).toMatchObject({ connectionCount: 0, sendErrors: 1 })
})

test("a handler that throws is reported, and the connection lives on", async () => {
  const bugs: unknown[] = []
  const got = Promise.withResolvers<Uint8Array>()
  const broken = () => {
    throw new Error("made by the test")
  }
  const { port } = await open({}, { stun: broken, dtls: got.resolve, onBug: (error) => bugs.push(error) })
  const socket = await dial(port)
  socket.write(Buffer.concat([serializeFrame(Uint8Array.of(0)), serializeFrame(Uint8Array.of(20, 7))]))
  expect([...(await got.promise)]).toEqual([20, 7])
  expect(bugs).toHaveLength(1)
})

test.skipIf(!hasIpv6)("IPv4 and IPv6 come in on the same port number", async () => {
  const sources: NetworkPath[] = []
  const { port } = await open({ hosts: ["127.0.0.1", "::1"] }, { stun: (_, source) => sources.push(source) })
  for (const host of ["127.0.0.1", "::1"]) (await dial(port, host)).write(serializeFrame(Uint8Array.of(0)))
  await expect.poll(() => sources.length, SOON).toBe(2)
  const seen = sources.map(({ family, address }) => `${family} ${address}`)
  expect(seen.sort()).toEqual(["4 127.0.0.1", "6 ::1"])
})

test.skipIf(!hasIpv6)("a connection of IPv4 to a socket for both families has an IPv4 address", async () => {
  const source = Promise.withResolvers<NetworkPath>()
  const { port } = await open({ hosts: ["::", "0.0.0.0"] }, { stun: (_, from) => source.resolve(from) })
  ;(await dial(port)).write(serializeFrame(Uint8Array.of(0)))
  expect(await source.promise).toMatchObject({ family: 4, address: "127.0.0.1" })
})

test("a port that is taken is a clear error that says what helps", async () => {
  const other = createServer().listen(0, "127.0.0.1")
  closing.push(() => other.close())
  await once(other, "listening")
  const { port } = other.address() as AddressInfo
  const failed = { code: "listen.failed", message: expect.stringContaining("media.tcp") }
  await expect(open({ port })).rejects.toMatchObject(failed)
})

/** What comes from a socket takes a turn or two of the event loop, and longer on a busy machine. */
const SOON = { timeout: 5_000, interval: 5 }
