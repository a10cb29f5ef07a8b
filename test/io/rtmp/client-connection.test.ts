import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { type AddressInfo, connect as connectTcp, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createServer as createTlsServer } from "node:tls"
import { pino } from "pino"
import { expect, test } from "vitest"
import {
  connectRtmp,
  type RtmpClientConnection,
  type RtmpClosed,
  type RtmpConnectOptions,
} from "../../../src/io/rtmp/client.ts"
import { serializeMessage } from "../../../src/rtmp/chunk-writer.ts"
import { RTMP_CLIENT_DEFAULTS } from "../../../src/rtmp/client-options.ts"
import type { RtmpMedia } from "../../../src/rtmp/server-events.ts"
import { failure, SERVER_HANDSHAKE } from "../../rtmp/client-peer.ts"
import { hex } from "../../support/bytes.ts"
import { freeTcpPort } from "../../support/ports.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"
import { startRtmpSetup } from "./setup.ts"

const scope = testScope()
const HEADER = hex(
  "17 00 000000 0142c01effe1 0019 6742c01ed890280bfe5c04400000030040000 00c83c58b8980 01 0005 68c888cb20",
)
const KEYFRAME = hex("17 01 000000 00000004 65888421")

test("publishes to our server and plays from it", async () => {
  const { server, registry, url } = await startRtmpSetup(scope)
  const publisher = await open(url("cam1?token=x"), "publish")
  expect(registry.list().map(({ name }) => name)).toEqual(["live/cam1"])
  const player = await open(url("cam1"), "play")
  publisher.send(9, HEADER)
  publisher.send(9, KEYFRAME)
  await until("the picture", () => player.media.some(({ payload }) => payload[0] === 0x17 && payload[1] === 1))
  expect(player.media[0]).toMatchObject({ type: "video", payload: HEADER })
  publisher.connection.end("enough")
  expect(await publisher.closed).toEqual({ reason: "enough" })
  expect(await player.closed).toEqual({ reason: "the stream is over" })
  expect(registry.list()).toEqual([])
  expect(server.port).toBeGreaterThan(0)
})

test("says in a sentence why a publication is refused", async () => {
  const { url } = await startRtmpSetup(scope)
  await open(url("cam1"), "publish")
  const { error } = await start(url("cam1"), "publish").closed
  expect(error).toMatchObject({ code: "rtmp.refused", message: expect.stringContaining("NetStream.Publish.BadName") })
  const missing = await start(url("nobody"), "play").closed
  expect(missing.error).toMatchObject({ code: "stream.not_live" })
})

test("verifies a server's certificate: authority and name", async () => {
  const { server } = await startRtmpSetup(scope)
  const { ca, cert, key } = makeCertificates()
  const proxy = createTlsServer({ cert, key }, (socket) => {
    const inner = connectTcp(server.port, "127.0.0.1")
    for (const end of [socket, inner]) end.on("error", () => {})
    socket.pipe(inner).pipe(socket)
    scope.defer(() => socket.destroy())
  }).listen(0, "127.0.0.1")
  scope.defer(() => proxy.close())
  await until("the proxy", () => proxy.listening)
  const { port } = proxy.address() as AddressInfo
  const trusted = await open(`rtmps://localhost:${port}/live/cam1`, "publish", { ca })
  expect(trusted.connection.remoteAddress).toContain(`:${port}`)

  const unknown = await start(`rtmps://localhost:${port}/live/cam2`, "publish").closed
  expect(unknown.error).toMatchObject({
    code: "rtmp.unreachable",
    message: expect.stringContaining("signed by nobody we trust"),
  })
  const otherName = await start(`rtmps://127.0.0.1:${port}/live/cam2`, "publish", { ca }).closed
  expect(otherName.error).toMatchObject({
    code: "rtmp.unreachable",
    message: expect.stringContaining("for another name"),
  })
  const plain = await start(`rtmps://localhost:${server.port}/live/cam2`, "publish", { ca, connectTimeoutMs: 500 })
    .closed
  expect(plain.error?.code).toBe("rtmp.unreachable")
})

test("follows redirects before the stream flows, not endlessly", async () => {
  const { server, registry } = await startRtmpSetup(scope)
  const toUs = await startRedirector(() => `rtmp://127.0.0.1:${server.port}/live`)
  await open(`rtmp://127.0.0.1:${toUs}/live/cam1?token=x`, "publish")
  expect(registry.list().map(({ name }) => name)).toEqual(["live/cam1"])

  let own = 0
  own = await startRedirector(() => `rtmp://127.0.0.1:${own}/live`)
  const { error } = await start(`rtmp://127.0.0.1:${own}/live/cam1`, "publish").closed
  expect(error).toMatchObject({ code: "rtmp.refused", message: expect.stringContaining("more than 3 times") })
})

