import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect as connectTcp, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect as connectTls, type TLSSocket } from "node:tls"
import { expect, test } from "vitest"
import type { RtmpServerConfig } from "../../../src/io/rtmp/server.ts"
import { createIdentity } from "../../../src/io/webrtc/identity.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"
import { RtmpClient } from "./client.ts"
import { startRtmpSetup } from "./setup.ts"

const scope = testScope()

/** A certificate in files, and the way to put another one in their place. */
async function certificateFiles() {
  const folder = mkdtempSync(join(tmpdir(), "whipstitch-"))
  scope.defer(() => rmSync(folder, { recursive: true, force: true }))
  const files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") }
  const renew = async () => {
    const { certPem, keyPem } = await createIdentity()
    writeFileSync(files.certFile, certPem)
    writeFileSync(files.keyFile, keyPem)
  }
  await renew()
  return { files, renew }
}

async function start(config: Partial<RtmpServerConfig> = {}) {
  const { files, renew } = await certificateFiles()
  const setup = await startRtmpSetup(scope, { tls: { port: 0, ...files }, ...config })
  return { ...setup, renew, tlsPort: setup.server.tlsPort ?? 0 }
}

/** A TLS connection that trusts any certificate. */
function openTls(port: number): TLSSocket {
  const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false })
  socket.on("error", () => {}) // a server that hangs up is seen through `close`
  scope.defer(() => socket.destroy())
  return socket
}

/** Waits for the end of a connection, be it in peace or by an error. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()))
}

async function publish(port: number, stream: string): Promise<RtmpClient> {
  const client = new RtmpClient(openTls(port), scope)
  await client.connect()
  client.begin("publish", stream)
  return client.status("NetStream.Publish.Start")
}

test("RTMP is spoken in TLS, on a port of its own, and the log says so", async () => {
  const { tlsPort, registry, log } = await start()
  const publisher = await publish(tlsPort, "cam1")
  expect(registry.list().map(({ name }) => name)).toEqual(["live/cam1"])
  publisher.command(0, "deleteStream", 4, null, 1)
  await until("its end", () => log.some(({ msg }) => msg === "publisher gone"))
  expect(log.map(({ tls }) => tls)).toEqual([true, true])
})

test("a certificate that takes the place of another is shown to new connections, and the old ones stay", async () => {
  const { tlsPort, renew, log } = await start()
  const publisher = await publish(tlsPort, "cam1")
  const first = await shownCertificate(tlsPort)
  await renew()
  await until("the renewal", () => log.some(({ msg }) => `${msg}`.includes("renewed certificate")))
  expect(await shownCertificate(tlsPort)).not.toBe(first)
  publisher.command(0, "getStreamLength", 9, null, "cam1")
  await until("an answer", () => publisher.results().includes(9))
})

test("a certificate that is none stops the start with the name of its key", async () => {
  const { files } = await certificateFiles()
  writeFileSync(files.certFile, "nonsense")
  await expect(startRtmpSetup(scope, { tls: { port: 0, ...files } })).rejects.toMatchObject({ code: "config.invalid" })
  rmSync(files.keyFile)
  await expect(startRtmpSetup(scope, { tls: { port: 0, ...files } })).rejects.toThrow("rtmp.tls.keyFile")
})

test("a TLS handshake that stalls is ended", async () => {
  const { tlsPort } = await start({ setupTimeoutMs: 50 })
  const socket = connectTcp(tlsPort, "127.0.0.1")
  scope.defer(() => socket.destroy())
  socket.on("error", () => {})
  await closeOf(socket)
})

test("the limit of connections is one for both, and those that are gone do not count", async () => {
  const { server, tlsPort } = await start({ maxConnections: 1 })
  const first = await publish(tlsPort, "cam1")
  await new RtmpClient(server.port, scope).closed
  await closeOf(openTls(tlsPort))
  first.socket.destroy()
  await until("room", () => once(openTls(tlsPort), "secureConnect"))
})

test("plain RTMP on the port of RTMPS is ended, and RTMPS on that of RTMP says why in the log", async () => {
  const { server, tlsPort, log } = await start()
  const plain = new RtmpClient(tlsPort, scope)
  plain.socket.write(new Uint8Array(1_537).fill(3, 0, 1))
  await plain.closed
  await closeOf(openTls(server.port))
  expect(log.filter(({ level }) => level === 40)).toEqual([
    expect.objectContaining({ code: "rtmp.handshake", msg: expect.stringContaining("TLS") }),
  ])
})

async function shownCertificate(port: number): Promise<string> {
  const socket = openTls(port)
  await once(socket, "secureConnect")
  const { fingerprint256 } = socket.getPeerCertificate()
  socket.destroy()
  return fingerprint256
}
