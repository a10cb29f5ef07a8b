import { parseArgs } from "node:util"
import { startChromium } from "../test/support/chromium.ts"
import { publishClip } from "../test/support/ffmpeg.ts"
import { startGateway } from "../test/support/gateway.ts"
import { type Watched, watchThroughLoss } from "../test/support/lossy.ts"
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
const ways = { downstream }
const chosen = positionals.length > 0 ? positionals : Object.keys(ways)

print("way         loss  presented  decoded  freezes  frozen ms  longest gap ms  NACKs  PLIs  resent")
for (const [name, measure] of Object.entries(ways)) {
  if (!chosen.includes(name)) continue
  for (const loss of values.loss.split(",").map(Number)) print(row(name, loss, await measure(loss / 100)))
}

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