test("names what keeps it from connecting", async () => {
  const silent = createServer(() => {}).listen(0, "127.0.0.1")
  scope.defer(() => silent.close())
  await until("the listener", () => silent.listening)
  const { port } = silent.address() as AddressInfo
  const mute = start(`rtmp://127.0.0.1:${port}/live/a`, "publish", {
    limits: { ...RTMP_CLIENT_DEFAULTS, stepTimeoutMs: 50 },
  })
  expect((await mute.closed).error).toMatchObject({
    code: "rtmp.timeout",
    message: expect.stringContaining("no reply to handshake"),
  })
  const free = await freeTcpPort()
  const nobody = await start(`rtmp://127.0.0.1:${free}/live/a`, "publish").closed
  expect(nobody.error).toMatchObject({ code: "rtmp.unreachable", message: `nothing listens at 127.0.0.1:${free}` })
  const given = start(`rtmp://127.0.0.1:${port}/live/a`, "publish")
  given.connection.end("not wanted any more")
  expect(await given.closed).toEqual({ reason: "not wanted any more" })
})

test("learns from a server that closes that it does", async () => {
  const { server, url } = await startRtmpSetup(scope)
  const publisher = await open(url("cam1"), "publish")
  await server.close(100)
  expect((await publisher.closed).error?.code).toBe("rtmp.refused")
})

interface TestConnection {
  readonly connection: RtmpClientConnection
  readonly closed: Promise<RtmpClosed>
  readonly media: RtmpMedia[]
  send(typeId: number, payload: Uint8Array): void
}

function start(
  url: string,
  action: "publish" | "play",
  options: Partial<RtmpConnectOptions> = {},
): TestConnection & { established: Promise<void> } {
  const closed = Promise.withResolvers<RtmpClosed>()
  const established = Promise.withResolvers<void>()
  const media: RtmpMedia[] = []
  const connection = connectRtmp(url, {
    action,
    limits: RTMP_CLIENT_DEFAULTS,
    connectTimeoutMs: 5_000,
    nowMs: () => performance.now(),
    logger: pino({ level: "silent" }),
    handlers: {
      established: () => established.resolve(),
      media: (event) => media.push(event),
      closed: (facts) => closed.resolve(facts),
    },
    ...options,
  })
  scope.defer(() => connection.end("the test is over"))
  const send = (typeId: number, payload: Uint8Array) => {
    const message = { typeId, timestampMs: 0, streamId: 1, payload }
    connection.output.send(serializeMessage(message, RTMP_CLIENT_DEFAULTS.chunkSizeBytes))
  }
  return { connection, closed: closed.promise, established: established.promise, media, send }
}

async function open(
  url: string,
  action: "publish" | "play",
  options: Partial<RtmpConnectOptions> = {},
): Promise<TestConnection> {
  const started = start(url, action, options)
  const failed = started.closed.then(({ reason }) => Promise.reject(new Error(reason)))
  failed.catch(() => {})
  await Promise.race([started.established, failed])
  return started
}

/** A server that answers every `connect` with a redirect. */
async function startRedirector(target: () => string): Promise<number> {
  const server = createServer((socket) => {
    let receivedBytes = 0
    socket.on("error", () => {})
    socket.on("data", (bytes) => {
      const before = receivedBytes
      receivedBytes += bytes.length
      if (before === 0) socket.write(SERVER_HANDSHAKE)
      if (before <= 2 * 1_536 + 1 && receivedBytes > 2 * 1_536 + 1) {
        const info = { level: "error", code: "NetConnection.Connect.Rejected", ex: { code: 302, redirect: target() } }
        socket.write(serializeMessage(failure(1, info), 128))
      }
    })
    scope.defer(() => socket.destroy())
  }).listen(0, "127.0.0.1")
  scope.defer(() => server.close())
  await until("the redirector", () => server.listening)
  return (server.address() as AddressInfo).port
}

/** A private authority, and a certificate of its for localhost. */
function makeCertificates(): { ca: string; cert: string; key: string } {
  const folder = mkdtempSync(join(tmpdir(), "rtmps-"))
  scope.defer(() => rmSync(folder, { recursive: true }))
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" })
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
  openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority", "-days", "2")
  openssl(
    "req",
    ...newKey,
    "-keyout",
    "key.pem",
    "-out",
    "request.pem",
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=DNS:localhost",
  )
  openssl(
    "x509",
    "-req",
    "-in",
    "request.pem",
    "-CA",
    "ca.pem",
    "-CAkey",
    "ca.key",
    "-copy_extensions",
    "copy",
    "-out",
    "cert.pem",
    "-days",
    "2",
  )
  const read = (name: string) => readFileSync(join(folder, name), "utf8")
  return { ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem") }
}
