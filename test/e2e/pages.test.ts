import type { Browser } from "playwright-core"
import { beforeAll, expect, test } from "vitest"
import { openPage, startChromium } from "../support/chromium.ts"
import { publishClip } from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { watchPage } from "../support/scenes.ts"
import { endedStream, liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

const group = groupScope()
const scope = testScope()
let gateway: TestGateway
let browser: Browser

beforeAll(async () => {
  gateway = await startGateway(group)
  browser = await startChromium(group)
})

test("the player waits for a stream, plays it, says that it ended, and plays again when it is back", async () => {
  const { page, errors } = await openPage(scope, browser, `${gateway.httpUrl}/watch/live/later`)
  const state = (name: string) =>
    until(`the player to be ${name}`, () => page.evaluate<boolean>(`whipstitch.state === "${name}"`), {
      timeoutMs: 15_000,
    })
  await state("waiting")
  await page.getByText("Not live yet").waitFor()
  const publisher = publishClip(scope, await clip("bbb"), gateway.rtmpUrl("live/later"))
  await state("live")
  expect(await page.evaluate("whipstitch.pc.connectionState")).toBe("connected")
  await publisher.stop()
  await state("ended")
  await page.getByText("The stream has ended").waitFor()
  publishClip(scope, await clip("bbb"), gateway.rtmpUrl("live/later"))
  await state("live")
  expect((await page.evaluate<{ frames: number }>("harness.countFrames(2)")).frames).toBeGreaterThan(40)
  expect(errors).toEqual([])
})

test("the player shows statistics and gives sound when it is asked to", async () => {
  publishClip(scope, await clip("tone"), gateway.rtmpUrl("live/controls"))
  await liveStream(gateway, "live/controls")
  const { page, errors } = await watchPage(scope, browser, gateway, "live/controls")
  await page.getByRole("button", { name: "Statistics" }).click()
  await page.getByText("640×360").first().waitFor()
  await page.getByText("Tap for sound").click()
  expect(await page.evaluate("document.querySelector('video').muted")).toBe(false)
  expect(await page.evaluate("whipstitch.stats()")).toMatchObject({ firstFrameMs: expect.any(Number) })
  expect(errors).toEqual([])
})

test("the front page lists a live stream with a link to its player, and drops it when it ends", async () => {
  const { page, errors } = await openPage(scope, browser, gateway.httpUrl)
  await page.getByText("Nothing is live").waitFor()
  const publisher = publishClip(scope, await clip("bbb"), gateway.rtmpUrl("live/listed"))
  await page.getByRole("link", { name: /live\/listed/ }).click({ timeout: 10_000 })
  await page.waitForURL(/\/watch\/live\/listed$/)
  await page.goBack()
  await publisher.stop()
  await endedStream(gateway, "live/listed")
  await page.getByText("Nothing is live").waitFor()
  expect(errors).toEqual([])
})

test("the studio previews the camera, publishes it, and stops", async () => {
  const { page, errors } = await openPage(scope, browser, `${gateway.httpUrl}/publish/live/studio`)
  await page.getByRole("button", { name: /camera/i }).click()
  await page.getByRole("button", { name: "Go live" }).click()
  await liveStream(gateway, "live/studio")
  const { page: viewer } = await watchPage(scope, browser, gateway, "live/studio")
  expect((await viewer.evaluate<{ frames: number }>("harness.countFrames(2)")).frames).toBeGreaterThan(15)
  await page.locator("#go").click()
  await endedStream(gateway, "live/studio")
  expect(errors).toEqual([])
})
