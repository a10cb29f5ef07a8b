import type { Browser } from "playwright-core"
import { beforeAll, expect, test } from "vitest"
import { startChromium } from "../support/chromium.ts"
import { loudness, publishClip, readStream } from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { freeMediaPort } from "../support/ports.ts"
import { AT_ONCE_MS, expectHealthy, watchPage } from "../support/scenes.ts"
import type { Scope } from "../support/scope.ts"
import { liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

/** Two gateways: what is published at the origin is watched at the edge, which pulls it by MiniSDP. */
const group = groupScope()
const scope = testScope()
let browser: Browser

beforeAll(async () => {
  browser = await startChromium(group)
})

test("a browser and an RTMP reader get the origin's stream from the edge, with picture and sound", async () => {
  const origin = await startGateway(scope, { settings: { ACCESS__PLAY_TOKENS: TOKEN } })
  publishClip(scope, await clip("tone"), origin.rtmpUrl("live/cam1"))
  const edge = await startEdge(scope, `minisdp://127.0.0.1:${origin.mediaPort}/live/cam1?token=${TOKEN}`)
  await liveStream(edge, "live/cam1")
  const { page, errors } = await watchPage(scope, browser, edge, "live/cam1")
  expect((await page.evaluate<{ frames: number }>("harness.countFrames(2)")).frames).toBeGreaterThan(30)
  const sound = await page.evaluate<{ loudest: number; frequencyHz: number }>("harness.listen(2)")
  expect(sound.loudest).toBeGreaterThan(0.05)
  expect(errors).toEqual([])
  const { videoFrames, samples, errors: complaints } = await readStream(scope, edge.rtmpUrl("live/cam1"), 4)
  expect(complaints).toEqual([])
  expect(videoFrames).toBeGreaterThan(80)
  expect(loudness(samples, 1, 3)).toBeGreaterThan(0.05)
  expect(await liveStream(edge, "live/cam1")).toMatchObject({ publisher: { protocol: "pull" } })
  await expectHealthy(origin)
  await expectHealthy(edge)
  expectNoSecret(origin, edge)
})

test("pictures of a stream with B-frames are all seen at the edge, by those who come later too", async () => {
  const origin = await startGateway(scope)
  publishClip(scope, await clip("bFrames"), origin.rtmpUrl("live/cam1"))
  const edge = await startEdge(scope, `minisdp://127.0.0.1:${origin.mediaPort}/live/cam1`)
  await liveStream(edge, "live/cam1")
  const first = await watchPage(scope, browser, edge, "live/cam1")
  const second = await watchPage(scope, browser, edge, "live/cam1")
  for (const { page, errors, firstPictureMs } of [first, second]) {
    expect(firstPictureMs).toBeLessThan(AT_ONCE_MS)
    expect((await page.evaluate<{ frames: number }>("harness.countFrames(3)")).frames).toBeGreaterThan(60)
    expect(errors).toEqual([])
  }
})

test("an origin that is killed and comes back is pulled again, and the edge's viewer goes on in its session", async () => {
  const mediaPort = `${await freeMediaPort()}`
  const settings = { MEDIA__PORT: mediaPort }
  const origin = await startGateway(scope, { settings })
  const publisher = publishClip(scope, await clip("tone"), origin.rtmpUrl("live/cam1"))
  const edge = await startEdge(scope, `minisdp://127.0.0.1:${mediaPort}/live/cam1`, {
    MEDIA__IDLE_TIMEOUT_MS: "1500",
    HUB__GRACE_MS: "30000",
  })
  await liveStream(edge, "live/cam1")
  const { page, errors } = await watchPage(scope, browser, edge, "live/cam1")
  await page.evaluate("void (window.before = whipstitch.pc)")
  origin.process.child.kill("SIGKILL")
  await publisher.stop()
  const again = await startGateway(scope, { settings })
  publishClip(scope, await clip("tone"), again.rtmpUrl("live/cam1"))
  const connections = () =>
    edge.log().filter(({ msg, protocol }) => msg === "publisher connected" && protocol === "pull")
  await until("the edge to pull again", () => connections().length === 2, { timeoutMs: 20_000 })
  const goesOn = async () => (await page.evaluate<{ frames: number }>("harness.countFrames(1)")).frames > 10
  await until("pictures", goesOn, { timeoutMs: 20_000 })
  expect(await page.evaluate("whipstitch.pc === before")).toBe(true)
  expect(errors).toEqual([])
  await expectHealthy(edge)
})

test("an edge waits for a stream that is not live yet, and takes it when it comes", async () => {
  const origin = await startGateway(scope)
  const edge = await startEdge(scope, `minisdp://127.0.0.1:${origin.mediaPort}/live/late`)
  await until("the first refusal", () => failures(edge)[0]?.code === "stream.not_live")
  publishClip(scope, await clip("tone"), origin.rtmpUrl("live/late"))
  await liveStream(edge, "live/cam1")
  expect(failures(edge)).toHaveLength(1)
})

test("a wrong token is told once by its code, and never shown", async () => {
  const origin = await startGateway(scope, { settings: { ACCESS__PLAY_TOKENS: "another-token" } })
  publishClip(scope, await clip("tone"), origin.rtmpUrl("live/cam1"))

  const edge = await startEdge(scope, `minisdp://127.0.0.1:${origin.mediaPort}/live/cam1?token=${TOKEN}`)
  const line = await until("the refusal", () => failures(edge)[0])
  expect(line).toMatchObject({ code: "access.denied", stream: "live/cam1" })
  expectNoSecret(origin, edge)
  await expectHealthy(edge)
})

function startEdge(owner: Scope, url: string, settings: Record<string, string> = {}): Promise<TestGateway> {
  return startGateway(owner, { settings: { PULLS: JSON.stringify([{ stream: "live/cam1", url }]), ...settings } })
}

function failures(edge: TestGateway) {
  return edge.log().filter(({ msg }) => msg.startsWith("the stream cannot be pulled"))
}

function expectNoSecret(...gateways: TestGateway[]): void {
  for (const { process } of gateways) expect(process.stdoutLines.join("\n")).not.toContain(TOKEN)
}

const TOKEN = "a-secret-for-the-edge"
