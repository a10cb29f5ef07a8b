import { parseArgs } from "node:util"
import { startChromium } from "../test/support/chromium.ts"
import { publishClip } from "../test/support/ffmpeg.ts"
import { startGateway } from "../test/support/gateway.ts"
import { type Watched, watchThroughLoss } from "../test/support/lossy.ts"
import {
  NARROW_BPS,
  narrowPath,
  type Published,
  publishThroughLoss,
  UPSTREAM_SETTINGS,
} from "../test/support/lossy-upstream.ts"
import { clip } from "../test/support/media.ts"
import { Scope } from "../test/support/scope.ts"
import { liveStream } from "../test/support/streams.ts"

/** `scripts/lossy`: pictures that Chromium presents over a seeded network that loses packets, in one direction of the media or both. */
const FPS = 25
const DELAY_MS = 40

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    loss: { type: "string", default: "2,5,10" },
    seconds: { type: "string", default: "30" },
    jitter: { type: "string", default: "0" },
    json: { type: "boolean", default: false },
  },
})
const seconds = Number(values.seconds)
const jitterMs = Number(values.jitter)
const ways = { downstream, upstream }
const chosen = positionals.length > 0 ? positionals : Object.keys(ways)

print("way         loss  presented  decoded  freezes  frozen ms  longest gap ms  NACKs  PLIs  resent")
for (const [name, measure] of Object.entries(ways)) {
  if (!chosen.includes(name)) continue
  for (const loss of values.loss.split(",").map(Number)) {
    const measured: Watched | Published = await measure(loss / 100)
    print(row(name, loss, measured))
    if (isPublished(measured) && !values.json) print(readerRow(measured))
  }
}
if (chosen.includes("upstream")) print(await adaptation())

async function downstream(lossRate: number): Promise<Watched> {
  const scope = new Scope()
  try {
    const gateway = await startGateway(scope)
    const browser = await startChromium(scope)
    publishClip(scope, await clip("tone"), gateway.rtmpUrl("live/lossy"))
    await liveStream(gateway, "live/lossy")
    const weather = { lossRate, delayMs: DELAY_MS, jitterMs, fps: FPS, seconds }
    return await watchThroughLoss(scope, browser, gateway, "live/lossy", weather)
  } finally {
    await scope.close()
  }
}

async function upstream(lossRate: number): Promise<Published> {
  const scope = new Scope()
  try {
    const gateway = await startGateway(scope, { settings: UPSTREAM_SETTINGS })
    const browser = await startChromium(scope)
    return await publishThroughLoss(scope, browser, gateway, { lossRate, delayMs: DELAY_MS, jitterMs, seconds })
  } finally {
    await scope.close()
  }
}

function isPublished(measured: Watched | Published): measured is Published {
  return "readShare" in measured
}

/** What a reader by RTMP has of the same stream, and what the gateway says of the publisher. */
function readerRow({ readShare, readErrors, lostPackets, roundTripMs, jitterMs }: Published): string {
  const reader = `RTMP reader decoded ${(100 * readShare).toFixed(1)} %, ${readErrors.length} error lines`
  const path = `${lostPackets} lost, round trip ${roundTripMs?.toFixed(0)} ms, jitter ${jitterMs?.toFixed(1)} ms`
  return `           ${reader}; ${path}`
}

async function adaptation(): Promise<string> {
  const scope = new Scope()
  try {
    const gateway = await startGateway(scope, { settings: UPSTREAM_SETTINGS })
    const found = await narrowPath(scope, await startChromium(scope), gateway)
    if (values.json) return JSON.stringify({ way: "upstream", narrowBps: NARROW_BPS, ...found })
    const { reachedAfterMs, backedOffAfterMs, narrowTargetBps, narrowRoundTripMs } = found
    return [
      `upstream   full bitrate after ${reachedAfterMs.toFixed(0)} ms; where the path narrows to ${NARROW_BPS / 1_000} kbit/s,`,
      `below that after ${backedOffAfterMs.toFixed(0)} ms, then at ${(narrowTargetBps / 1_000).toFixed(0)} kbit/s`,
      `with a round trip of ${narrowRoundTripMs?.toFixed(0)} ms`,
    ].join(" ")
  } catch (error) {
    process.exitCode = 1
    return `upstream   the bitrate did not follow the path: ${error}`
  } finally {
    await scope.close()
  }
}

function row(way: string, loss: number, watched: Watched): string {
  if (values.json) return JSON.stringify({ way, loss, seconds, ...watched })
  const { presentedShare, decodedShare, freezes, frozenMs, longestGapMs, nacks, plis, resent } = watched
  const share = (part: number) => `${(100 * part).toFixed(1)} %`
  return [
    way.padEnd(10),
    `${loss} %`.padStart(6),
    share(presentedShare).padStart(10),
    share(decodedShare).padStart(8),
    String(freezes).padStart(8),
    frozenMs.toFixed(0).padStart(10),
    String(longestGapMs).padStart(15),
    String(nacks).padStart(6),
    String(plis).padStart(5),
    String(resent).padStart(7),
  ].join(" ")
}

function print(line: string): void {
  if (!values.json || line.startsWith("{")) process.stdout.write(`${line}\n`)
}
