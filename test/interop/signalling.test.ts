import type { Browser } from "playwright-core"
import { beforeAll, expect, test } from "vitest"
import { callRtc, type RtcPage, type RtcStats, rtcStats } from "../support/browser-peers.ts"
import { openPage, startChromium } from "../support/chromium.ts"
import { publishClip } from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { publishLikeObs } from "../support/rtc-publisher.ts"
import { expectHealthy } from "../support/scenes.ts"
import { endedStream, liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

/** What happens to sessions between POST and DELETE: ICE restarts, events, publishers that die and return, kicks. */
const group = groupScope()
const scope = testScope()
let gateway: TestGateway
let browser: Browser

const ADMIN = { authorization: "Bearer the-admin" }

beforeAll(async () => {
  const settings = { ACCESS__ADMIN_TOKENS: "the-admin", MEDIA__IDLE_TIMEOUT_MS: "3000" }
  gateway = await startGateway(group, { settings })
  browser = await startChromium(group)
})

interface ListedSession {
  readonly id: string
  readonly role: "publisher" | "viewer"
  readonly stream: string
  readonly bytes: number
}

async function sessionsOf(stream: string): Promise<ListedSession[]> {
  const response = await fetch(`${gateway.httpUrl}/api/v1/sessions`, { headers: ADMIN })
  const { sessions } = (await response.json()) as { sessions: ListedSession[] }
  return sessions.filter((session) => session.stream === stream)
}

async function openViewer(stream: string): Promise<RtcPage> {
  const { page } = await openPage(scope, browser, gateway.httpUrl)
  await callRtc(page, "play", `${gateway.httpUrl}/whep/${stream}`)
  await rtcStats(page, "pictures", ({ video }) => video > 10)
  return page
}

async function publishByClip(stream: string): Promise<void> {
  publishClip(scope, await clip("bbb"), gateway.rtmpUrl(stream))
  await liveStream(gateway, stream)
}

/** What an event feed of a page has told so far. */
function told(page: RtcPage, type: string): Promise<Record<string, unknown>[]> {
  return page.evaluate(`told.filter((event) => event.type === ${JSON.stringify(type)}).map(({ data }) => data)`)
}

test.each(["viewer", "publisher"])(
  "Chromium as a %s restarts ICE by PATCH, and the picture goes on in the same session",
  async (role) => {
    const stream = `live/restart-${role}`
    const { page: publisher } = await openPage(scope, browser, gateway.httpUrl)
    await callRtc(publisher, "publish", `${gateway.httpUrl}/whip/${stream}`, { codec: "vp8" })
    await liveStream(gateway, stream)
    const viewer = await openViewer(stream)
    const sessions = (await sessionsOf(stream)).map(({ id }) => id).sort()
    const page: RtcPage = role === "viewer" ? viewer : publisher
    const ufragOf = () => page.evaluate<string>("session.pc.localDescription.sdp.match(/ice-ufrag:.*/)[0]")
    const ufrag = await ufragOf()
    const { before, after, status } = await callRtc<{ before: string; after: string; status: number }>(
      page,
      "restartIce",
    )
    expect(status).toBe(200)
    expect(after).toMatch(/^"[^"]+"$/)
    expect(after).not.toBe(before)
    expect(await ufragOf()).not.toBe(ufrag)
    await rtcStats(page, "the new path", ({ connection }) => connection === "connected")
    const { video } = await callRtc<RtcStats>(viewer, "stats")
    // Longer than consent lasts: the old credentials keep nothing alive.
    await rtcStats(viewer, "pictures after the restart", (stats) => stats.video > video + 150)
    expect((await sessionsOf(stream)).map(({ id }) => id).sort()).toEqual(sessions)
    await expectHealthy(gateway)
  },
)

test("trickled candidates are taken with 204, and with an old entity-tag they are not", async () => {
  await publishByClip("live/trickle")
  const page = await openViewer("live/trickle")
  expect(await callRtc(page, "trickle")).toBe(204)
  await callRtc(page, "restartIce")
  expect(await callRtc(page, "trickle")).toBe(204)
  const isStale = `rtc.trickle({ ...session, etag: '"an-old-one"' })`
  expect(await page.evaluate<number>(isStale)).toBe(412)
})

test("an event feed tells a browser how many watch", async () => {
  await publishByClip("live/watched")
  const page = await openViewer("live/watched")
  expect(await callRtc(page, "listen")).toBe(201)
  const counts = async () => (await told(page, "viewercount")).map(({ viewercount }) => viewercount)
  await until("the first count", async () => (await counts()).at(-1) === 1)
  const second = await openViewer("live/watched")
  await until("a second viewer", async () => (await counts()).at(-1) === 2)
  const { location } = await second.evaluate<{ location: string }>("({ location: session.location })")
  await fetch(location, { method: "DELETE" })
  await until("the second viewer to leave", async () => (await counts()).at(-1) === 1)
})

test("viewers stay in their session while their publisher dies and comes back, and are told", async () => {
  const stream = "live/back"
  const url = `${gateway.httpUrl}/whip/${stream}?token=the-publisher`
  const first = await publishLikeObs(scope, url)
  await liveStream(gateway, stream)
  const page = await openViewer(stream)
  await callRtc(page, "listen")
  const [viewer] = (await sessionsOf(stream)).filter(({ role }) => role === "viewer")
  first.process.child.kill("SIGKILL")
  await until("the stream to be told inactive", async () => (await told(page, "inactive")).length > 0)
  const { video } = await callRtc<RtcStats>(page, "stats")
  await publishLikeObs(scope, url)
  await until("the stream to be told active", async () => (await told(page, "active")).length > 0)
  await rtcStats(page, "pictures of the new publisher", (stats) => stats.video > video + 60)
  expect((await sessionsOf(stream)).filter(({ role }) => role === "viewer").map(({ id }) => id)).toEqual([viewer?.id])
  expect(await page.evaluate("session.pc.connectionState")).toBe("connected")
  await expectHealthy(gateway)
})

test("a publisher that died silently is replaced by the next one without waiting for its time-out", async () => {
  const stream = "live/taken-over"
  const url = `${gateway.httpUrl}/whip/${stream}`
  const first = await publishLikeObs(scope, url)
  await liveStream(gateway, stream)
  const page = await openViewer(stream)
  first.process.child.kill("SIGKILL")
  const { video } = await callRtc<RtcStats>(page, "stats")
  const startedAt = performance.now()
  await until("the new publisher to be let in", () => publishLikeObs(scope, url), { timeoutMs: 2_900, intervalMs: 300 })
  expect(performance.now() - startedAt).toBeLessThan(2_900)
  await rtcStats(page, "pictures of the new publisher", (stats) => stats.video > video + 60)
  expect((await sessionsOf(stream)).filter(({ role }) => role === "publisher")).toHaveLength(1)
})

test("an administrator ends a viewer and then the publisher by the API, and nobody else does", async () => {
  const stream = "live/kicked"
  const { page: publisher } = await openPage(scope, browser, gateway.httpUrl)
  await callRtc(publisher, "publish", `${gateway.httpUrl}/whip/${stream}`, { codec: "vp8" })
  await liveStream(gateway, stream)
  const viewer = await openViewer(stream)
  const pages: [ListedSession["role"], RtcPage][] = [
    ["viewer", viewer],
    ["publisher", publisher],
  ]
  for (const [role, page] of pages) {
    const session = (await sessionsOf(stream)).find((candidate) => candidate.role === role)
    const url = `${gateway.httpUrl}/api/v1/sessions/${session?.id}`
    expect((await fetch(url, { method: "DELETE" })).status).toBe(401)
    expect((await fetch(url, { method: "DELETE", headers: ADMIN })).status).toBe(204)
    const state =
      "[...session.pc.getSenders(), ...session.pc.getReceivers()].find((end) => end.transport).transport.state"
    await until(`the ${role}'s DTLS to be closed`, async () => (await page.evaluate<string>(state)) === "closed")
    expect((await sessionsOf(stream)).some(({ id }) => id === session?.id)).toBe(false)
  }
  await endedStream(gateway, stream)
})
