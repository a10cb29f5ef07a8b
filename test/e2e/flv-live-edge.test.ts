import type { Browser } from "playwright-core"
import { beforeAll, expect, test } from "vitest"
import { publishBarcode } from "../support/barcode-publisher.ts"
import { openPage, startChromium } from "../support/chromium.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { type PlayerState, serveMpegtsPage } from "../support/mpegts-page.ts"
import { AT_ONCE_MS, expectHealthy } from "../support/scenes.ts"
import { liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

/**
 * mpegts.js, which plays from its first picture on and catches nothing up by itself, joins seconds after the keyframe. The pictures show when they
 * were drawn, which tells how far behind live they are.
 */
const group = groupScope()
const scope = testScope()
const STREAM = "live/clock"
/** The only keyframe is at least so old when a player joins. */
const KEYFRAME_AGE_MS = 5_000
let gateway: TestGateway
let browser: Browser
let origin: string

beforeAll(async () => {
  gateway = await startGateway(group, { settings: { HUB__CACHE_MAX_MS: "600000" } }) // the tests take longer than 30 s
  browser = await startChromium(group)
  origin = await serveMpegtsPage(group)
  const picture = ["-vf", "scale=640:360:flags=neighbor,format=yuv420p", "-c:v", "libx264", "-preset", "ultrafast"]
  const bFrames = ["-bf", "2", "-x264-params", "b-adapt=0:rc-lookahead=0:sync-lookahead=0", "-g", "1000"]
  const output = [...picture, ...bFrames, "-sc_threshold", "0", "-c:a", "aac", "-ac", "2", "-f", "flv"]
  publishBarcode(group, { fps: 25, sound: true, output: [...output, gateway.rtmpUrl(STREAM)] })
  await liveStream(gateway, STREAM)
  const liveFromMs = performance.now()
  await until("the keyframe to be five seconds old", () => performance.now() - liveFromMs > KEYFRAME_AGE_MS)
})

test.each([
  { name: "HTTP-FLV", scheme: "http" },
  { name: "WebSocket-FLV", scheme: "ws" },
])("$name: the first picture comes at once, and the player is at live soon and stays there", async ({ scheme }) => {
  const { firstPictureMs, pictures, state } = await watch(`${scheme}://127.0.0.1:${gateway.httpPort}/flv/${STREAM}.flv`)
  expect(firstPictureMs).toBeLessThan(AT_ONCE_MS)
  const later = agesAfter(pictures, 2_000)
  process.stdout.write(`${scheme}: first picture ${Math.round(firstPictureMs)} ms, then ${told(later)} behind live\n`)
  expect(later.length).toBeGreaterThan(25)
  expect(Math.max(...later)).toBeLessThan(2_000)
  expect(state.errors).toEqual([])
  expect(state.stalls).toBeLessThanOrEqual(1) // none but where the machine was taken away
  expect(state.sound).toBeGreaterThan(0)
  await expectHealthy(gateway)
})

test("who asks for the keyframe gets it with its true time, and stays as late as that", async () => {
  const { pictures } = await watch(`${gateway.httpUrl}/flv/${STREAM}.flv?start=keyframe`)
  const later = agesAfter(pictures, 2_000)
  process.stdout.write(`start=keyframe: ${told(later)} behind live\n`)
  expect(Math.min(...later)).toBeGreaterThan(KEYFRAME_AGE_MS - 500)
})

interface Picture {
  readonly seenAt: number
  /** Undefined where it could not be read. */
  readonly ageMs?: number
}

/** Plays it for five seconds from the first picture on. */
async function watch(url: string) {
  const { page } = await openPage(scope, browser, origin)
  await page.evaluate(`play(${JSON.stringify(url)}, { enableStashBuffer: false })`)
  const pictures = await page.evaluate<Picture[]>("barcode.watch(video, 5)")
  const firstPictureMs = await page.evaluate<number>("firstPictureMs")
  return { firstPictureMs, pictures, state: await page.evaluate<PlayerState>("state()") }
}

function agesAfter(pictures: readonly Picture[], afterMs: number): number[] {
  const fromMs = (pictures[0]?.seenAt ?? 0) + afterMs
  return pictures.flatMap(({ seenAt, ageMs }) => (ageMs !== undefined && seenAt > fromMs ? [ageMs] : []))
}

function told(agesMs: readonly number[]): string {
  return `${Math.round(Math.min(...agesMs))} to ${Math.round(Math.max(...agesMs))} ms`
}
