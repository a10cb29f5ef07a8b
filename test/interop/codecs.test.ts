import type { Browser } from "playwright-core"
import { beforeAll, expect, test } from "vitest"
import { callRtc, rtcStats } from "../support/browser-peers.ts"
import { openPage, startChromium } from "../support/chromium.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { startPeer } from "../support/peers.ts"
import { expectHealthy, watchPage } from "../support/scenes.ts"
import { liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"

/** Every codec that Chromium sends, from its camera through the gateway to its screen, and offers that do not fit. */
const group = groupScope()
const scope = testScope()
let gateway: TestGateway
let browser: Browser

beforeAll(async () => {
  gateway = await startGateway(group)
  browser = await startChromium(group)
})

test.each(["vp8", "vp9", "av1", "h264"])("Chromium publishes %s, and Chromium sees and hears it", async (codec) => {
  const stream = `live/from-chromium-${codec}`
  await publish(stream, codec)
  const listed = await liveStream(gateway, stream)
  expect(listed.tracks.map((track) => track.codec).sort()).toEqual([codec, "opus"].sort())
  const { page, errors } = await watchPage(scope, browser, gateway, stream)
  const { frames } = await page.evaluate<{ frames: number }>("harness.countFrames(2)")
  expect(frames).toBeGreaterThan(20)
  const stats = await rtcStats(page, "sound", ({ audioPackets }) => audioPackets > 50)
  expect(stats.codec?.toLowerCase()).toBe(`video/${codec}`)
  expect([stats.audioCodec, stats.widthPx, stats.heightPx]).toEqual(["audio/opus", 640, 360])
  const { loudest } = await page.evaluate<{ loudest: number }>("harness.listen(2)")
  expect(loudest).toBeGreaterThan(0.01)
  expect(errors).toEqual([])
  await expectHealthy(gateway)
})

test("transport-wide feedback lets Chromium's bitrate rise above 1 Mbit/s within 5 s", async () => {
  const page = await publish("live/rising", "vp8", { width: 1280, height: 720, encodings: [{ maxBitrate: 2_500_000 }] })
  const hasRisen = ({ availableBps }: { availableBps: number }) => availableBps > 1_200_000
  await rtcStats(page, "the estimate to rise", hasRisen, { timeoutMs: 5_000 })
  const reached = await rtcStats(
    page,
    "the target to rise",
    ({ sent: [video] }) => (video?.targetBps ?? 0) > 1_000_000,
    {
      timeoutMs: 5_000,
    },
  )
  expect(reached.sent[0]?.widthPx).toBe(1280)
})

test("an offer that cannot play the stream gets 406 with a sentence that names both codecs", async () => {
  await publish("live/mismatch", "vp8")
  await liveStream(gateway, "live/mismatch")
  const { page } = await openPage(scope, browser, gateway.httpUrl)
  const body = await callRtc<string>(page, "offerToReceive", "h264")
  const headers = { "content-type": "application/sdp" }
  const response = await fetch(`${gateway.httpUrl}/whep/live/mismatch`, { method: "POST", headers, body })
  expect(response.status).toBe(406)
  expect(response.headers.get("content-type")).toContain("application/problem+json")
  const problem = (await response.json()) as Record<string, unknown>
  expect(problem).toMatchObject({ code: "sdp.not_acceptable", status: 406 })
  expect(problem.detail).toMatch(/VP8/)
  expect(problem.detail).toMatch(/H\.?264/)
})

test("a player whose offer does not fit gets a counter-offer where it accepts one, answers it and plays", async () => {
  await publish("live/counter", "vp8")
  await liveStream(gateway, "live/counter")
  const { page } = await openPage(scope, browser, gateway.httpUrl)
  const options = { codec: "h264", accept: "application/sdp" }
  const session = await callRtc(page, "play", `${gateway.httpUrl}/whep/live/counter`, options)
  expect(session).toMatchObject({ status: 406, patchStatus: 204, type: expect.stringContaining("valid-until=") })
  const stats = await rtcStats(page, "pictures and sound", ({ video, audioPackets }) => video > 30 && audioPackets > 50)
  expect([stats.codec, stats.widthPx]).toEqual(["video/VP8", 640])
})

test("a player that sends no offer gets one, answers it and plays", async () => {
  await publish("live/empty", "h264")
  await liveStream(gateway, "live/empty")
  const { page } = await openPage(scope, browser, gateway.httpUrl)
  const session = await callRtc(page, "playWithoutOffer", `${gateway.httpUrl}/whep/live/empty`)
  expect(session).toMatchObject({ status: 406, patchStatus: 204 })
  const stats = await rtcStats(page, "pictures and sound", ({ video, audioPackets }) => video > 30 && audioPackets > 50)
  expect(stats.codec).toBe("video/H264")
  expect((await fetch(session.location, { method: "DELETE" })).status).toBe(200)
})

test("HEVC passes from one GStreamer to another, and Chromium is told that it cannot play it", async () => {
  const stream = "live/hevc"
  startPeer(scope, { kind: "gstreamer", action: "publish", url: `${gateway.httpUrl}/whip/${stream}`, codec: "h265" })
  const listed = await liveStream(gateway, stream)
  expect(listed.tracks.map(({ codec }) => codec).sort()).toEqual(["h265", "opus"])
  const url = `${gateway.httpUrl}/whep/${stream}`
  const viewer = startPeer(scope, { kind: "gstreamer", action: "play", url, codec: "h265" })
  const seen = await viewer.reports("HEVC", ({ video, audio }) => video > 30 && audio > 50)
  expect([seen.widthPx, seen.heightPx]).toEqual([320, 240])
  const { page } = await openPage(scope, browser, gateway.httpUrl)
  await expect(callRtc(page, "play", url, { codec: "vp8" })).rejects.toThrow(/406 .*H\.265|406 .*HEVC/)
})

async function publish(stream: string, codec: string, options: object = {}) {
  const { page } = await openPage(scope, browser, gateway.httpUrl)
  await callRtc(page, "publish", `${gateway.httpUrl}/whip/${stream}`, { codec, ...options })
  return page
}
