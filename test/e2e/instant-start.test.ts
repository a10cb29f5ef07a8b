import type { Browser, Page } from "playwright-core"
import { beforeAll, expect, test } from "vitest"
import { publishBarcode } from "../support/barcode-publisher.ts"
import { openPage, startChromium } from "../support/chromium.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { type Join, joinOnce } from "../support/joins.ts"
import { liveStream } from "../support/streams.ts"
import { groupScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

/**
 * A viewer has a picture at once, from a publisher whose last keyframe is seconds old and who makes none on request, and soon the
 * present one. Limits are wide, as machines that test are busy; scripts/bench/first-picture measures.
 */
const group = groupScope()
const STREAM = "live/clock"
let gateway: TestGateway
let browser: Browser
let page: Page

beforeAll(async () => {
  gateway = await startGateway(group)
  browser = await startChromium(group)
  const picture = ["-vf", "scale=640:360:flags=neighbor,noise=alls=12:allf=t,format=yuv420p", "-c:v", "libx264"]
  const rate = [
    "-preset",
    "ultrafast",
    "-tune",
    "zerolatency",
    "-b:v",
    "2500k",
    "-maxrate",
    "2500k",
    "-bufsize",
    "2500k",
  ]
  const output = [...picture, ...rate, "-g", "1000", "-sc_threshold", "0", "-c:a", "aac", "-ac", "2", "-f", "flv"]
  publishBarcode(group, { fps: 25, sound: true, output: [...output, gateway.rtmpUrl(STREAM)] })
  await liveStream(gateway, STREAM)
  page = (await openPage(group, browser, `${gateway.httpUrl}/health`)).page
})

test("viewers have a picture and sound at once, and are back at live soon", async () => {
  const whep = `${gateway.httpUrl}/whep/${STREAM}`
  const startedAt = performance.now()
  await joinOnce(page, whep, 0.5) // Chromium loads what it needs
  await until("the keyframe to be four seconds old", () => performance.now() - startedAt > 4_000)
  const joins: Join[] = []
  for (let i = 0; i < 3; i++) joins.push(await joinOnce(page, whep, 2.5))
  const told = joins.map(({ firstPictureMs, firstSoundMs, backAtLiveMs, longestGapMs }) =>
    [firstPictureMs, firstSoundMs, backAtLiveMs, longestGapMs].map(Math.round).join("/"),
  )
  process.stdout.write(`first picture/sound/back at live/longest gap in ms: ${told.join(", ")}\n`)
  const least = (name: "firstPictureMs" | "firstSoundMs") => Math.min(...joins.map((join) => join[name]))
  expect(least("firstPictureMs")).toBeLessThan(300)
  expect(least("firstSoundMs")).toBeLessThan(600)
  for (const { backAtLiveMs, plis, nacks, lost, reversals } of joins) {
    expect(backAtLiveMs).toBeLessThan(2_000)
    expect({ plis, reversals }).toEqual({ plis: 0, reversals: 0 })
    expect(nacks).toBeLessThanOrEqual(lost + 5)
  }
})
