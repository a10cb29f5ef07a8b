import { expect, test } from "vitest"
import { startChromium } from "../support/chromium.ts"
import { readCountedPictures } from "../support/counted-pictures.ts"
import { publishClip } from "../support/ffmpeg.ts"
import { startGateway } from "../support/gateway.ts"
import { type ClipName, clip } from "../support/media.ts"
import { expectHealthy, watchPage } from "../support/scenes.ts"
import { liveStream } from "../support/streams.ts"
import { testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

const scope = testScope()

const WAYS: readonly { policy: string; name: ClipName; leavesOut: boolean }[] = [
  { policy: "auto", name: "countedPyramid", leavesOut: false },
  { policy: "transcode", name: "countedPyramid", leavesOut: false },
  { policy: "drop", name: "countedPlain", leavesOut: true },
]

test("B-frames: no picture in the wrong place or twice by any policy, and none missing where none is left out", async () => {
  const rules = WAYS.map(({ policy }) => ({ stream: `live/${policy}`, bFrames: policy }))
  const gateway = await startGateway(scope, { settings: { VIDEO__RULES: JSON.stringify(rules) } })
  const browser = await startChromium(scope)
  for (const { policy, name } of WAYS) publishClip(scope, await clip(name), gateway.rtmpUrl(`live/${policy}`))
  const pages = []
  for (const { policy } of WAYS) {
    await liveStream(gateway, `live/${policy}`, 1)
    const { page } = await watchPage(scope, browser, gateway, `live/${policy}`)
    pages.push(page)
  }
  await until("the transcoder", async () => gateway.log().some(({ msg }) => /transcoded/.test(msg)))
  // What was in the browser's decoder at the change of ways, and the beginning.
  await new Promise((resolve) => setTimeout(resolve, SETTLING_MS))
  const seen = await Promise.all(pages.map((page) => readCountedPictures(page, 4)))
  for (const [i, { policy, leavesOut }] of WAYS.entries()) {
    expect(seen[i], policy).toMatchObject({ misplaced: 0, unreadable: 0 })
    if (leavesOut) expect(seen[i]?.missing, policy).toBeGreaterThan(10)
    else expect(seen[i]?.missing, policy).toBeLessThanOrEqual(seen[i]?.droppedByBrowser ?? 0)
    expect((seen[i]?.received ?? 0) + (seen[i]?.missing ?? 0), policy).toBeGreaterThan(4 * 22)
  }
  await expectHealthy(gateway)
})

test("the size changes in mid-stream, of pictures in several slices, and no viewer needs to come again", async () => {
  const gateway = await startGateway(scope)
  const browser = await startChromium(scope)
  publishClip(scope, await clip("twoSizes"), gateway.rtmpUrl("live/sizes"))
  await liveStream(gateway, "live/sizes", 1)
  const { page } = await watchPage(scope, browser, gateway, "live/sizes")
  const [frames, { sizes }] = await Promise.all([
    page.evaluate<{ framesPerSecond: number; longestGapMs: number }>("harness.countFrames(5)"),
    page.evaluate<{ sizes: string[] }>("counter.read(5)"),
  ])
  // They change every two seconds.
  expect(sizes.length).toBeGreaterThanOrEqual(3)
  expect(new Set(sizes)).toEqual(new Set(["640x360", "320x180"]))
  expect(frames.framesPerSecond).toBeGreaterThan(20)
  expect(frames.longestGapMs).toBeLessThan(1_000)
  await expectHealthy(gateway)
})

const SETTLING_MS = 2_500
