import { Writable } from "node:stream"
import { type Logger, pino } from "pino"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { GatewayError } from "../../../src/errors.ts"
import { parseStreamName } from "../../../src/hub/stream-name.ts"
import type { StreamRegistry } from "../../../src/hub/stream-registry.ts"
import type { PlayedStream, PlayOptions } from "../../../src/io/minisdp/client.ts"
import { StreamPull } from "../../../src/io/minisdp/stream-pull.ts"
import type { DtlsIdentity } from "../../../src/io/webrtc/identity.ts"

/** When and how often a gateway comes again; the media itself is for test/interop/pull.test.ts. */
let lines: string[]
let logger: Logger
let attempts: { readonly atMs: number; readonly cookie: Uint8Array | undefined }[]
let outcome: () => Promise<PlayedStream>
let bugs: unknown[]

beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
  vi.spyOn(Math, "random").mockReturnValue(1)
  lines = []
  attempts = []
  bugs = []
  const sink = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk))
      done()
    },
  })
  logger = pino({ level: "info", base: null }, sink)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

test("pauses double up to 5 s while the stream is not there, and the log says so once", async () => {
  outcome = () => Promise.reject(new GatewayError("stream.not_live", "nobody publishes it"))
  const pull = start()
  await vi.advanceTimersByTimeAsync(20_000)
  expect(attempts.map(({ atMs }) => atMs)).toEqual([0, 250, 750, 1_750, 3_750, 7_750, 12_750, 17_750])
  expect(lines.map((line) => JSON.parse(line).code)).toEqual(["stream.not_live"])
  pull.close("test is over")
})

test("another trouble is another line, and no line has the token", async () => {
  const codes = ["stream.not_live", "access.denied", "access.denied"] as const
  outcome = () => Promise.reject(new GatewayError(codes[attempts.length - 1] ?? "access.denied", "no"))
  const pull = start()
  await vi.advanceTimersByTimeAsync(2_000)
  expect(lines.map((line) => JSON.parse(line).code)).toEqual(["stream.not_live", "access.denied"])
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ stream: "live/cam1", origin: "origin:8000/live/cam9" })
  expect(lines.join()).not.toContain("secret")
  pull.close("test is over")
})

test("a bug is told as one, and does not end the pull", async () => {
  outcome = () => Promise.reject(new TypeError("made by the test"))
  const pull = start()
  await vi.advanceTimersByTimeAsync(300)
  expect(bugs).toHaveLength(2)
  pull.close("test is over")
})

test("after the end nothing comes again", async () => {
  outcome = () => Promise.reject(new GatewayError("stream.not_live", "nobody publishes it"))
  const pull = start()
  await vi.advanceTimersByTimeAsync(100)
  pull.close("test is over")
  await vi.advanceTimersByTimeAsync(60_000)
  expect(attempts).toHaveLength(1)
})

function start(): StreamPull {
  return new StreamPull({
    name: parseStreamName("live", "cam1"),
    url: "minisdp://origin:8000/live/cam9?token=secret",
    client: {
      play: (_url: string, { cookie }: PlayOptions) => {
        attempts.push({ atMs: Date.now(), cookie })
        return outcome()
      },
    },
    identity: {} as DtlsIdentity,
    registry: {} as StreamRegistry,
    logger,
    nowMs: () => Date.now(),
    maxBitrateBps: 1,
    connectTimeoutMs: 1,
    idleTimeoutMs: 1,
    onBug: (error) => bugs.push(error),
  })
}
