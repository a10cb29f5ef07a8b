import { once } from "node:events"
import { renameSync, rmSync, writeFileSync } from "node:fs"
import { mkdtemp } from "node:fs/promises"
import { type IncomingMessage, request } from "node:http"
import { connect as connectTcp, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect as connectTls } from "node:tls"
import { type Logger, pino } from "pino"
import { describe, expect, test } from "vitest"
import { type HttpServerOptions, startHttpServer } from "../../src/io/http-server.ts"
import { createIdentity } from "../../src/io/webrtc/identity.ts"
import { testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

const scope = testScope()
const NO_TLS = { certFile: "", keyFile: "" }

async function start(options: Partial<HttpServerOptions> = {}) {
  const server = await startHttpServer({
    host: "127.0.0.1",
    port: 0,
    tls: NO_TLS,
    maxConnections: 10,
    requestTimeoutMs: 5_000,
    fetch: () => new Response("hello"),
    logger: pino({ level: "silent" }),
    ...options,
  })
  scope.defer(() => server.close(0))
  return server
}

function open(port: number, bytes = ""): Socket {
  const socket = connectTcp(port, "127.0.0.1")
  socket.on("error", () => {})
  scope.defer(() => socket.destroy())
  socket.write(bytes)
  return socket
}

/** Waits for the end of a connection, be it in peace or by a reset. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.resume().once("close", () => resolve()))
}

describe("plain HTTP", () => {
  test("sends Link headers one by one, since OBS does not find the second one in a joined list", async () => {
    const links = ['<stun:a>; rel="ice-server"', '<turn:b>; rel="ice-server"; username="x, y"']
    const { port } = await start({
      fetch: () => {
        const response = new Response("answer", { status: 201, headers: { etag: '"a"' } })
        for (const link of links) response.headers.append("link", link)
        return response
      },
    })
    const [response] = (await once(request({ port, host: "127.0.0.1" }).end(), "response")) as [IncomingMessage]
    response.resume()
    const { rawHeaders } = response
    expect(rawHeaders.filter((_, index) => rawHeaders[index - 1]?.toLowerCase() === "link")).toEqual(links)
    expect([response.statusCode, response.headers.etag]).toEqual([201, '"a"'])
  })

  test("stops a stream whose reader has gone", async () => {
    const stopped = Promise.withResolvers<void>()
    const { port } = await start({
      fetch: () => {
        const start = (controller: ReadableStreamDefaultController<Uint8Array>) => controller.enqueue(Buffer.from("x"))
        return new Response(new ReadableStream({ start, cancel: () => stopped.resolve() }))
      },
    })
    const reader = open(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await once(reader, "data")
    reader.destroy()
    await stopped.promise
  })

  test("cuts what is still under way when the time to close is over", async () => {
    const asked = Promise.withResolvers<void>()
    const { port, close } = await start({
      fetch: () => {
        asked.resolve()
        return new Response(new ReadableStream({}))
      },
    })
    const reader = open(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await asked.promise
    await Promise.all([closed(reader), close(50)])
  })

  test("cuts off who is slow to send a request", async () => {
    const { port } = await start({ requestTimeoutMs: 100 })
    const slowHeaders = open(port, "GET / HTTP/1.1\r\nHost: a\r\n")
    const slowBody = open(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
    await Promise.all([closed(slowHeaders), closed(slowBody)])
  })

  test("takes no more connections than configured", async () => {
    const { port } = await start({ maxConnections: 1 })
    const first = open(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    expect(String((await once(first, "data"))[0])).toMatch(/^HTTP\/1\.1 200/)
    const second = open(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    let answer = ""
    second.on("data", (data) => {
      answer += data
    })
    await closed(second)
    expect(answer).toBe("")
  })

  test("says which port is taken", async () => {
    const { port } = await start()
    await expect(start({ port })).rejects.toMatchObject({ code: "listen.failed" })
  })
})

describe("HTTPS", () => {
  async function certificateFolder() {
    const folder = await mkdtemp(join(tmpdir(), "whipstitch-tls-"))
    scope.defer(() => rmSync(folder, { recursive: true }))
    const tls = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") }
    /** As certificate tools do: the new file takes the place of the old one by its name. */
    const replace = (file: string, content: string) => {
      writeFileSync(`${file}.new`, content)
      renameSync(`${file}.new`, file)
    }
    return { tls, replace }
  }

  async function startWithCertificate() {
    const { tls, replace } = await certificateFolder()
    const identity = await createIdentity()
    replace(tls.certFile, identity.certPem)
    replace(tls.keyFile, identity.keyPem)
    const lines: string[] = []
    const logger: Logger = pino({ base: null }, { write: (line) => void lines.push(line) })
    const server = await start({ tls, logger })
    return { tls, replace, server, fingerprint: identity.fingerprint, lines }
  }

  /** The fingerprint of the certificate that a new connection gets. */
  async function shownBy(port: number): Promise<string> {
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false })
    await once(socket, "secureConnect")
    const { fingerprint256 } = socket.getPeerCertificate()
    socket.destroy()
    return fingerprint256
  }

  test("serves with the certificate, and gives new connections the one that takes its place", async () => {
    const { tls, replace, server, fingerprint, lines } = await startWithCertificate()
    expect([server.protocol, await shownBy(server.port)]).toEqual(["https", fingerprint])
    const next = await createIdentity()
    replace(tls.certFile, next.certPem)
    replace(tls.keyFile, next.keyPem)
    await until("the renewed certificate", async () => (await shownBy(server.port)) === next.fingerprint)
    expect(lines.join("")).not.toContain("PRIVATE KEY")
  })

  test("keeps the certificate when a broken one, or one of another key, takes its place, and says so once", async () => {
    const { tls, replace, server, fingerprint, lines } = await startWithCertificate()
    const complaints = () => lines.filter((line) => line.includes("stays in force"))
    replace(tls.certFile, "-----BEGIN CERTIFICATE-----\nbroken")
    await until("the complaint", async () => complaints().length === 1)
    const other = await createIdentity()
    replace(tls.certFile, other.certPem)
    await until("the next complaint", async () => complaints().length === 2)
    expect(await shownBy(server.port)).toBe(fingerprint)
    replace(tls.keyFile, other.keyPem)
    await until("the certificate whose key has come", async () => (await shownBy(server.port)) === other.fingerprint)
    expect(complaints()).toHaveLength(2)
  })

  test("speaks TLS 1.2 or newer", async () => {
    const { server } = await startWithCertificate()
    const options = { port: server.port, host: "127.0.0.1", rejectUnauthorized: false }
    const old = connectTls({ ...options, minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT:@SECLEVEL=0" })
    const [error] = await once(old, "error")
    expect(error).toBeInstanceOf(Error)
    const socket = connectTls({ ...options, maxVersion: "TLSv1.2" })
    await once(socket, "secureConnect")
    expect(socket.getProtocol()).toBe("TLSv1.2")
    socket.destroy()
  })

  test("refuses to start with files that are missing or do not belong together", async () => {
    const { tls, replace } = await certificateFolder()
    await expect(start({ tls })).rejects.toMatchObject({ code: "config.invalid" })
    replace(tls.certFile, (await createIdentity()).certPem)
    replace(tls.keyFile, (await createIdentity()).keyPem)
    await expect(start({ tls })).rejects.toMatchObject({ code: "config.invalid" })
  })
})
