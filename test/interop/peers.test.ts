import type { Browser } from "playwright-core"
import { beforeAll, describe, expect, test } from "vitest"
import { callRtc, openFirefox, rtcStats } from "../support/browser-peers.ts"
import { openPage, startChromium } from "../support/chromium.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { startPeer } from "../support/peers.ts"
import { publishLikeObs } from "../support/rtc-publisher.ts"
import { expectHealthy } from "../support/scenes.ts"
import { endedStream, liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"

/** Clients of different makers as publishers and as viewers, each seen or fed by another maker's. */
const group = groupScope()
const scope = testScope()
let gateway: TestGateway
let browser: Browser

beforeAll(async () => {
  // Firefox gathers no candidate on the loopback interface, and does not reach it from another one.
  gateway = await startGateway(group, { settings: { MEDIA__HOST: "0.0.0.0" } })
  browser = await startChromium(group)
})

/** Each publisher with the size of its picture. */
const PUBLISHERS: Record<string, { size: [number, number]; codec: string; start(url: string): Promise<unknown> }> = {
  "Firefox with VP8": {
    codec: "VP8",
    size: [640, 360],
    start: async (url) => callRtc(await openFirefox(scope, gateway.httpUrl), "publish", url, { codec: "vp8" }),
  },
  "node-datachannel with H.264": { codec: "H264", size: [640, 360], start: (url) => publishLikeObs(scope, url) },
  "GStreamer with H.264": { codec: "H264", size: [320, 240], start: (url) => publishByGStreamer(url, "h264") },
  "GStreamer with VP8": { codec: "VP8", size: [320, 240], start: (url) => publishByGStreamer(url, "vp8") },
  "aiortc with H.264": { codec: "H264", size: [640, 360], start: (url) => publishByAiortc(url, "h264") },
  "aiortc with VP8": { codec: "VP8", size: [640, 360], start: (url) => publishByAiortc(url, "vp8") },
}

describe("a publisher reaches Chromium:", () => {
  test.each(Object.keys(PUBLISHERS))("%s", async (name) => {
    const { codec, size, start } = PUBLISHERS[name] as (typeof PUBLISHERS)[string]
    const stream = `live/${name.replaceAll(/\W+/g, "-")}`
    await start(`${gateway.httpUrl}/whip/${stream}`)
    await liveStream(gateway, stream)
    const { page, errors } = await openPage(scope, browser, gateway.httpUrl)
    await callRtc(page, "play", `${gateway.httpUrl}/whep/${stream}`)
    const stats = await rtcStats(
      page,
      "pictures and sound",
      ({ video, audioPackets }) => video > 60 && audioPackets > 100,
    )
    expect(stats).toMatchObject({ codec: `video/${codec}`, audioCodec: "audio/opus" })
    expect([stats.widthPx, stats.heightPx]).toEqual(size)
    expect(errors).toEqual([])
    await expectHealthy(gateway)
  })
})

describe("a viewer sees Chromium:", () => {
  test("Firefox", async () => {
    await publishByChromium("live/to-firefox", "vp8")
    const page = await openFirefox(scope, gateway.httpUrl)
    await callRtc(page, "play", `${gateway.httpUrl}/whep/live/to-firefox`)
    const stats = await rtcStats(
      page,
      "pictures and sound",
      ({ video, audioPackets }) => video > 60 && audioPackets > 100,
    )
    expect([stats.codec, stats.widthPx, stats.heightPx]).toEqual(["video/VP8", 640, 360])
  })

  test.each([
    ["gstreamer", "vp8"],
    ["gstreamer", "h264"],
    ["aiortc", "vp8"],
    ["aiortc", "h264"],
  ] as const)("%s with %s", async (kind, codec) => {
    const stream = `live/to-${kind}-${codec}`
    await publishByChromium(stream, codec)
    const viewer = startPeer(scope, { kind, action: "play", url: `${gateway.httpUrl}/whep/${stream}`, codec })
    const report = await viewer.reports("pictures and sound", ({ video, audio }) => video > 60 && audio > 100)
    expect([report.widthPx, report.heightPx]).toEqual([640, 360])
    expect(await viewer.end()).toBe(200)
    await expectHealthy(gateway)
  })

  test("aiortc, published by GStreamer, which ends its stream with DELETE", async () => {
    const publisher = await publishByGStreamer(`${gateway.httpUrl}/whip/live/no-browser`, "vp8")
    await liveStream(gateway, "live/no-browser")
    const url = `${gateway.httpUrl}/whep/live/no-browser`
    const viewer = startPeer(scope, { kind: "aiortc", action: "play", url, codec: "vp8" })
    await viewer.reports("pictures and sound", ({ video, audio }) => video > 30 && audio > 50)
    const status = await publisher.end()
    expect(status).toBe(200)
    await endedStream(gateway, "live/no-browser")
  })
})

async function publishByChromium(stream: string, codec: string): Promise<void> {
  const { page } = await openPage(scope, browser, gateway.httpUrl)
  await callRtc(page, "publish", `${gateway.httpUrl}/whip/${stream}`, { codec })
  await liveStream(gateway, stream)
}

async function publishByGStreamer(url: string, codec: string) {
  return startPeer(scope, { kind: "gstreamer", action: "publish", url, codec })
}

async function publishByAiortc(url: string, codec: string) {
  return startPeer(scope, { kind: "aiortc", action: "publish", url, codec, file: await clip("bbb") })
}
