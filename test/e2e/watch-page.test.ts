import type { Browser, Page } from "playwright-core"
import { beforeAll, expect, test } from "vitest"
import { openPage, startChromium } from "../support/chromium.ts"
import { publishClip } from "../support/ffmpeg.ts"
import { startGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { publishLikeObs } from "../support/rtc-publisher.ts"
import { watchPage } from "../support/scenes.ts"
import { liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

/** The watch page with what a WHEP session tells and takes: keys, a publisher's absence, sizes. */
const group = groupScope()
const scope = testScope()
let browser: Browser

beforeAll(async () => {
  browser = await startChromium(group)
})

const state = (page: Page, name: string) =>
  until(`the player to be ${name}`, () => page.evaluate<boolean>(`whipstitch.state === "${name}"`), {
    timeoutMs: 20_000,
  })

test("a stream that needs a key asks for it, refuses a wrong one, and plays with the right one", async () => {
  const gateway = await startGateway(scope, { settings: { ACCESS__PLAY_TOKENS: "let-me-see" } })
  publishClip(scope, await clip("bbb"), gateway.rtmpUrl("live/locked"))
  const { page, errors } = await openPage(scope, browser, `${gateway.httpUrl}/watch/live/locked`)
  await state(page, "locked")
  await page.getByText("This stream needs a key").waitFor()
  await page.getByLabel("Key").fill("wrong")
  await page.getByRole("button", { name: "Watch" }).click()
  await page.getByText("This key does not open it.").waitFor()
  await page.getByLabel("Key").fill("let-me-see")
  await page.getByRole("button", { name: "Watch" }).click()
  await state(page, "live")
  const { page: linked } = await openPage(scope, browser, `${gateway.httpUrl}/watch/live/locked?token=let-me-see`)
  await state(linked, "live")
  expect(errors).toEqual([])
})

test("a publisher that is lost is waited for, and goes on in the same session when it returns", async () => {
  const gateway = await startGateway(scope, {
    settings: { MEDIA__IDLE_TIMEOUT_MS: "1500", HUB__GRACE_MS: "30000" },
  })
  const publisher = await publishLikeObs(scope, `${gateway.httpUrl}/whip/live/away`)
  await liveStream(gateway, "live/away")
  const { page, errors } = await watchPage(scope, browser, gateway, "live/away")
  await page.evaluate("void (window.before = whipstitch.pc)")
  publisher.process.child.kill("SIGKILL")
  await state(page, "away")
  await page.getByText("The publisher has lost its connection").waitFor()
  await publishLikeObs(scope, `${gateway.httpUrl}/whip/live/away`)
  await state(page, "live")
  expect(await page.evaluate("whipstitch.pc === before")).toBe(true)
  expect((await page.evaluate<{ frames: number }>("harness.countFrames(2)")).frames).toBeGreaterThan(20)
  expect(errors).toEqual([])
})

test("the sizes of a simulcast can be chosen from, and the studio makes them", async () => {
  const gateway = await startGateway(scope)
  const { page: studio } = await openPage(scope, browser, `${gateway.httpUrl}/publish/live/sizes`)
  await studio.getByRole("button", { name: /camera/i }).click()
  await studio.getByLabel(/three sizes/i).check()
  await studio.getByRole("button", { name: "Go live" }).click()
  await liveStream(gateway, "live/sizes")
  const { page, errors } = await watchPage(scope, browser, gateway, "live/sizes")
  const quality = page.getByLabel("Quality")
  await until("three sizes", async () => (await quality.locator("option:enabled").count()) === 4, { timeoutMs: 30_000 })
  const widthPx = () => page.evaluate<number>("document.querySelector('video').videoWidth")
  const freezes = () => page.evaluate<number>("whipstitch.stats().then((stats) => stats.inbound.video.raw.freezeCount)")
  const smallest = await quality.locator("option:enabled").last().getAttribute("value")
  await quality.selectOption(smallest)
  await until("the smallest size", async () => (await widthPx()) <= 320, { timeoutMs: 20_000 })
  const freezesBefore = await freezes()
  await quality.selectOption("")
  await until("a larger size", async () => (await widthPx()) > 320, { timeoutMs: 30_000 })
  expect((await page.evaluate<{ frames: number }>("harness.countFrames(2)")).frames).toBeGreaterThan(15)
  expect(await freezes()).toBe(freezesBefore)
  expect(errors).toEqual([])
})
