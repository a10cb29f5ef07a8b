import type { Browser, Page } from "playwright-core"
import { beforeAll, expect, test } from "vitest"
import { openPage, startChromium } from "../support/chromium.ts"
import { publishClip } from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { type PlayerState, serveMpegtsPage } from "../support/mpegts-page.ts"
import { AT_ONCE_MS, expectHealthy } from "../support/scenes.ts"
import { liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

/** HTTP-FLV and WebSocket-FLV in mpegts.js, on a page of another origin. */
const group = groupScope()
const scope = testScope()
let gateway: TestGateway
let browser: Browser
let origin: string

beforeAll(async () => {
  gateway = await startGateway(group)
  browser = await startChromium(group)
  origin = await serveMpegtsPage(group)
})

test.each([
  { name: "HTTP-FLV", scheme: "http" },
  { name: "WebSocket-FLV", scheme: "ws" },
])("$name plays an RTMP publisher's picture and sound, at once", async ({ name, scheme }) => {
  publishClip(scope, await clip("bbb"), gateway.rtmpUrl(`live/${scheme}`))
  await liveStream(gateway, `live/${scheme}`)
  const player = await play(`${scheme}://127.0.0.1:${gateway.httpPort}/flv/live/${scheme}.flv`)
  expect(player.firstPictureMs).toBeLessThan(AT_ONCE_MS)
  process.stdout.write(`${name}: first picture after ${Math.round(player.firstPictureMs)} ms\n`)
  expect(await progress(player.page)).toMatchObject({ width: 640, height: 360, errors: [] })
  await expectHealthy(gateway)
})

test("HTTP-FLV plays a WHIP publisher, with AAC for its Opus", async () => {
  const { page: camera } = await openPage(scope, browser, `${gateway.httpUrl}/health`)
  await camera.evaluate(`harness.publishCamera("${gateway.httpUrl}/whip/live/camera")`)
  await liveStream(gateway, "live/camera")
  const { page } = await play(`${gateway.httpUrl}/flv/live/camera.flv`)
  expect(await progress(page)).toMatchObject({ errors: [] })
  await expectHealthy(gateway)
})

/** Opens the player and waits for the first picture; the time counts from the request. */
async function play(url: string): Promise<{ page: Page; firstPictureMs: number }> {
  const page = await browser.newPage()
  scope.defer(() => page.close())
  await page.goto(origin)
  await page.evaluate(`play(${JSON.stringify(url)})`)
  const firstPictureMs = await until("the first picture", () => page.evaluate<number | undefined>("firstPictureMs"))
  return { page, firstPictureMs }
}

/** Waits until two seconds more were shown and heard. */
async function progress(page: Page): Promise<{ width: number; height: number; errors: string[] }> {
  const state = () => page.evaluate<PlayerState>("state()")
  const before = await state()
  return until("two more seconds of picture and sound", async () => {
    const now = await state()
    const isOn = now.time > before.time + 2 && now.pictures > before.pictures + 2 * 15 && now.sound > before.sound
    return isOn && now
  })
}
