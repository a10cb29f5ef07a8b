import { setTimeout as delay } from "node:timers/promises"
import { parseArgs } from "node:util"
import type { Browser } from "playwright-core"
import { startChromium } from "../test/support/chromium.ts"
import { readCountedPictures } from "../test/support/counted-pictures.ts"
import { publishClip } from "../test/support/ffmpeg.ts"
import { startGateway } from "../test/support/gateway.ts"
import { type ClipName, clip } from "../test/support/media.ts"
import { watchPage } from "../test/support/scenes.ts"
import { Scope } from "../test/support/scope.ts"
import { liveStream } from "../test/support/streams.ts"

/** Each policy for B-frames with B-frames that others refer to (x264's default) and with such that nothing refers to. */
const CASES: readonly { policy: string; name: ClipName }[] = ["auto", "drop", "transcode", "pass"].flatMap((policy) => [
  { policy, name: "countedPyramid" },
  { policy, name: "countedPlain" },
])
/** A group of pictures and more, after which the policy has chosen its way. */
const SETTLING_MS = 5_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false } },
})
const seconds = Number(positionals[0] ?? 60)

async function measure(browser: Browser, { policy, name }: (typeof CASES)[number]) {
  const scope = new Scope()
  try {
    const gateway = await startGateway(scope, { settings: { VIDEO__B_FRAMES: policy } })
    publishClip(scope, await clip(name), gateway.rtmpUrl("live/counted"))
    await liveStream(gateway, "live/counted", 1)
    const { page } = await watchPage(scope, browser, gateway, "live/counted")
    await delay(SETTLING_MS)
    const seen = await readCountedPictures(page, seconds)
    const isTranscoded = gateway.log().some(({ msg }) => msg.startsWith("video is transcoded"))
    return { policy, name, isTranscoded, ...seen }
  } finally {
    await scope.close()
  }
}

const all = new Scope()
const results: Awaited<ReturnType<typeof measure>>[] = []
try {
  const browser = await startChromium(all)
  for (const one of CASES) results.push(await measure(browser, one))
} finally {
  await all.close()
}
process.stdout.write(values.json ? `${JSON.stringify(results, undefined, 2)}\n` : table(results))
process.exitCode = results.some(({ misplaced, unreadable }) => misplaced + unreadable > 0) ? 1 : 0

function table(rows: typeof results): string {
  const lines = rows.map(
    ({ policy, name, isTranscoded, received, missing, misplaced, unreadable, presented, droppedByBrowser }) =>
      `${policy.padEnd(10)}${name.padEnd(16)}${isTranscoded ? "transcoded" : "as it is  "}  received ${received}, missing ${missing} (${droppedByBrowser} dropped by the browser), misplaced ${misplaced}, unreadable ${unreadable}, presented ${presented}`,
  )
  return `${lines.join("\n")}\n`
}
