import type { Browser } from "playwright-core"
import { beforeAll, expect, test } from "vitest"
import { openPage, startChromium } from "../support/chromium.ts"
import { readCountedPictures } from "../support/counted-pictures.ts"
import { publishClip } from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { type ClipName, clip } from "../support/media.ts"
import { expectHealthy, watchPage } from "../support/scenes.ts"
import { liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

const WAYS: readonly { policy: string; name: ClipName; leavesOut: boolean }[] = [
  { policy: "auto", name: "countedPyramid", leavesOut: false },
  { policy: "transcode", name: "countedPyramid", leavesOut: false },
  { policy: "drop", name: "countedPlain", leavesOut: true },
]
/** What was in the browser's decoder at the change of ways, and the beginning. */
const SETTLING_MS = 2_000
/** SEI user data of x264, which names itself so at the first keyframe that it makes. */
const X264_UUID = "dc45e9bd-e6d9-48b7-962c-d820d923eeef"

const group = groupScope()
const scope = testScope()
let gateway: TestGateway
let browser: Browser

beforeAll(async () => {
  const rules = WAYS.map(({ policy }) => ({ stream: `live/${policy}`, bFrames: policy }))
  gateway = await startGateway(group, { settings: { VIDEO__RULES: JSON.stringify(rules) } })
  browser = await startChromium(group)
})

test("B-frames: no picture in the wrong place or twice by any policy, and none missing where none is left out", async () => {
  for (const { policy, name } of WAYS) publishClip(scope, await clip(name), gateway.rtmpUrl(`live/${policy}`))
  const pages = []
  for (const { policy } of WAYS) {
    await liveStream(gateway, `live/${policy}`, 1)
    const { page } = await watchPage(scope, browser, gateway, `live/${policy}`)
    pages.push(page)
  }
  await until("the transcoder", async () => gateway.log().some(({ msg }) => /transcoded/.test(msg)))
  await new Promise((resolve) => setTimeout(resolve, SETTLING_MS))
  const seen = await Promise.all(pages.map((page) => readCountedPictures(page, 3)))
  for (const [i, { policy, leavesOut }] of WAYS.entries()) {
    expect(seen[i], policy).toMatchObject({ misplaced: 0, unreadable: 0 })
    if (leavesOut) expect(seen[i]?.missing, policy).toBeGreaterThan(10)
    else expect(seen[i]?.missing, policy).toBeLessThanOrEqual(seen[i]?.droppedByBrowser ?? 0)
    expect((seen[i]?.received ?? 0) + (seen[i]?.missing ?? 0), policy).toBeGreaterThan(3 * 22)
  }
  await expectHealthy(gateway)
})

test("the size changes in mid-stream, of pictures in several slices, and SEI tells a page what belongs to which picture", async () => {
  publishClip(scope, await clip("twoSizes"), gateway.rtmpUrl("live/sizes"))
  await liveStream(gateway, "live/sizes", 1)
  const { page } = await openPage(scope, browser, `${gateway.httpUrl}/health`)
  await page.evaluate(`harness.watch("${gateway.httpUrl}/whep/live/sizes", { audio: false })`)
  const [frames, { sizes }, { metadata, timestamps }] = await Promise.all([
    page.evaluate<{ framesPerSecond: number; longestGapMs: number }>("harness.countFrames(4.5)"),
    page.evaluate<{ sizes: string[] }>("counter.read(4.5)"),
    page.evaluate<SeenMetadata>("counter.followMetadata(session, 4.5)"),
  ])
  // They change every two seconds.
  expect(sizes.length).toBeGreaterThanOrEqual(3)
  expect(new Set(sizes)).toEqual(new Set(["640x360", "320x180"]))
  expect(frames.framesPerSecond).toBeGreaterThan(20)
  expect(frames.longestGapMs).toBeLessThan(1_000)
  const distances = metadata
    .filter(({ uuid }) => uuid === X264_UUID)
    .map(({ rtpTimestamp }) => Math.min(...timestamps.map((one) => Math.abs(one - rtpTimestamp))))
  expect(distances.length).toBeGreaterThanOrEqual(1)
  // A busy page may miss a picture, and the last one may not be presented yet.
  expect(Math.min(...distances)).toBeLessThanOrEqual(1)
  await expectHealthy(gateway)
})

interface SeenMetadata {
  readonly metadata: readonly { readonly uuid?: string; readonly rtpTimestamp: number }[]
  readonly timestamps: readonly number[]
}
