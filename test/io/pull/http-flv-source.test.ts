import { readFile } from "node:fs/promises"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { expect, test } from "vitest"
import { flvFileHeader } from "../../../src/flv/file-writer.ts"
import { HttpFlvSource } from "../../../src/io/pull/http-flv-source.ts"
import { gatewayErrorCode } from "../../support/errors.ts"
import { FLV_HEADER_BYTES, tagsLater } from "../../support/flv.ts"
import { clip } from "../../support/media.ts"
import type { Scope } from "../../support/scope.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"
import { type EdgeSetup, edgeSetup, NAME, pictureTimes, publisher } from "./setup.ts"

/** What becomes of an attempt, whatever the server does; a gateway of ours as the origin is for test/interop. */
const scope = testScope()

test("publishes what comes, with the sound, and leaves the stream to the next attempt when it ends", async () => {
  const flv = await readFile(await clip("tone"))
  const origin = await serve(scope, (_, response) => response.end(flv.subarray(0, 200_000)))
  const edge = edgeSetup()
  const attempt = edge.attempt()
  expect(await source(origin.url, edge).fetch(attempt)).toBe("the origin ended it")
  expect(attempt.isLive()).toBe(true)
  const stream = edge.registry.get(NAME)
  expect(stream?.awaited).toMatchObject({ protocol: "pull", identity: "pull 1" })
  expect([...(stream?.tracks ?? [])].map(({ codec }) => codec).sort()).toEqual(["aac", "h264"])
})

test("the end of a pull ends the stream and the request", async () => {
  const gone = Promise.withResolvers<void>()
  const flv = await readFile(await clip("tone"))
  const origin = await serve(scope, (_, response) => {
    response.on("close", gone.resolve)
    response.write(flv.subarray(0, 100_000))
  })
  const edge = edgeSetup()
  const attempt = edge.attempt()
  const result = source(origin.url, edge).fetch(attempt)
  await until("pictures", () => pictureTimes(edge.registry.get(NAME)).length > 0)
  attempt.end("nobody watches")
  expect(await result).toBe("nobody watches")
  expect(edge.registry.get(NAME)).toBeUndefined()
  await gone.promise
})

test("a file that comes at once is taken at the speed of its time", async () => {
  const flv = await readFile(await clip("tone"))
  const body = flv.subarray(FLV_HEADER_BYTES)
  let sent = 0
  const origin = await serve(scope, (_, response) => {
    response.write(flv.subarray(0, FLV_HEADER_BYTES))
    // The clip again and again, each time 10 s later than before.
    const more = () => {
      for (let wantsMore = true; wantsMore && sent < 100; sent++)
        wantsMore = response.write(tagsLater(body, sent * 10_000))
    }
    response.on("drain", more)
    more()
  })
  const edge = edgeSetup()
  const attempt = edge.attempt()
  const result = source(origin.url, edge).fetch(attempt)
  await until("half a minute", () => (edge.registry.get(NAME)?.lanes.videoFrames.last?.ptsUs ?? 0) > 29_000_000)
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(edge.registry.get(NAME)?.lanes.videoFrames.last?.ptsUs).toBeLessThan(36_000_000)
  expect(sent).toBeLessThan(60)
  attempt.end("test is over")
  await result
})

test("user and password of the address go as Basic credentials, and nowhere but to their host", async () => {
  const elsewhere = await serve(scope, (_, response) => response.writeHead(404).end())
  const origin = await serve(scope, ({ url }, response) => {
    const location = url?.startsWith("/a") ? "/b" : `${elsewhere.url}/c`
    response.writeHead(302, { location }).end()
  })
  const edge = edgeSetup()
  const address = origin.url.replace("//", "//cam:s%2Fcret@")
  const pulled = source(`${address}/a?key=s%2Fcret`, edge)
  await expect(pulled.fetch(edge.attempt())).rejects.toMatchObject({ code: "stream.not_live" })
  const authorization = `Basic ${btoa("cam:s/cret")}`
  const shown = ({ url, headers }: IncomingMessage) => [url, headers.authorization]
  expect(origin.requests.map(shown)).toEqual([
    ["/a?key=s%2Fcret", authorization],
    ["/b", authorization],
  ])
  expect(elsewhere.requests.map(shown)).toEqual([["/c", undefined]])
  expect(pulled.origin).toBe(`${origin.url}/a`)
  expect(edge.log()).not.toContain("cret")
})

