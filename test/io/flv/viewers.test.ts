import { once } from "node:events"
import { expect, test, vi } from "vitest"
import { parseAmf0 } from "../../../src/rtmp/amf0.ts"
import { frame, OPUS_TRACK } from "../../bridge/rtp-frames.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"
import { type FlvSetup, openRaw, type Received, startFlvSetup, watchHttp, watchWebSocket } from "./setup.ts"

const scope = testScope()

/** Three pictures from a time on, the first a keyframe. */
function publish({ stream }: FlvSetup, fromFrame = 0): void {
  for (const [index, type] of (["idr", "p", "p"] as const).entries()) stream.pushFrame(frame(type, fromFrame + index))
}

function tags({ events }: Received): string[] {
  return events.map((event) => (event.type === "header" ? "header" : `${event.type} ${event.timestampMs}`))
}

test("a viewer by HTTP gets the group of pictures, then live, and the last chunk when the stream ends", async () => {
  const setup = await startFlvSetup(scope)
  publish(setup, 10)
  const { response, received, ended } = await watchHttp(scope, setup)
  expect(response.headers).toMatchObject({
    "content-type": "video/x-flv",
    "cache-control": "no-store",
    "transfer-encoding": "chunked",
    "access-control-allow-origin": "*",
  })
  await until("the cached pictures", () => received.events.length === 6)
  setup.stream.pushFrame(frame("p", 13))
  await until("the live picture", () => received.events.length === 7)
  const times = ["script 0", "video 400", "video 400", "video 440", "video 480", "video 520"]
  expect(tags(received)).toEqual(["header", ...times])
  expect(received.events[0]).toEqual({ type: "header", hasVideo: true, hasAudio: false })
  const script = received.events[1]
  const [name, values] = parseAmf0(script !== undefined && "payload" in script ? script.payload : new Uint8Array())
  expect([name, values]).toEqual(["onMetaData", new Map([["videocodecid", 7], ["width", 320], ["height", 240]])]) // biome-ignore format: a table
  setup.registry.endStream("live/cam1", "the publisher ended it")
  expect(await ended).toBe(true)
  expect(setup.outcomes).toEqual([expect.objectContaining({ reason: "the publisher ended it" })])
})

test("a viewer by WebSocket gets the same bytes, and is told why it ends", async () => {
  const setup = await startFlvSetup(scope)
  publish(setup)
  const { received: byHttp } = await watchHttp(scope, setup)
  const { webSocket, received, opened, closed } = watchWebSocket(scope, setup)
  await opened
  expect(webSocket.extensions).toBe("")
  publish(setup, 3)
  await until("all pictures", () => received.events.length === 9 && byHttp.events.length === 9)
  expect(received.bytes.equals(byHttp.bytes)).toBe(true)
  setup.registry.endStream("live/cam1", "ended by an administrator")
  expect(await closed).toEqual({ code: 1000, reason: "ended by an administrator" })
})

test("a viewer that begins at live gets the cached pictures pressed together; an unknown start is refused", async () => {
  const setup = await startFlvSetup(scope)
  publish(setup, 10)
  const { received } = watchWebSocket(scope, setup, "/flv/live/cam1.flv?start=live")
  await until("the cached pictures", () => received.events.length === 6)
  setup.stream.pushFrame(frame("p", 13))
  await until("the live picture", () => received.events.length === 7)
  expect(tags(received).slice(2)).toEqual(["video 478", "video 478", "video 479", "video 480", "video 520"])
  const refusal = await watchWebSocket(scope, setup, "/flv/live/cam1.flv?start=now").refused
  expect(refusal.statusCode).toBe(400)
})

test("what leaves in one turn leaves as one message", async () => {
  const setup = await startFlvSetup(scope)
  publish(setup)
  const { received } = watchWebSocket(scope, setup)
  await until("the cached pictures", () => received.events.length === 6)
  const before = received.chunks.length
  publish(setup, 3)
  await until("three more pictures", () => received.events.length === 9)
  expect(received.chunks.length).toBe(before + 1)
})

test("Opus goes untouched to who asks for it", async () => {
  const setup = await startFlvSetup(scope)
  setup.stream.useAudio("opus")
  setup.stream.pushFrame({ track: OPUS_TRACK, ptsUs: 0, data: Uint8Array.of(0xfc, 1, 2) })
  const { received } = watchWebSocket(scope, setup, "/flv/live/cam1.flv?audio=opus")
  await until("the sound", () => received.events.length === 4)
  expect(received.events[0]).toEqual({ type: "header", hasVideo: false, hasAudio: true })
  const last = received.events.at(-1)
  const payload = last !== undefined && "payload" in last ? last.payload : new Uint8Array()
  expect(Buffer.from(payload).toString("latin1")).toBe("\x91Opus\xfc\x01\x02")
})

