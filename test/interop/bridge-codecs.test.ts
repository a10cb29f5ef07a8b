import type { Browser } from "playwright-core"
import { beforeAll, describe, expect, test } from "vitest"
import { callRtc, type RtcPage, rtcStats } from "../support/browser-peers.ts"
import { openPage, startChromium } from "../support/chromium.ts"
import { AUDIO_RATE_HZ, publishEnhanced, readStream } from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { FFMPEG9, HAS_FFMPEG9 } from "../support/paths.ts"
import { startPeer } from "../support/peers.ts"
import { expectHealthy } from "../support/scenes.ts"
import { liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"

/** HEVC, AV1, VP9 and VP8 across the bridge, with ffmpeg 9's Enhanced RTMP on the one side. */
const group = groupScope()
const scope = testScope()
let gateway: TestGateway
let browser: Browser

beforeAll(async () => {
  gateway = await startGateway(group)
  browser = await startChromium(group)
})

describe.skipIf(!HAS_FFMPEG9)("ffmpeg 9 publishes by RTMP", () => {
  test.each([
    { codec: "vp9", mimeType: "video/VP9" },
    { codec: "av1", mimeType: "video/AV1" },
  ] as const)(
    "$codec with hidden pictures, and Chromium shows each picture without a freeze",
    async ({ codec, mimeType }) => {
      const { page, errors } = await play(codec)
      const first = await rtcStats(
        page,
        "pictures and sound",
        ({ video, audioPackets }) => video > 50 && audioPackets > 50,
      )
      expect(first).toMatchObject({ codec: mimeType, audioCodec: "audio/opus", widthPx: 320, heightPx: 180 })
      const { frames } = await page.evaluate<{ frames: number }>("harness.countFrames(3)")
      expect(frames).toBeGreaterThanOrEqual(3 * FPS - 10)
      const last = await callRtc<typeof first>(page, "stats")
      expect(last.frozenMs - first.frozenMs).toBeLessThan(300)
      expect(errors).toEqual([])
      await expectHealthy(gateway)
    },
  )

  test("hevc with B-frames, GStreamer shows each picture, and Chromium is told that it cannot play it", async () => {
    const stream = await publish("hevc")
    const url = `${gateway.httpUrl}/whep/${stream}`
    const viewer = startPeer(scope, { kind: "gstreamer", action: "play", url, codec: "h265" })
    const before = await viewer.reports("HEVC", ({ video, audio }) => video > 30 && audio > 50)
    expect([before.widthPx, before.heightPx]).toEqual([320, 180])
    const startedMs = performance.now()
    const after = await viewer.reports("more", ({ video }) => video >= before.video + 2 * FPS)
    expect(performance.now() - startedMs).toBeLessThan(5_000)
    expect(after.audio).toBeGreaterThan(before.audio)
    const { page } = await openPage(scope, browser, gateway.httpUrl)
    await expect(callRtc(page, "play", url)).rejects.toThrow(/406 .*HEVC/)
    await expectHealthy(gateway)
  })

  async function publish(codec: "vp9" | "av1" | "hevc"): Promise<string> {
    const stream = `live/rtmp-${codec}`
    publishEnhanced(scope, await clip(codec), gateway.rtmpUrl(stream))
    await liveStream(gateway, stream)
    return stream
  }

  async function play(codec: "vp9" | "av1"): Promise<{ page: RtcPage; errors: string[] }> {
    const stream = await publish(codec)
    const { page, errors } = await openPage(scope, browser, gateway.httpUrl)
    await callRtc(page, "play", `${gateway.httpUrl}/whep/${stream}`)
    return { page, errors }
  }
})

describe.skipIf(!HAS_FFMPEG9)("Chromium publishes by WHIP, and ffmpeg 9 reads by RTMP", () => {
  test.each([
    { codec: "vp9", hasPictures: true },
    { codec: "av1", hasPictures: true },
    // ffmpeg does not know it in FLV, and does not say that it does.
    { codec: "vp8", hasPictures: false },
  ])("$codec without an error or a warning (pictures: $hasPictures)", async ({ codec, hasPictures }) => {
    const stream = `live/whip-${codec}`
    const { page } = await openPage(scope, browser, gateway.httpUrl)
    await callRtc(page, "publish", `${gateway.httpUrl}/whip/${stream}`, { codec })
    await liveStream(gateway, stream)
    const { messages, videoFrames, samples } = await readStream(scope, gateway.rtmpUrl(stream), 4, FFMPEG9)
    expect(messages).toEqual([])
    if (hasPictures) expect(videoFrames).toBeGreaterThan(60)
    else expect(videoFrames).toBe(0)
    expect(samples.length).toBeGreaterThan(4 * AUDIO_RATE_HZ * 0.9)
    await expectHealthy(gateway)
  })
})

const FPS = 25