test.each([
  { name: "a wrong key", answer: status(403), code: "access.denied", says: "403" },
  { name: "a stream that is not there", answer: status(404), code: "stream.not_live", says: "404" },
  { name: "a redirect without end", answer: redirect("/again"), code: "stream.not_live", says: "more than 5 times" },
  { name: "a redirect to a file", answer: redirect("file:///etc/passwd"), code: "stream.not_live", says: "no HTTP" },
  { name: "a page", answer: text("<!DOCTYPE html>"), code: "flv.file", says: "no FLV" },
  { name: "a tag too large", answer: tag(2_000_000), code: "flv.file", says: "2000000 bytes" },
  { name: "an answer without media", answer: text(""), code: "stream.not_live", says: "the origin ended it" },
])("$name is told by its code and a sentence", async ({ answer, code, says }) => {
  const origin = await serve(scope, answer)
  const edge = edgeSetup()
  const attempt = edge.attempt()
  const failure = await source(`${origin.url}/live.flv`, edge)
    .fetch(attempt)
    .catch((error) => error)
  expect(failure).toMatchObject({ code })
  expect(failure.message).toContain(says)
  expect(attempt.isLive()).toBe(false)
  expect(edge.registry.get(NAME)).toBeUndefined()
})

test.each([
  { name: "that does not answer", answer: () => {}, options: { connectTimeoutMs: 100 }, says: "does not answer" },
  {
    name: "that sends a header and nothing more",
    answer: (_: IncomingMessage, response: ServerResponse) =>
      response.write(flvFileHeader({ hasVideo: true, hasAudio: true })),
    options: { silenceTimeoutMs: 100 },
    says: "sends no media",
  },
])("an origin $name is given up", async ({ answer, options, says }) => {
  const origin = await serve(scope, answer)
  const edge = edgeSetup(options)
  await expect(source(origin.url, edge).fetch(edge.attempt())).rejects.toThrow(says)
})

test("an origin that is not there is told as such", async () => {
  const origin = await serve(scope, () => {})
  await origin.close()
  const edge = edgeSetup()
  await expect(source(origin.url, edge).fetch(edge.attempt())).rejects.toThrow(/cannot be reached: .*ECONNREFUSED/)
})

test("a name that another publisher has is not taken from it", async () => {
  const flv = await readFile(await clip("tone"))
  const origin = await serve(scope, (_, response) => response.write(flv.subarray(0, 100_000)))
  const edge = edgeSetup()
  const stream = edge.registry.publish(NAME, publisher(), performance.now())
  await expect(source(origin.url, edge).fetch(edge.attempt())).rejects.toMatchObject({ code: "stream.busy" })
  expect(edge.registry.get(NAME)).toBe(stream)
})

test("an address that is none is refused without being shown", () => {
  const make = () => new HttpFlvSource("http://", edgeSetup().options)
  expect(gatewayErrorCode(make)).toBe("config.invalid")
})

function source(url: string, { options }: EdgeSetup): HttpFlvSource {
  return new HttpFlvSource(url, options)
}

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown

interface Origin {
  readonly url: string
  readonly requests: IncomingMessage[]
  close(): Promise<void>
}

async function serve(owner: Scope, answer: Answer): Promise<Origin> {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  owner.defer(close)
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, close }
}

function status(code: number): Answer {
  return (_, response) => response.writeHead(code).end("no")
}

function redirect(location: string): Answer {
  return (_, response) => response.writeHead(302, { location }).end()
}

function text(body: string): Answer {
  return (_, response) => response.writeHead(200, { "content-type": "video/x-flv" }).end(body)
}

/** A video tag that is announced, and not sent. */
function tag(bytes: number): Answer {
  const header = Buffer.from("0900000000000000000000", "hex")
  header.writeUIntBE(bytes, 1, 3)
  return (_, response) => response.write(Buffer.concat([flvFileHeader({ hasVideo: true, hasAudio: true }), header]))
}
