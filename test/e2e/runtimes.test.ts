import { expect, test } from "vitest"
import { openPage, startChromium } from "../support/chromium.ts"
import { loudness, publishClip, readStream } from "../support/ffmpeg.ts"
import { startGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { expectHealthy, watchPage } from "../support/scenes.ts"
import { liveStream } from "../support/streams.ts"
import { testScope } from "../support/test-scope.ts"

const scope = testScope()

test.each(["bun", "deno"] as const)("under %s the gateway bridges RTMP to WHEP and WHIP to RTMP", async (runtime) => {
  const gateway = await startGateway(scope, { runtime, settings: { SHUTDOWN__TIMEOUT_MS: "2000" } })
  const browser = await startChromium(scope)

  publishClip(scope, await clip("bbb"), gateway.rtmpUrl("live/bbb"))
  await liveStream(gateway, "live/bbb")
  const { page } = await watchPage(scope, browser, gateway, "live/bbb")
  const [frames, sound] = await Promise.all([
    page.evaluate<{ framesPerSecond: number }>("harness.countFrames(4)"),
    page.evaluate<{ loudest: number }>("harness.listen(4)"),
  ])
  expect(frames.framesPerSecond).toBeGreaterThan(15)
  expect(sound.loudest).toBeGreaterThan(0.003)

  const { page: camera } = await openPage(scope, browser, `${gateway.httpUrl}/health`)
  await camera.evaluate(`harness.publishCamera("${gateway.httpUrl}/whip/live/camera")`)
  await liveStream(gateway, "live/camera")
  const reading = await readStream(scope, gateway.rtmpUrl("live/camera"), 4)
  expect(reading.errors).toEqual([])
  expect(reading.videoFrames).toBeGreaterThan(4 * 15)
  expect(loudness(reading.samples, 0, 4)).toBeGreaterThan(0.02)
  await expectHealthy(gateway)

  expect(await gateway.process.stop()).toBe(0)
})
