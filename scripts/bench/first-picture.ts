import { setTimeout as delay } from "node:timers/promises"
import { parseArgs } from "node:util"
import type { Browser, Page } from "playwright-core"
import { publishBarcode } from "../../test/support/barcode-publisher.ts"
import { openPage, startChromium } from "../../test/support/chromium.ts"
import { startGateway, type TestGateway } from "../../test/support/gateway.ts"
import { type Join, type JoinSummary, joinOnce, summarise } from "../../test/support/joins.ts"
import { FFMPEG9, HAS_FFMPEG9 } from "../../test/support/paths.ts"
import { Scope } from "../../test/support/scope.ts"
import { liveStream } from "../../test/support/streams.ts"
import { startLossyRelay, throughRelay } from "../lib/lossy-relay.ts"

/**
 * How soon a viewer sees and hears something: Chromium joins a stream of 640 × 360 and 25 pictures a second at random moments of
 * a group of 250 pictures, and leaves after some seconds. None of the publishers but the page makes a keyframe on request.
 */
type SourceName = "rtmp" | "rtmp-b" | "whip" | "page"

const FPS = 25
const GROUP_PICTURES = 250
const GROUP_MS = 10_000

const { values } = parseArgs({
  options: {
    joins: { type: "string", default: "50" },
    seconds: { type: "string", default: "5" },
    source: { type: "string" },
    /** Bits per second that the viewer's link takes, with 30 ms of round trip and a queue of 150 ms. */
    link: { type: "string" },
    /** Bits per second of the video; of what is not from a page. */
    bitrate: { type: "string", default: "2500000" },
    json: { type: "boolean", default: false },
  },
})
const joins = Number(values.joins)
const seconds = Number(values.seconds)
const SOURCES: readonly SourceName[] = HAS_FFMPEG9 ? ["rtmp", "rtmp-b", "whip", "page"] : ["rtmp", "rtmp-b", "page"]
const results: Record<string, { readonly summary: JoinSummary; readonly joins: readonly Join[] }> = {}
for (const source of SOURCES.filter((name) => values.source === undefined || values.source === name)) {
  const measured = await measure(source)
  results[source] = { summary: summarise(measured), joins: measured }
  if (!values.json) print(source, summarise(measured))
}
if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`)

async function measure(source: SourceName): Promise<Join[]> {
  const scope = new Scope()
  try {
    const gateway = await startGateway(scope)
    const browser = await startChromium(scope)
    const stream = `bench/${source}`
    await publish(scope, browser, gateway, source, stream)
    await liveStream(gateway, stream)
    const { page } = await openPage(scope, browser, `${gateway.httpUrl}/health`)
    if (values.link !== undefined) await narrow(scope, page, gateway, Number(values.link))
    await delay(GROUP_MS)
    const all: Join[] = []
    for (let i = 0; i <= joins; i++) {
      await delay(Math.random() * GROUP_MS * (seconds < 5 ? 1 : 0.5))
      const join = await joinOnce(page, `${gateway.httpUrl}/whep/${stream}`, seconds)
      if (i > 0) all.push(join) // the first one makes Chromium load what it needs
    }
    return all
  } finally {
    await scope.close()
  }
}

/** Leads the page's viewers through a link of that bitrate. */
async function narrow(scope: Scope, page: Page, gateway: TestGateway, bitrateBps: number): Promise<void> {
  const toClient = { bitrateBps, queueMs: 150, delayMs: 15 }
  const relay = await startLossyRelay({ targetPort: gateway.mediaPort, toClient, toGateway: { delayMs: 15 } })
  scope.defer(() => relay.close())
  await page.route("**/whep/**", async (route) => {
    const response = await route.fetch()
    const isAnswer = response.status() === 201
    const body = await response.text()
    await route.fulfill({ response, body: isAnswer ? throughRelay(body, gateway.mediaPort, relay.port) : body })
  })
}

async function publish(
  scope: Scope,
  browser: Browser,
  gateway: TestGateway,
  source: SourceName,
  stream: string,
): Promise<void> {
  if (source === "page") {
    const { page } = await openPage(scope, browser, `${gateway.httpUrl}/health`)
    await page.evaluate(`barcode.publish("${gateway.httpUrl}/whip/${stream}", { sound: true })`)
    return
  }
  const isWhip = source === "whip"
  const filter = "scale=640:360:flags=neighbor,noise=alls=12:allf=t,format=yuv420p"
  const rate = [
    "-b:v",
    values.bitrate,
    "-maxrate",
    values.bitrate,
    "-bufsize",
    values.bitrate,
    "-g",
    `${GROUP_PICTURES}`,
  ]
  const reordering = source === "rtmp-b" ? ["-bf", "3"] : ["-tune", "zerolatency"]
  const video = ["-vf", filter, "-c:v", "libx264", "-preset", "ultrafast", ...reordering, ...rate, "-sc_threshold", "0"]
  const target = isWhip
    ? ["-profile:v", "baseline", "-c:a", "libopus", "-ar", "48000", "-ac", "2", "-f", "whip"]
    : ["-c:a", "aac", "-ac", "2", "-flush_packets", "1", "-f", "flv"]
  const url = isWhip ? `${gateway.httpUrl}/whip/${stream}` : gateway.rtmpUrl(stream)
  const command = isWhip ? FFMPEG9 : "ffmpeg"
  publishBarcode(scope, { fps: FPS, sound: true, command, output: [...video, ...target, url] })
}

function print(source: SourceName, { firstPicture, firstSound, backAtLive, ...counts }: JoinSummary): void {
  const lines = [
    ["first picture", firstPicture],
    ["first sound", firstSound],
    ["back at live", backAtLive],
  ] as const
  for (const [name, { p50, p95, max }] of lines) {
    const figures = [p50, p95, max].map((ms) => `${Math.round(ms)}`.padStart(6)).join("")
    process.stdout.write(`${source.padEnd(7)} ${name.padEnd(14)}${figures}  ms: p50, p95, max\n`)
  }
  const told = Object.entries(counts).map(([name, count]) => `${name} ${Math.round(count)}`)
  process.stdout.write(`${source.padEnd(7)} ${told.join(", ")}\n`)
}
