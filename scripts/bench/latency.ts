import type { Browser } from "playwright-core"
import { CELL_COUNT, CELLS_FILTER, readAgeMs } from "../../test/support/barcode.ts"
import { publishBarcode } from "../../test/support/barcode-publisher.ts"
import { openPage, startChromium } from "../../test/support/chromium.ts"
import { startGateway, type TestGateway } from "../../test/support/gateway.ts"
import { startProcess } from "../../test/support/process.ts"
import { Scope } from "../../test/support/scope.ts"
import { liveStream } from "../../test/support/streams.ts"
import { until } from "../../test/support/wait.ts"

/**
 * Glass to glass: pictures that show the time they were drawn at (test/support/barcode.ts), 640×360 at 30 fps, go through a
 * gateway of its own and are read where they come out. The age of a picture is taken when a page's
 * requestVideoFrameCallback fires, or when a reader's decoded picture arrives in this process.
 */
interface Way {
  readonly name: string
  readonly source: "whip" | "rtmp"
  readonly sink: "whep" | "rtmp"
  /** The same measured with SRS, video only: median and 95th percentile in ms. */
  readonly srs?: readonly [number, number]
}

/** What one way showed. */
interface Ages {
  readonly agesMs: number[]
  readonly unreadable: number
}

const FPS = 30
const WARM_UP_S = 3
const WAYS: readonly Way[] = [
  { name: "WHIP→WHEP", source: "whip", sink: "whep", srs: [16, 31] },
  { name: "RTMP→WHEP", source: "rtmp", sink: "whep", srs: [11, 28] },
  { name: "WHIP→RTMP", source: "whip", sink: "rtmp", srs: [37, 81] },
  { name: "RTMP→RTMP", source: "rtmp", sink: "rtmp" },
]

const seconds = Number(process.argv[2] ?? 20)
const only = process.argv[3]
print("way         sound   p50 ms  p95 ms  pictures/s  unreadable   SRS p50  p95")
for (const way of WAYS.filter(({ name }) => only === undefined || name === only)) {
  for (const sound of [false, true]) print(row(way, sound, await measure(way, sound)))
}

/** Runs one way in a gateway and browsers of its own, so that nothing is left over from the one before. */
async function measure(way: Way, sound: boolean): Promise<Ages> {
  const scope = new Scope()
  try {
    const gateway = await startGateway(scope)
    const browser = await startChromium(scope)
    const stream = "bench/clock"
    if (way.source === "whip") await publishFromPage(scope, browser, gateway, stream, { sound, sink: way.sink })
    else publishFromEncoder(scope, gateway.rtmpUrl(stream), sound)
    await liveStream(gateway, stream, sound ? 2 : 1)
    return way.sink === "whep"
      ? await watchInPage(scope, browser, gateway, stream, sound)
      : await readWithDecoder(scope, gateway.rtmpUrl(stream))
  } finally {
    await scope.close()
  }
}

async function publishFromPage(
  scope: Scope,
  browser: Browser,
  gateway: TestGateway,
  stream: string,
  { sound, sink }: { sound: boolean; sink: Way["sink"] },
): Promise<void> {
  const { page } = await openPage(scope, browser, `${gateway.httpUrl}/health`)
  // ffmpeg with "nobuffer" throws away what it has probed, the first keyframe too, and needs another one.
  const options = JSON.stringify({ sound, ...(sink === "rtmp" ? { keyframeIntervalMs: 1_000 } : {}) })
  await page.evaluate(`barcode.publish("${gateway.httpUrl}/whip/${stream}", ${options})`)
}

/** As an RTMP encoder would. */
function publishFromEncoder(scope: Scope, url: string, sound: boolean): void {
  const video = ["-vf", "scale=640:360:flags=neighbor,format=yuv420p", "-c:v", "libx264", "-g", `${FPS}`]
  const tuning = ["-tune", "zerolatency", "-preset", "ultrafast"]
  const audio = sound ? ["-c:a", "aac", "-ac", "2"] : []
  const output = [...video, ...tuning, ...audio, "-flush_packets", "1", "-f", "flv", url]
  publishBarcode(scope, { fps: FPS, sound, output })
}

async function watchInPage(scope: Scope, browser: Browser, gateway: TestGateway, stream: string, sound: boolean) {
  const { page } = await openPage(scope, browser, `${gateway.httpUrl}/health`)
  await page.evaluate(`harness.watch("${gateway.httpUrl}/whep/${stream}", { audio: ${sound} })`)
  await page.evaluate(`barcode.readAges(${WARM_UP_S})`)
  return page.evaluate<Ages>(`barcode.readAges(${seconds})`)
}

async function readWithDecoder(scope: Scope, url: string): Promise<Ages> {
  const args = ["-hide_banner", "-v", "error", "-nostdin", "-fflags", "nobuffer", "-flags", "low_delay", "-i", url]
  const reader = startProcess(
    scope,
    "ffmpeg",
    [...args, "-map", "0:v", "-vsync", "passthrough", "-vf", CELLS_FILTER, "-f", "rawvideo", "-"],
    { stdout: "raw" },
  )
  const ages: Ages & { unreadable: number } = { agesMs: [], unreadable: 0 }
  let isMeasuring = false
  let pending: Uint8Array = new Uint8Array()
  reader.child.stdout?.on("data", (chunk: Uint8Array) => {
    pending = Buffer.concat([pending, chunk])
    for (; pending.length >= CELL_COUNT; pending = pending.subarray(CELL_COUNT)) {
      const ageMs = readAgeMs(pending.subarray(0, CELL_COUNT))
      if (ageMs === undefined) ages.unreadable++
      else ages.agesMs.push(ageMs)
    }
    isMeasuring = true
  })
  await until("the reader's first picture", () => isMeasuring, { timeoutMs: 20_000 })
  await pause(WARM_UP_S)
  ages.agesMs.length = 0
  ages.unreadable = 0
  await pause(seconds)
  return ages
}

function pause(durationS: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationS * 1000))
}

function row(way: Way, sound: boolean, { agesMs, unreadable }: Ages): string {
  const sorted = agesMs.toSorted((a, b) => a - b)
  const cells = [
    way.name.padEnd(11),
    (sound ? "yes" : "no").padEnd(7),
    quantile(sorted, 0.5).padStart(6),
    quantile(sorted, 0.95).padStart(7),
    (agesMs.length / seconds).toFixed(1).padStart(11),
    `${unreadable}`.padStart(11),
    (sound || way.srs === undefined ? "" : `${way.srs[0]}`).padStart(9),
    (sound || way.srs === undefined ? "" : `${way.srs[1]}`).padStart(4),
  ]
  return cells.join(" ")
}

function quantile(sorted: readonly number[], share: number): string {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  return value === undefined ? "–" : value.toFixed(1)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
