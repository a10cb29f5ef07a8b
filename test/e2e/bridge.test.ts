import type { Browser, Page } from "playwright-core"
import { beforeAll, expect, test } from "vitest"
import { openPage, startChromium } from "../support/chromium.ts"
import { loudness, probe, publishClip, readStream } from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { AT_ONCE_MS, expectHealthy, quickestFirstPictureMs, watchPage } from "../support/scenes.ts"
import { liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

/** The four ways through the gateway, with real footage, a real encoder and a real browser. */
const group = groupScope()
const scope = testScope()
let gateway: TestGateway
let browser: Browser

beforeAll(async () => {
  gateway = await startGateway(group)
  browser = await startChromium(group)
})

test("RTMP to WHEP: every picture, no freeze, sound, across the loop point", async () => {
  publishClip(scope, await clip("bbb"), gateway.rtmpUrl("live/bbb"))
  await liveStream(gateway, "live/bbb")
  expect(await quickestFirstPictureMs(scope, browser, gateway, "live/bbb")).toBeLessThan(AT_ONCE_MS)
  const { page } = await watchPage(scope, browser, gateway, "live/bbb")
  const before = await decodedFrames(page)
  const [frames, sound] = await Promise.all([
    page.evaluate<Frames>("harness.countFrames(12)"),
    page.evaluate<Sound>("harness.listen(8)"),
  ])
  expect((await decodedFrames(page)) - before).toBeGreaterThan(12 * 24)
  // A busy machine decodes all pictures but does not show each one; scripts/acceptance asks for 24 a second.
  expect(frames.framesPerSecond).toBeGreaterThan(20)
  expect(frames.longestGapMs).toBeLessThan(1_000)
  expect(frames).toMatchObject({ width: 640, height: 360 })
  expect(sound.loudest).toBeGreaterThan(0.003)
  await expectHealthy(gateway)
})

test("RTMP to WHEP: a steady tone keeps its pitch and its level", async () => {
  publishClip(scope, await clip("tone"), gateway.rtmpUrl("live/tone"))
  await liveStream(gateway, "live/tone")
  const { page } = await watchPage(scope, browser, gateway, "live/tone")
  const sound = await page.evaluate<Sound>("harness.listen(3)")
  expect(Math.abs(sound.frequencyHz - 1000)).toBeLessThan(25)
  expect(sound.loudest).toBeGreaterThan(0.1)
})

test("RTMP to WHEP: mono sound at 48 kHz is heard", async () => {
  publishClip(scope, await clip("mono48k"), gateway.rtmpUrl("live/mono"))
  await liveStream(gateway, "live/mono")
  const { page } = await watchPage(scope, browser, gateway, "live/mono")
  expect((await page.evaluate<Sound>("harness.listen(4)")).loudest).toBeGreaterThan(0.003)
})

test("RTMP to WHEP: B-frames are shown too, in time, and a warning names the stream", async () => {
  publishClip(scope, await clip("bFrames"), gateway.rtmpUrl("live/bframes"))
  await liveStream(gateway, "live/bframes")
  expect(await quickestFirstPictureMs(scope, browser, gateway, "live/bframes")).toBeLessThan(AT_ONCE_MS)
  const { page } = await watchPage(scope, browser, gateway, "live/bframes")
  const frames = await page.evaluate<Frames>("harness.countFrames(8)")
  expect(frames.framesPerSecond).toBeGreaterThan(22)
  expect(frames.longestGapMs).toBeLessThan(1_000)
  expect(frames).toMatchObject({ width: 640, height: 360 })
  const warnings = gateway.log().filter(({ level, msg }) => level === 40 && /b-frame/i.test(msg))
  expect(JSON.stringify(warnings)).toContain("live/bframes")
})

test("WHIP to RTMP: the browser's camera and microphone arrive whole, with sound from the first second", async () => {
  const { page } = await openPage(scope, browser, `${gateway.httpUrl}/health`)
  await page.evaluate(`harness.publishCamera("${gateway.httpUrl}/whip/live/camera")`)
  await liveStream(gateway, "live/camera")
  const streams = await probe(gateway.rtmpUrl("live/camera"))
  expect(streams.map(({ codec_name }) => codec_name).sort()).toEqual(["aac", "h264"])
  const reading = await readStream(scope, gateway.rtmpUrl("live/camera"), 8)
  expect(reading.errors).toEqual([])
  expect(reading.videoFrames).toBeGreaterThan(8 * 20)
  expect(loudness(reading.samples, 0, 1.1)).toBeGreaterThan(0.02)
  expect(loudness(reading.samples, 6, 8)).toBeGreaterThan(0.02)
})

test("WHIP to WHEP: pictures and sound pass, and the first picture comes at once", async () => {
  const { page: publisher } = await openPage(scope, browser, `${gateway.httpUrl}/health`)
  await publisher.evaluate(`harness.publishCamera("${gateway.httpUrl}/whip/live/direct")`)
  await liveStream(gateway, "live/direct")
  expect(await quickestFirstPictureMs(scope, browser, gateway, "live/direct")).toBeLessThan(AT_ONCE_MS)
  const { page } = await watchPage(scope, browser, gateway, "live/direct")
  const [frames, sound] = await Promise.all([
    page.evaluate<Frames>("harness.countFrames(6)"),
    page.evaluate<Sound>("harness.listen(4)"),
  ])
  expect(frames.framesPerSecond).toBeGreaterThan(15)
  expect(sound.loudest).toBeGreaterThan(0.02)
})

test("RTMP to RTMP: the reader gets the streams as they were sent, from a keyframe on", async () => {
  publishClip(scope, await clip("bbb"), gateway.rtmpUrl("live/copy"))
  await liveStream(gateway, "live/copy")
  const reading = await readStream(scope, gateway.rtmpUrl("live/copy"), 5)
  expect(reading.errors).toEqual([])
  expect(reading.videoFrames).toBeGreaterThan(5 * 24)
  expect(loudness(reading.samples, 0, 5)).toBeGreaterThan(0.003)
  const streams = await probe(gateway.rtmpUrl("live/copy"))
  expect(streams.find(({ codec_type }) => codec_type === "audio")).toMatchObject({ sample_rate: "44100", channels: 2 })
})

test("a publisher that comes back under the same name reaches the viewer that waited", async () => {
  const first = publishClip(scope, await clip("bbb"), gateway.rtmpUrl("live/again"))
  await liveStream(gateway, "live/again")
  const { page } = await watchPage(scope, browser, gateway, "live/again")
  await first.stop()
  publishClip(scope, await clip("bbb"), gateway.rtmpUrl("live/again"))
  await until("pictures again", async () => {
    return (await page.evaluate<Frames>("harness.countFrames(1)")).frames > 20
  })
})

function decodedFrames(page: Page): Promise<number> {
  return page.evaluate<number>("harness.receiverStats(whipstitch.pc).then(({ video }) => video.framesDecoded)")
}

interface Frames {
  readonly frames: number
  readonly framesPerSecond: number
  readonly longestGapMs: number
  readonly width: number
  readonly height: number
}

interface Sound {
  readonly loudest: number
  readonly frequencyHz: number
}
