import { expect, test } from "vitest"
import type { LiveStream } from "../../../src/hub/live-stream.ts"
import { RtmpSource } from "../../../src/io/pull/rtmp-source.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"
import { type RtmpSetup, startRtmpSetup } from "../rtmp/setup.ts"
import { edgeSetup, NAME, picture, pictureTimes, publisher } from "./setup.ts"

/** An RTMP server of ours as the origin; others are for test/interop. */
const scope = testScope()

test("publishes what the origin plays, and leaves the stream to the next attempt when the origin goes", async () => {
  const origin = await startRtmpSetup(scope)
  const stream = publishAt(origin)
  const edge = edgeSetup()
  const attempt = edge.attempt()
  const result = new RtmpSource(origin.url("cam1"), edge.options).fetch(attempt)
  await until("a player", () => stream.subscribers.size === 1)
  for (const ptsUs of [0, 40_000, 80_000]) stream.pushFrame(picture(ptsUs))
  await until("pictures", () => edge.registry.get(NAME)?.lanes.videoFrames.last !== undefined)
  expect(attempt.isLive()).toBe(true)
  expect(edge.registry.get(NAME)?.publisher).toMatchObject({ protocol: "pull", identity: "pull 1" })
  const { remoteAddress } = edge.registry.get(NAME)?.publisher?.describe(performance.now()) ?? {}
  expect(remoteAddress).toBe(`127.0.0.1:${origin.server.port}`)
  await origin.server.close(0)
  await result
  expect(edge.registry.get(NAME)?.awaited).toMatchObject({ protocol: "pull" })
})

test("another attempt takes the stream over, and its viewers stay", async () => {
  const edge = edgeSetup()
  let live: LiveStream | undefined
  for (let round = 0; round < 2; round++) {
    const origin = await startRtmpSetup(scope)
    const stream = publishAt(origin)
    const result = new RtmpSource(origin.url("cam1"), edge.options).fetch(edge.attempt())
    await until("a player", () => stream.subscribers.size === 1)
    stream.pushFrame(picture(round * 40_000))
    await until("a publisher", () => edge.registry.get(NAME)?.publisher !== undefined)
    live ??= edge.registry.get(NAME)
    expect(edge.registry.get(NAME)).toBe(live)
    await origin.server.close(0)
    await result
  }
  expect(pictureTimes(live).length).toBeGreaterThan(0)
})

test("the end of a pull ends the stream and leaves the origin", async () => {
  const origin = await startRtmpSetup(scope)
  const stream = publishAt(origin)
  const edge = edgeSetup()
  const attempt = edge.attempt()
  const result = new RtmpSource(origin.url("cam1"), edge.options).fetch(attempt)
  await until("a player", () => stream.subscribers.size === 1)
  stream.pushFrame(picture(0))
  await until("pictures", () => attempt.isLive())
  attempt.end("nobody watches")
  expect(await result).toBe("nobody watches")
  expect(edge.registry.get(NAME)).toBeUndefined()
  await until("the player to leave", () => stream.subscribers.size === 0)
})

test("a pull that ends while it connects ends at once", async () => {
  const origin = await startRtmpSetup(scope)
  const edge = edgeSetup()
  const attempt = edge.attempt()
  const result = new RtmpSource(origin.url("cam1"), edge.options).fetch(attempt)
  attempt.end("nobody watches")
  expect(await result).toBe("nobody watches")
})

test("a stream that is not live is refused, and its key is not told", async () => {
  const origin = await startRtmpSetup(scope)
  const edge = edgeSetup()
  const source = new RtmpSource(`${origin.url("cam1")}?key=secret`, edge.options)
  const failure = await source.fetch(edge.attempt()).catch((error) => error)
  expect(failure).toMatchObject({ code: "stream.not_live" })
  expect(`${failure.message} ${source.origin} ${edge.log()}`).not.toContain("secret")
})

test("an origin that lets us in and sends nothing is given up", async () => {
  const origin = await startRtmpSetup(scope)
  publishAt(origin)
  const edge = edgeSetup({ silenceTimeoutMs: 200 })
  const result = new RtmpSource(origin.url("cam1"), edge.options).fetch(edge.attempt())
  await expect(result).rejects.toMatchObject({ code: "stream.not_live", message: "the origin sends no media" })
})

test("an origin that is not there is told as such", async () => {
  const origin = await startRtmpSetup(scope)
  await origin.server.close(0)
  const edge = edgeSetup()
  const result = new RtmpSource(origin.url("cam1"), edge.options).fetch(edge.attempt())
  await expect(result).rejects.toMatchObject({ code: "rtmp.unreachable" })
})

function publishAt({ registry }: RtmpSetup): LiveStream {
  return registry.publish(NAME, publisher(), performance.now())
}
