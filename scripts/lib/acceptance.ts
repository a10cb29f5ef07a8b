import type { Browser } from "playwright-core"
import { openPage, startChromium } from "../../test/support/chromium.ts"
import { median, publishClapper, readClapper } from "../../test/support/clapper.ts"
import { loudness, publishByWhipMuxer, publishClip, readStream } from "../../test/support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../../test/support/gateway.ts"
import { type ClipName, clip } from "../../test/support/media.ts"
import { HAS_FFMPEG9 } from "../../test/support/paths.ts"
import { publishLikeObs } from "../../test/support/rtc-publisher.ts"
import { Scope } from "../../test/support/scope.ts"
import { liveStream } from "../../test/support/streams.ts"
import { until } from "../../test/support/wait.ts"

/** A gateway and a browser of its own for each measurement. */
interface Bench {
  readonly scope: Scope
  readonly gateway: TestGateway
  readonly browser: Browser
}

/** One line of the table: what was measured and whether it is good enough. */
type Finding = readonly [what: string, value: string, isGood: boolean]

const WATCH_S = 60
const READ_S = 30
const FREEZE_MS = 400
const lipSyncMinutes = Number(process.argv[2] ?? 10)

await measure("RTMP→WHEP, bbb.flv in a loop", (bench) => watch(bench, "bbb", 24))
await measure("RTMP→WHEP, B-frames", (bench) => watchBFrames(bench))
await measure("WHIP→RTMP, Chromium's fake camera", async (bench) => {
  const { page } = await openPage(bench.scope, bench.browser, `${bench.gateway.httpUrl}/health`)
  await page.evaluate(`harness.publishCamera("${bench.gateway.httpUrl}/whip/live/it")`)
  return read(bench, 0.02)
})
await measure("WHIP→RTMP, node-datachannel as OBS", async (bench) => {
  await publishLikeObs(bench.scope, `${bench.gateway.httpUrl}/whip/live/it`)
  return read(bench, 0.1)
})
if (HAS_FFMPEG9) {
  await measure("WHIP→RTMP, ffmpeg 9's WHIP muxer", async (bench) => {
    publishByWhipMuxer(bench.scope, await clip("tone"), `${bench.gateway.httpUrl}/whip/live/it`)
    return read(bench, 0.1)
  })
}
if (lipSyncMinutes > 0) {
  await measure(`Lips, RTMP→WHEP, ${lipSyncMinutes} min`, (bench) => lipsInPage(bench))
  await measure(`Lips, WHIP→RTMP, ${lipSyncMinutes} min`, (bench) => lipsAtReader(bench))
}

async function measure(title: string, run: (bench: Bench) => Promise<readonly Finding[]>): Promise<void> {
  const scope = new Scope()
  process.stdout.write(`\n${title}\n`)
  try {
    const findings = await run({ scope, gateway: await startGateway(scope), browser: await startChromium(scope) })
    for (const [what, value, isGood] of findings) {
      process.stdout.write(`  ${isGood ? "✓" : "✗"} ${what.padEnd(34)} ${value}\n`)
      if (!isGood) process.exitCode = 1
    }
  } catch (error) {
    process.stdout.write(`  ✗ ${error}\n`)
    process.exitCode = 1
  } finally {
    await scope.close()
  }
}

async function watch({ scope, gateway, browser }: Bench, name: ClipName, minimumFps: number): Promise<Finding[]> {
  publishClip(scope, await clip(name), gateway.rtmpUrl("live/it"))
  await liveStream(gateway, "live/it")
  const { page } = await openPage(scope, browser, `${gateway.httpUrl}/watch/live/it`)
  const firstPictureMs = await until("a picture", () => page.evaluate<number | undefined>("harness.firstPictureMs()"))
  const [frames, sound] = await Promise.all([
    page.evaluate<{ framesPerSecond: number; longestGapMs: number }>(`harness.countFrames(${WATCH_S})`),
    page.evaluate<{ loudest: number }>("harness.listen(10)"),
  ])
  return [
    ["first picture after the POST", `${Math.round(firstPictureMs)} ms`, firstPictureMs < 500],
    [`pictures a second over ${WATCH_S} s`, frames.framesPerSecond.toFixed(2), frames.framesPerSecond >= minimumFps],
    ["longest time without a picture", `${frames.longestGapMs} ms`, frames.longestGapMs < FREEZE_MS],
    ["loudest sound (RMS of full scale)", sound.loudest.toFixed(3), sound.loudest > 0.003],
  ]
}

async function watchBFrames(bench: Bench): Promise<Finding[]> {
  const findings = await watch(bench, "bFrames", 5)
  const warning = bench.gateway.log().find(({ level, msg }) => level === 40 && /b-frame/i.test(msg))
  return [
    ...findings.slice(0, 2),
    ["warning in the log", JSON.stringify(warning ?? null), warning?.stream === "live/it"],
  ]
}

async function read({ scope, gateway }: Bench, minimumLoudness: number): Promise<Finding[]> {
  await liveStream(gateway, "live/it")
  const { errors, videoFrames, samples } = await readStream(scope, gateway.rtmpUrl("live/it"), READ_S)
  const firstSecond = loudness(samples, 0, 1)
  return [
    [`pictures decoded in ${READ_S} s`, `${videoFrames}`, videoFrames > READ_S * 15],
    ["error lines", errors.slice(0, 3).join(" | ") || "none", errors.length === 0],
    ["sound in the first second (RMS)", firstSecond.toFixed(3), firstSecond > minimumLoudness],
  ]
}

async function lipsInPage({ scope, gateway, browser }: Bench): Promise<Finding[]> {
  publishClapper(scope, gateway.rtmpUrl("live/it"))
  await liveStream(gateway, "live/it")
  const { page } = await openPage(scope, browser, `${gateway.httpUrl}/health`)
  await page.evaluate(`harness.watch("${gateway.httpUrl}/whep/live/it")`)
  return lipFindings(await page.evaluate<number[]>(`clapper.measure(${lipSyncMinutes * 60})`))
}

async function lipsAtReader({ scope, gateway, browser }: Bench): Promise<Finding[]> {
  const { page } = await openPage(scope, browser, `${gateway.httpUrl}/health`)
  await page.evaluate(`clapper.publish("${gateway.httpUrl}/whip/live/it")`)
  await liveStream(gateway, "live/it")
  return lipFindings(await readClapper(scope, gateway.rtmpUrl("live/it"), lipSyncMinutes * 60))
}

function lipFindings(offsetsMs: readonly number[]): Finding[] {
  const limitMs = 45
  const first = median(offsetsMs.slice(3, 33))
  const last = median(offsetsMs.slice(-30))
  return [
    ["claps seen", `${offsetsMs.length}`, offsetsMs.length > lipSyncMinutes * 50],
    ["sound after picture, first 30 s", `${first.toFixed(0)} ms`, Math.abs(first) <= limitMs],
    ["sound after picture, last 30 s", `${last.toFixed(0)} ms`, Math.abs(last) <= limitMs],
  ]
}
