import { createSocket } from "node:dgram"
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { beforeAll, expect, test } from "vitest"
import { publishClip, readStream } from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { expectHealthy } from "../support/scenes.ts"
import { liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"
import { within } from "../support/wait.ts"

/** Nonsense over real sockets: the sender gets a clear error and nobody else notices. */
const group = groupScope()
const scope = testScope()
const SETUP_TIMEOUT_MS = 1_000
let gateway: TestGateway

beforeAll(async () => {
  gateway = await startGateway(group, { settings: { RTMP__SETUP_TIMEOUT_MS: `${SETUP_TIMEOUT_MS}` } })
  publishClip(group, await clip("bbb"), gateway.rtmpUrl("live/witness"))
  await liveStream(gateway, "live/witness")
})

const NOISE = Uint8Array.from({ length: 5_000 }, (_, index) => (index * 167 + (index >> 3) * 59) & 0xff)

test.each([
  ["random bytes", NOISE],
  ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\nhost: x\r\n\r\n".padEnd(2_000, " "))],
  ["a handshake followed by noise", Buffer.concat([Uint8Array.of(3), new Uint8Array(3_072), NOISE])],
  ["a message that announces 16 MB", handshakeAnd(Uint8Array.of(3, 0, 0, 0, 0xff, 0xff, 0xff, 20, 0, 0, 0, 0))],
  ["a chunk of a stream that never began", handshakeAnd(Uint8Array.of(0xc7))],
])("RTMP: %s ends that connection", async (_, bytes) => {
  const socket = await connectRtmp()
  socket.write(bytes)
  await within(SETUP_TIMEOUT_MS + 4_000, "the gateway to hang up", closed(socket))
  await expectWitness()
})

test("RTMP: a handshake that stalls is ended", async () => {
  const socket = await connectRtmp()
  socket.write(Uint8Array.of(3, 0, 0))
  await within(SETUP_TIMEOUT_MS + 4_000, "the gateway to hang up", closed(socket))
})

test.each(["live/..", "live/a%20b", "..%2f..%2fetc/passwd"])("RTMP: publishing as %s is refused", async (stream) => {
  const publisher = publishClip(scope, await clip("bbb"), gateway.rtmpUrl(stream))
  expect(await within(10_000, "ffmpeg to be refused", publisher.exited)).not.toBe(0)
  expect(publisher.stderrLines.join("\n")).toMatch(/error|fail/i)
})

test.each([
  { name: "an offer that is not SDP", path: "whip/live/x", body: "hello", status: 400, code: "sdp.syntax" },
  { name: "an empty offer", path: "whip/live/witness", body: "", status: 400, code: "sdp.syntax" },
  { name: "a stream name with dots", path: "whip/live/%2e%2e%2fx", body: offer(), status: 400, code: "stream.name" },
  { name: "an address without a stream", path: "whip/live", body: offer(), status: 400, code: "stream.name" },
  {
    name: "a stream that is not live",
    path: "whep/live/nobody",
    body: offer("recvonly"),
    status: 409,
    code: "stream.not_live",
  },
  { name: "a name that is taken", path: "whip/live/witness", body: offer(), status: 409, code: "stream.busy" },
  {
    name: "an offer without a codec that is known",
    path: "whip/live/x",
    body: offer().replace("H264", "H263"),
    status: 422,
    code: "sdp.unsupported",
  },
  { name: "a body of a megabyte", path: "whip/live/x", body: "x".repeat(1e6), status: 413, code: "http.too_large" },
])("WHIP and WHEP: $name gets problem details", async ({ path, body, status, code }) => {
  const response = await post(path, body)
  expect(response.headers.get("content-type")).toBe("application/problem+json")
  const problem = (await response.json()) as { status: number; code: string; detail: string }
  expect(problem).toMatchObject({ status, code })
  expect(response.status).toBe(status)
  expect(problem.detail.length).toBeGreaterThan(10)
  if (status === 409 && code === "stream.not_live") expect(response.headers.get("retry-after")).toMatch(/^\d+$/)
})

test("WHIP: another media type gets 415", async () => {
  const response = await fetch(`${gateway.httpUrl}/whip/live/x`, {
    method: "POST",
    body: "v=0",
    headers: { "content-type": "text/plain" },
  })
  expect(response.status).toBe(415)
})

test("UDP: noise of every kind is dropped", async () => {
  const socket = createSocket("udp4")
  const send = (bytes: Uint8Array) =>
    new Promise((resolve) => socket.send(bytes, gateway.mediaPort, "127.0.0.1", resolve))
  for (let first = 0; first < 256; first++) {
    await send(Uint8Array.of(first))
    await send(Buffer.concat([Uint8Array.of(first), NOISE.subarray(first, first + 40)]))
    await send(Buffer.concat([Uint8Array.of(first), NOISE.subarray(0, 1_300)]))
  }
  await send(new Uint8Array(0))
  socket.close()
  await expectWitness()
})

test("HTTP: noise and a request that stalls harm nobody", async () => {
  const noisy = connect(gateway.httpPort, "127.0.0.1")
  await once(noisy, "connect")
  noisy.write(NOISE)
  await within(5_000, "the server to hang up", closed(noisy))
  const stalled = connect(gateway.httpPort, "127.0.0.1")
  scope.defer(() => stalled.destroy())
  await once(stalled, "connect")
  stalled.write("POST /whip/live/x HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nv=0")
  await expectWitness()
})

test("after all of it the stream that was live is still whole", async () => {
  const { errors, videoFrames } = await readStream(scope, gateway.rtmpUrl("live/witness"), 3)
  expect(errors).toEqual([])
  expect(videoFrames).toBeGreaterThan(3 * 24)
})

async function expectWitness(): Promise<void> {
  await liveStream(gateway, "live/witness")
  await expectHealthy(gateway)
}

async function connectRtmp(): Promise<Socket> {
  const socket = connect(gateway.rtmpPort, "127.0.0.1")
  scope.defer(() => socket.destroy())
  await once(socket, "connect")
  return socket
}

/** Resolves when the other side has hung up, politely or not. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on("error", () => {})
    socket.on("close", () => resolve())
    socket.resume()
  })
}

/** C0, C1 and C2 of a simple handshake that does not wait for the answers, then some bytes. */
function handshakeAnd(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(3), new Uint8Array(1_536), new Uint8Array(1_536), bytes])
}

function post(path: string, body: string): Promise<Response> {
  return fetch(`${gateway.httpUrl}/${path}`, { method: "POST", headers: { "content-type": "application/sdp" }, body })
}

/** A small offer with H.264 and Opus that is right in every respect. */
function offer(direction = "sendonly"): string {
  const transport = [
    "c=IN IP4 0.0.0.0",
    "a=ice-ufrag:abcd",
    "a=ice-pwd:0123456789abcdef01234567",
    `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => "AB").join(":")}`,
    "a=setup:actpass",
    "a=rtcp-mux",
    `a=${direction}`,
  ]
  const lines = [
    ...["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1"],
    ...["m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0", ...transport, "a=rtpmap:111 opus/48000/2"],
    ...["m=video 9 UDP/TLS/RTP/SAVPF 96", "a=mid:1", ...transport, "a=rtpmap:96 H264/90000"],
    "a=fmtp:96 packetization-mode=1;profile-level-id=42e01f",
  ]
  return `${lines.join("\r\n")}\r\n`
}
