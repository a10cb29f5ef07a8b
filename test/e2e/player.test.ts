import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { Browser, Page, Request } from "playwright-core"
import { beforeAll, expect, test } from "vitest"
import { decodeLossless } from "../../src/minisdp/lossless/envelope.ts"
import { decodePacket, encodePacket } from "../../src/minisdp/packet.ts"
import { sessionFromSdp } from "../../src/minisdp/session-from-sdp.ts"
import { sessionToSdp } from "../../src/minisdp/session-to-sdp.ts"
import { openPage, startChromium } from "../support/chromium.ts"
import { publishClip } from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

/** The player library: what it sends to the gateway, to servers without MiniSDP, and from other sites' pages. */
const group = groupScope()
const scope = testScope()
const MINISDP = "application/x-minisdp"
let gateway: TestGateway
let browser: Browser

beforeAll(async () => {
  gateway = await startGateway(group)
  browser = await startChromium(group)
  publishClip(group, await clip("bbb"), gateway.rtmpUrl("live/cam1"))
  await liveStream(gateway, "live/cam1")
})

/** An empty page, and the offers that it posts from then on. */
async function pageWithOffers(): Promise<{ page: Page; errors: string[]; offers: Request[] }> {
  const { page, errors } = await openPage(scope, browser, `${gateway.httpUrl}/health`)
  const offers: Request[] = []
  page.on("request", (request) => {
    if (request.method() === "POST" && request.url().includes("/whep/")) offers.push(request)
  })
  return { page, errors, offers }
}

/** Another site, with one page. Answers its address. */
async function serve(html: string): Promise<string> {
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end(html))
  scope.defer(() => server.close())
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const isLive = (page: Page) =>
  until("the player to be live", () => page.evaluate<boolean>(`whipstitch.state === "live"`), { timeoutMs: 15_000 })

const types = (offers: readonly Request[]) => offers.map((request) => request.headers()["content-type"])

test("the watch page's whole exchange is one POST of a few hundred bytes each way", async () => {
  const { page, errors, offers } = await pageWithOffers()
  await page.goto(`${gateway.httpUrl}/watch/live/cam1`)
  await isLive(page)
  expect(types(offers)).toEqual([MINISDP])
  const response = await offers[0]?.response()
  expect(response?.headers()["content-type"]).toBe(MINISDP)
  const bytes = [offers[0]?.postDataBuffer()?.length, (await response?.body())?.length]
  process.stdout.write(`offer and answer of the watch page: ${bytes.join(" and ")} bytes\n`)
  for (const length of bytes) expect(length).toBeLessThan(400)
  expect(errors).toEqual([])
})

test("a server that does not take MiniSDP gets the same offer as SDP", async () => {
  const { page, errors, offers } = await pageWithOffers()
  await page.route("**/whep/**", (route) =>
    route.request().headers()["content-type"] === MINISDP
      ? route.fulfill({ status: 415, body: "what is this" })
      : route.continue(),
  )
  await page.goto(`${gateway.httpUrl}/watch/live/cam1`)
  await isLive(page)
  expect(types(offers)).toEqual([MINISDP, "application/sdp"])
  expect(errors).toEqual([])
})

test("the page of docs/player.md plays from another site, with the library that the gateway serves", async () => {
  const { page, errors, offers } = await pageWithOffers()
  const text = readFileSync(new URL("../../docs/player.md", import.meta.url), "utf8")
  const example = /```html\n(.*?)```/s.exec(text)?.[1]?.replaceAll("https://gateway.example", gateway.httpUrl) ?? ""
  expect(example).toContain(gateway.httpUrl)
  await page.goto(await serve(example))
  await page.locator("p", { hasText: /^live/ }).waitFor()
  expect((await page.evaluate<{ frames: number }>("harness.countFrames(2)")).frames).toBeGreaterThan(20)
  expect(types(offers)).toEqual([MINISDP])
  expect(errors).toEqual([])
})

test("without a video element the tracks are there to be taken, and what was stopped can play again", async () => {
  const { page, errors, offers } = await pageWithOffers()
  await page.goto(gateway.httpUrl)
  await page.evaluate(`(async () => {
    const { WhepPlayer } = await import("/assets/player/whep-player.js")
    window.changes = []
    window.whipstitch = new WhepPlayer("/whep/live/cam1", { onState: ({ state }) => changes.push(state) })
    whipstitch.play()
  })()`)
  await isLive(page)
  expect(await page.evaluate("whipstitch.media.getTracks().map(({ kind }) => kind).sort()")).toEqual(["audio", "video"])
  expect(await page.evaluate("whipstitch.stats()")).toMatchObject({ inbound: { video: { widthPx: 640 } } })
  await page.evaluate("whipstitch.stop()")
  await until("the viewer to be gone", async () => (await viewers()) === 0)
  expect(await page.evaluate("whipstitch.media ?? null")).toBe(null)
  await page.evaluate("whipstitch.play()")
  await isLive(page)
  expect(await page.evaluate("changes")).toEqual(["connecting", "live", "stopped", "connecting", "live"])
  expect(types(offers)).toEqual([MINISDP, MINISDP])
  expect(errors).toEqual([])
})

test("an offer in the public form of MiniSDP is answered so that Chromium plays", async () => {
  const { page, errors } = await pageWithOffers()
  const bytes: number[] = []
  await page.route("**/whep/**", async (route) => {
    const { sdp } = decodeLossless(route.request().postDataBuffer() ?? new Uint8Array(0))
    const body = new Uint8Array(encodePacket({ ...OFFER, session: sessionFromSdp(sdp) }))
    const response = await fetch(route.request().url(), { method: "POST", headers: { "content-type": MINISDP }, body })
    expect([response.status, response.headers.get("content-type")]).toEqual([201, MINISDP])
    const packet = new Uint8Array(await response.arrayBuffer())
    bytes.push(body.length, packet.length)
    const mids = [...sdp.matchAll(/^a=mid:(\S+)/gm)].map(([, mid = ""]) => mid)
    const sections = [...sdp.matchAll(/^m=(audio|video) /gm)].map(([, kind], i) => ({
      kind: kind as "audio" | "video",
      mid: mids[i] ?? "",
    }))
    const answer = sessionToSdp(decodePacket(packet).session, { type: "answer", sections })
    const location = response.headers.get("location") ?? ""
    await route.fulfill({ status: 201, headers: { "content-type": "application/sdp", location }, body: answer })
  })
  await page.goto(`${gateway.httpUrl}/watch/live/cam1`)
  await isLive(page)
  process.stdout.write(`offer and answer in the public form: ${bytes.join(" and ")} bytes\n`)
  expect((await page.evaluate<{ frames: number }>("harness.countFrames(2)")).frames).toBeGreaterThan(20)
  expect(errors).toEqual([])
})

const OFFER = {
  generation: "ext",
  type: "offer",
  status: 0,
  seq: 7,
  immSend: false,
  streamUrl: "",
  svrsig: "",
  push: false,
} as const

async function viewers(): Promise<number> {
  return ((await (await fetch(`${gateway.httpUrl}/health`)).json()) as { viewers: number }).viewers
}