test("a viewer that leaves is gone from the stream", async () => {
  const setup = await startFlvSetup(scope)
  publish(setup)
  const { response } = await watchHttp(scope, setup)
  const { webSocket, opened } = watchWebSocket(scope, setup)
  await opened
  await until("both viewers", () => setup.stream.subscribers.size === 2)
  response.destroy()
  webSocket.close()
  await until("both to be gone", () => setup.stream.subscribers.size === 0)
  const reasons = setup.outcomes.map(({ reason }) => reason)
  expect(reasons).toEqual(["the viewer closed the connection", "the viewer closed the connection"])
})

test("HEAD tells what GET would, and joins nothing", async () => {
  const setup = await startFlvSetup(scope)
  const url = `http://127.0.0.1:${setup.port}/flv/live`
  const response = await fetch(`${url}/cam1.flv`, { method: "HEAD" })
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "video/x-flv"])
  expect(setup.stream.subscribers.size).toBe(0)
  expect(setup.outcomes).toHaveLength(1)
  expect((await fetch(`${url}/nobody.flv`, { method: "HEAD" })).status).toBe(404)
})

test("a WebSocket is refused by an HTTP status with problem details, and no other protocol is changed to", async () => {
  const setup = await startFlvSetup(scope)
  const response = await watchWebSocket(scope, setup, "/flv/live/nobody.flv").refused
  expect(response.statusCode).toBe(404)
  expect(JSON.parse(String((await once(response, "data"))[0]))).toMatchObject({ code: "stream.not_live" })
  const health = openRaw(scope, setup, ["GET /health HTTP/1.1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"])
  expect(String((await once(health, "data"))[0])).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
})

test("a handshake that is none leaves nobody behind in the stream", async () => {
  const setup = await startFlvSetup(scope)
  publish(setup)
  const socket = openRaw(scope, setup, ["GET /flv/live/cam1.flv HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket"])
  expect(String((await once(socket, "data"))[0])).toMatch(/^HTTP\/1\.1 400 /)
  await until("the viewer to be gone", () => setup.outcomes.length === 1 && setup.stream.subscribers.size === 0)
})

test("a full stream answers 503 to both", async () => {
  const setup = await startFlvSetup(scope)
  publish(setup)
  await Promise.all([watchHttp(scope, setup), watchWebSocket(scope, setup).opened])
  const response = await fetch(`http://127.0.0.1:${setup.port}/flv/live/cam1.flv`)
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, "10"])
  expect((await watchWebSocket(scope, setup).refused).statusCode).toBe(503)
})

test("who sends more than a viewer has to say is cut off", async () => {
  const setup = await startFlvSetup(scope)
  publish(setup)
  const { webSocket, opened, closed } = watchWebSocket(scope, setup)
  await opened
  webSocket.send("a few words are ignored")
  webSocket.send(Buffer.alloc(10_000))
  expect(await closed).toMatchObject({ code: 1009 })
  await until("the viewer to be gone", () => setup.stream.subscribers.size === 0)
})

test.each([
  { name: "HTTP", head: ["GET /flv/live/cam1.flv HTTP/1.1", "Connection: close"] },
  { name: "a WebSocket", head: webSocketHead() },
])("a viewer by $name that reads nothing has a bounded queue and is ended", async ({ head }) => {
  const setup = await startFlvSetup(scope, { maxQueueBytes: 200_000, slowTimeoutMs: 300 })
  publish(setup)
  const stalled = openRaw(scope, setup, head)
  stalled.pause()
  const [viewer] = await until("the viewer", () => setup.stream.subscribers.size === 1 && setup.stream.subscribers)
  let nextFrame = 3
  const bytesWhileDropping = new Set<number>()
  await until("the viewer to be ended", () => {
    for (let i = 0; i < 10; i++) setup.stream.pushFrame(frame("idr", nextFrame++, undefined, 100_000))
    const { bytes, droppedFrames = 0 } = viewer?.describe(performance.now()) ?? { bytes: 0 }
    if (droppedFrames > 0) bytesWhileDropping.add(bytes)
    return setup.outcomes.length === 1
  })
  expect(setup.outcomes[0]?.reason).toBe("the reader is too slow")
  expect(bytesWhileDropping.size).toBe(1)
  await once(stalled.resume(), "close")
})

test("a viewer by WebSocket that answers no ping is cut off", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
  try {
    const setup = await startFlvSetup(scope)
    publish(setup)
    const { webSocket, opened } = watchWebSocket(scope, setup, undefined, { autoPong: false })
    await opened
    const pinged = once(webSocket, "ping")
    vi.advanceTimersByTime(20_000)
    await pinged
    expect(setup.stream.subscribers.size).toBe(1)
    vi.advanceTimersByTime(20_000)
    await until("the viewer to be gone", () => setup.stream.subscribers.size === 0)
  } finally {
    vi.useRealTimers()
  }
})

function webSocketHead(): string[] {
  const version = ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
  return ["GET /flv/live/cam1.flv HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket", ...version]
}
