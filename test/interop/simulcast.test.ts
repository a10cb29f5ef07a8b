import type { Browser } from "playwright-core"
import { beforeAll, expect, test } from "vitest"
import { callRtc, type RtcPage, type RtcSession, type RtcStats, rtcStats } from "../support/browser-peers.ts"
import { openPage, startChromium } from "../support/chromium.ts"
import { probe } from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { expectHealthy } from "../support/scenes.ts"
import { groupScope, testScope } from "../support/test-scope.ts"
import { until, type WaitOptions } from "../support/wait.ts"

/** Chromium's simulcast: viewers get a layer, learn of the others and choose. */
const group = groupScope()
const scope = testScope()
let gateway: TestGateway
let browser: Browser

beforeAll(async () => {
  gateway = await startGateway(group)
  browser = await startChromium(group)
})

/** 960×540 and two halvings of it; Chromium makes no third layer of less. */
const ENCODINGS = [
  { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 100_000 },
  { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 300_000 },
  { rid: "f", maxBitrate: 1_000_000 },
]

/** What GET on the layer link and the `layers` event say. */
type Layers = Record<string, { rid: string; bitrate: number; width?: number; height?: number }[]>

test.each(["vp8", "h264"])(
  "a viewer of %s simulcast chooses the small layer without a freeze, and comes back",
  async (codec) => {
    const stream = `live/layers-${codec}`
    const publisher = await publish(stream, codec)
    const { page } = await openPage(scope, browser, gateway.httpUrl)
    const session = await callRtc(page, "play", `${gateway.httpUrl}/whep/${stream}`)
    expect(await callRtc(page, "listen")).toBe(201)
    await seen(page, "the best layer", 960)

    const listed = await until("the layers to have sizes", async () => {
      const layers = (await (await fetch(session.layers as string)).json()) as Layers
      const [media] = Object.values(layers)
      return media?.every(({ width, bitrate }) => width !== undefined && bitrate > 0) && layers
    })
    // H.264 has even sizes.
    const facts = Object.values(listed)[0]?.map(({ rid, width, height = 0 }) => [rid, width, Math.ceil(height / 2)])
    expect(facts).toEqual([
      ["f", 960, 270],
      ["h", 480, 135],
      ["q", 240, codec === "h264" ? 67 : 68],
    ])
    const told = () => page.evaluate<{ type: string; data: Layers }[]>("told.filter(({ type }) => type === 'layers')")
    expect((await told()).at(-1)?.data).toMatchObject({ [Object.keys(listed)[0] as string]: expect.any(Array) })

    const before = await callRtc<RtcStats>(page, "stats")
    await select(session, { rid: "q" })
    const small = await seen(page, "the small layer", 240)
    const goneOn = await moreThan(page, small.video + 45)
    await select(session, {})
    const back = await seen(page, "the best layer again", 960, { timeoutMs: 20_000 })
    const after = await moreThan(page, back.video + 60)
    expect(small.video).toBeGreaterThan(before.video)
    expect(goneOn.widthPx).toBe(240)
    expect(after.widthPx).toBe(960)
    // A freeze would last until the next keyframe; a busy machine's hiccups are shorter.
    expect(after.frozenMs - before.frozenMs).toBeLessThan(800)
    expect((await callRtc<RtcStats>(publisher, "stats")).sent).toHaveLength(3)
    await expectHealthy(gateway)
  },
)

test("a layer that the stream does not have is refused by name, and a limit of size is kept", async () => {
  await publish("live/limits", "vp8")
  const { page } = await openPage(scope, browser, gateway.httpUrl)
  const session = await callRtc(page, "play", `${gateway.httpUrl}/whep/live/limits`)
  await seen(page, "the best layer", 960)
  const refused = await choose(session, { rid: "x" })
  expect(refused.status).toBe(422)
  expect(((await refused.json()) as { detail: string }).detail).toMatch(/"x".*f, h, q/)
  await select(session, { maxWidth: 500 })
  await seen(page, "the middle layer", 480)
})

test("an RTMP reader of H.264 simulcast gets the best layer", async () => {
  const publisher = await publish("live/to-rtmp", "h264")
  await rtcStats(publisher, "all layers", ({ sent }) => sent.every(({ frames }) => frames > 30))
  const streams = await probe(gateway.rtmpUrl("live/to-rtmp"))
  const video = streams.find(({ codec_type }) => codec_type === "video")
  expect(video).toMatchObject({ codec_name: "h264", width: 960, height: 540 })
})

/** Publishes three layers and waits until Chromium's estimate allows all of them. */
async function publish(stream: string, codec: string): Promise<RtcPage> {
  const { page } = await openPage(scope, browser, gateway.httpUrl)
  await callRtc(page, "publish", `${gateway.httpUrl}/whip/${stream}`, {
    codec,
    encodings: ENCODINGS,
    width: 960,
    height: 540,
  })
  const sendsAll = ({ sent }: RtcStats) => sent.length === 3 && sent.every(({ frames }) => frames > 5)
  // Usually a third of a second; where a busy machine spoils its first probes, Chromium tries again after several seconds.
  await rtcStats(page, "all layers", sendsAll, { timeoutMs: 40_000 })
  return page
}

function seen(page: RtcPage, what: string, widthPx: number, options?: WaitOptions): Promise<RtcStats> {
  return rtcStats(page, what, (stats) => stats.widthPx === widthPx, options)
}

function moreThan(page: RtcPage, frames: number): Promise<RtcStats> {
  return rtcStats(page, `${frames} pictures`, ({ video }) => video > frames)
}

function choose({ layers }: RtcSession, constraint: object): Promise<Response> {
  const headers = { "content-type": "application/json" }
  return fetch(layers as string, { method: "POST", headers, body: JSON.stringify(constraint) })
}

async function select(session: RtcSession, constraint: object): Promise<void> {
  expect((await choose(session, constraint)).status).toBe(200)
}
