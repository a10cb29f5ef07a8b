import { readFileSync } from "node:fs"
import type { Browser } from "playwright-core"
import { beforeAll, expect, test } from "vitest"
import { startChromium } from "../support/chromium.ts"
import {
  AUDIO_RATE_HZ,
  loudness,
  probe,
  publishByWhipMuxer,
  publishClip,
  readStream,
  runFfmpeg,
} from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { HAS_FFMPEG9 } from "../support/paths.ts"
import { publishLikeObs } from "../support/rtc-publisher.ts"
import { AT_ONCE_MS, expectHealthy, quickestFirstPictureMs, watchPage } from "../support/scenes.ts"
import { endedStream, liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

/** Publishers that people use, each read back by ffmpeg without one error line. */
const group = groupScope()
const scope = testScope()
let gateway: TestGateway
let browser: Browser

beforeAll(async () => {
  gateway = await startGateway(group)
  browser = await startChromium(group)
})

test("an OBS-like WHIP publisher reaches an RTMP reader whole, with its tone from the first second", async () => {
  const { offer, answer } = await publishLikeObs(scope, `${gateway.httpUrl}/whip/live/obs`)
  expect(offer).not.toContain("a=candidate")
  expect(answer).toContain("a=ice-lite")
  await liveStream(gateway, "live/obs")
  await expectWhole("live/obs", 30)
})

test("an OBS-like WHIP publisher is seen and heard in the browser at once, though it ignores PLI", async () => {
  await publishLikeObs(scope, `${gateway.httpUrl}/whip/live/obs-page`)
  await liveStream(gateway, "live/obs-page")
  expect(await quickestFirstPictureMs(scope, browser, gateway, "live/obs-page")).toBeLessThan(AT_ONCE_MS)
  const { page } = await watchPage(scope, browser, gateway, "live/obs-page")
  const sound = await page.evaluate<{ loudest: number; frequencyHz: number }>("harness.listen(3)")
  expect(Math.abs(sound.frequencyHz - 1000)).toBeLessThan(25)
})

test("DELETE on the session's address ends an OBS-like publisher's stream with 200", async () => {
  const { location } = await publishLikeObs(scope, `${gateway.httpUrl}/whip/live/obs-stop`)
  await liveStream(gateway, "live/obs-stop")
  expect((await fetch(location, { method: "DELETE" })).status).toBe(200)
  await endedStream(gateway, "live/obs-stop")
})

test.skipIf(!HAS_FFMPEG9)("ffmpeg 9's WHIP muxer reaches an RTMP reader whole", async () => {
  const muxer = publishByWhipMuxer(scope, await clip("tone"), `${gateway.httpUrl}/whip/live/muxer`)
  await liveStream(gateway, "live/muxer").catch((error) => {
    throw new Error(`${error.message}\n${muxer.stderrLines.slice(-15).join("\n")}`, { cause: error })
  })
  await expectWhole("live/muxer", 25)
})

test("a second RTMP publisher on a live name is refused and the first one goes on", async () => {
  const first = publishClip(scope, await clip("bbb"), gateway.rtmpUrl("live/taken"))
  await liveStream(gateway, "live/taken")
  const second = publishClip(scope, await clip("bbb"), gateway.rtmpUrl("live/taken"))
  expect(await second.exited).not.toBe(0)
  expect(second.stderrLines.join("\n")).toMatch(/error/i)
  expect(first.child.exitCode).toBeNull()
  await liveStream(gateway, "live/taken")
})

test("an RTMP reader that waits for a stream gets it, or is told that it is not live", async () => {
  await expect(readStream(scope, gateway.rtmpUrl("live/nobody"), 1)).rejects.toThrow(/ffmpeg ended/)
  await expectHealthy(gateway)
})

test("a stream of sound alone is for browsers without H.264 too, one with pictures is not", async () => {
  const sound = ["-re", "-f", "lavfi", "-i", "sine=sample_rate=44100", "-c:a", "aac", "-f", "flv"]
  runFfmpeg(scope, [...sound, gateway.rtmpUrl("live/sound")])
  publishClip(scope, await clip("bbb"), gateway.rtmpUrl("live/both"))
  await Promise.all([liveStream(gateway, "live/sound", 1), liveStream(gateway, "live/both")])
  const offer = readFileSync(new URL("../fixtures/sdp/chromium-whep.sdp", import.meta.url), "utf8")
  const body = offer.replaceAll(" H264/", " H263/")
  const status = async (stream: string) => {
    const headers = { "content-type": "application/sdp" }
    return (await fetch(`${gateway.httpUrl}/whep/${stream}`, { method: "POST", headers, body })).status
  }
  expect(await status("live/both")).toBe(406)
  await until("the gateway to know that there is only sound", async () => (await status("live/sound")) === 201)
})

test("the log has one line when a session opens and one with totals when it closes", async () => {
  const publisher = publishClip(scope, await clip("bbb"), gateway.rtmpUrl("live/logged"))
  await liveStream(gateway, "live/logged")
  await publisher.stop()
  await endedStream(gateway, "live/logged")
  const lines = () => gateway.log().filter((line) => line.stream === "live/logged" && line.protocol === "rtmp")
  await until("the closing line", () => lines().length >= 2)
  expect(lines()).toHaveLength(2)
})

/** Reads some seconds: about all pictures, the tone from the first second on, steady, and not one error line. */
async function expectWhole(stream: string, fps: number): Promise<void> {
  const seconds = 8
  expect((await probe(gateway.rtmpUrl(stream))).map(({ codec_name }) => codec_name).sort()).toEqual(["aac", "h264"])
  const { errors, videoFrames, samples } = await readStream(scope, `${gateway.rtmpUrl(stream)}?start=keyframe`, seconds)
  expect(errors).toEqual([])
  expect(videoFrames).toBeGreaterThan(seconds * fps * 0.95)
  expect(samples.length).toBeGreaterThan(seconds * AUDIO_RATE_HZ * 0.95)
  for (let second = 0; second < seconds - 1; second++) {
    expect(loudness(samples, second, second + 1)).toBeGreaterThan(0.1)
  }
}
