import { Writable } from "node:stream"
import { type Logger, pino } from "pino"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { GatewayError } from "../../../src/errors.ts"
import { parseStreamName } from "../../../src/hub/stream-name.ts"
import { PullFailureLog } from "../../../src/io/pull/failure-log.ts"
import type { PullAttempt } from "../../../src/io/pull/pull-source.ts"
import { StreamPull } from "../../../src/io/pull/stream-pull.ts"

/** When and how often a gateway comes again; the media itself is for the tests of the sources. */
let lines: string[]
let logger: Logger
let attempts: { readonly atMs: number }[]
let outcome: (attempt: PullAttempt) => Promise<string>
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

test("another trouble is another line, with the origin", async () => {
  const codes = ["stream.not_live", "access.denied", "access.denied"] as const
  outcome = () => Promise.reject(new GatewayError(codes[attempts.length - 1] ?? "access.denied", "no"))
  const pull = start()
  await vi.advanceTimersByTimeAsync(2_000)
  expect(lines.map((line) => JSON.parse(line).code)).toEqual(["stream.not_live", "access.denied"])
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ stream: "live/cam1", origin: "rtmp://origin/live/cam9" })
  pull.close("test is over")
})

test("an origin that gives media and goes again at once is not hammered, one that was well for a while is asked at once", async () => {
  let liveMs = 1_000
  outcome = async ({ onLive }) => {
    onLive()
    await new Promise((resolve) => setTimeout(resolve, liveMs))
    return "lost"
  }
  const pull = start()
  await vi.advanceTimersByTimeAsync(4_000)
  expect(attempts.map(({ atMs }) => atMs)).toEqual([0, 1_250, 2_750])
  liveMs = 6_000
  await vi.advanceTimersByTimeAsync(16_000)
  // It is live from 4,750 to 10,750, and the pause that follows is the first one again.
  expect(attempts.map(({ atMs }) => atMs).slice(3)).toEqual([4_750, 11_000, 17_250])
  pull.close("test is over")
})

test("tells its state, and what went wrong last also when all is well again", async () => {
  outcome = () => Promise.reject(new GatewayError("access.denied", "no"))
  const pull = start()
  expect(pull).toMatchObject({ state: "connecting", failure: undefined, lastError: undefined })
  await vi.advanceTimersByTimeAsync(100)
  expect(pull).toMatchObject({ state: "backingOff", sinceMs: 0, failure: { code: "access.denied" } })
  const ended = Promise.withResolvers<string>()
  outcome = ({ onLive, signal }) => {
    onLive()
    signal.addEventListener("abort", () => ended.resolve(String(signal.reason)))
    return ended.promise
  }
  await vi.advanceTimersByTimeAsync(400)
  expect(pull).toMatchObject({ state: "live", sinceMs: 250, failure: undefined, lastError: { code: "access.denied" } })
  pull.close("test is over")
  expect(await ended.promise).toBe("test is over")
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
    source: {
      origin: "rtmp://origin/live/cam9",
      fetch: (attempt) => {
        attempts.push({ atMs: Date.now() })
        return outcome(attempt)
      },
    },
    logger,
    failureLog: new PullFailureLog(),
    nowMs: () => Date.now(),
    onBug: (error) => bugs.push(error),
  })
}
