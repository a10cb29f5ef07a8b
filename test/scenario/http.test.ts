import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import type { z } from "zod"
import { SessionList, StreamList, StreamSummary } from "../../routes/api/schemas.ts"
import type { ConfigInput } from "../../src/config.ts"
import { createGateway, type Gateway } from "../../src/gateway.ts"
import { testScope } from "../support/test-scope.ts"

const scope = testScope()
const ADMIN = { authorization: "Bearer administrator" }
const SDP = { "content-type": "application/sdp" }
const fixture = (name: string) => readFileSync(new URL(`../fixtures/sdp/${name}.sdp`, import.meta.url), "utf8")

async function start(http: ConfigInput["http"] = {}): Promise<Gateway> {
  const local = { host: "127.0.0.1", port: 0 }
  const gateway = await createGateway({
    http: { ...local, ...http },
    rtmp: local,
    media: { host: ["127.0.0.1"], port: 0, iceServers: [{ urls: ["stun:127.0.0.1:3478"] }] },
    access: { adminTokens: ["administrator"] },
    log: { level: "silent" },
  })
  scope.defer(() => gateway.close())
  return gateway
}

/** Opens a session by an offer that a real client made. */
async function open(url: string, offer: string) {
  const response = await fetch(url, { method: "POST", headers: SDP, body: fixture(offer) })
  expect([response.status, await response.clone().text()]).toMatchObject([201, expect.stringMatching(/^v=0/)])
  return { response, location: response.headers.get("location") ?? "", etag: response.headers.get("etag") ?? "" }
}

/** GETs from the API and expects what the schema says, and nothing that it does not name. */
async function get<Schema extends z.ZodType>({ urls }: Gateway, path: string, schema: Schema) {
  const body = await (await fetch(`${urls.http}/api/v1${path}`, { headers: ADMIN })).json()
  const parsed = schema.parse(body)
  expect(body).toEqual(parsed)
  return parsed
}

test("the API's answers of a real gateway are what its schemas say, and it ends sessions and streams", async () => {
  const gateway = await start()
  const { http } = gateway.urls
  const publisher = await open(`${http}/whip/live/cam1`, "obs-30")
  const viewer = await open(`${http}/whep/live/cam1`, "chromium-whep")

  const { streams } = await get(gateway, "/streams", StreamList)
  expect(streams).toMatchObject([{ name: "live/cam1", state: "live", publisher: { protocol: "whip" }, viewers: 1 }])
  await get(gateway, "/streams/live/cam1", StreamSummary)
  const { sessions } = await get(gateway, "/sessions", SessionList)
  expect(sessions).toMatchObject([
    { protocol: "whip", role: "publisher", stream: "live/cam1" },
    { protocol: "whep", role: "viewer", stream: "live/cam1" },
  ])
  for (const { id } of sessions) {
    expect(publisher.location + viewer.location).not.toContain(id)
    expect((await fetch(`${http}/sessions/${id}`)).status).toBe(404)
  }

  expect((await fetch(`${http}/api/v1/sessions/${sessions[1]?.id}`, { method: "DELETE" })).status).toBe(401)
  const kicked = await fetch(`${http}/api/v1/sessions/${sessions[1]?.id}`, { method: "DELETE", headers: ADMIN })
  expect([kicked.status, (await fetch(viewer.location)).status]).toEqual([204, 404])
  const ended = await fetch(`${http}/api/v1/streams/live/cam1`, { method: "DELETE", headers: ADMIN })
  expect([ended.status, (await fetch(publisher.location)).status]).toEqual([204, 404])
  expect(await get(gateway, "/streams", StreamList)).toEqual({ streams: [] })
  expect(await get(gateway, "/sessions", SessionList)).toEqual({ sessions: [] })
})

test("rules 12, 17, 19, 20: a session trickles, restarts ICE, and ends", async () => {
  const { urls } = await start()
  const { location, etag, response } = await open(`${urls.http}/whip/live/cam1`, "obs-30")
  expect(location).toMatch(new RegExp(`^${urls.http}/sessions/[\\w-]{20,}$`))
  expect(etag).toMatch(/^"[\w-]{16,}"$/)
  expect(response.headers.get("link")).toContain('<stun:127.0.0.1:3478>; rel="ice-server"')
  const patch = (ifMatch: string, body: string) => {
    const headers = { "content-type": "application/trickle-ice-sdpfrag", "if-match": ifMatch }
    return fetch(location, { method: "PATCH", headers, body })
  }
  const ufrag = /a=ice-ufrag:(\S+)/.exec(fixture("obs-30"))?.[1]
  const fragment = (name: string) =>
    `a=ice-ufrag:${name}\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n`
  expect((await patch(etag, fragment(ufrag as string))).status).toBe(204)
  const restarted = await patch("*", fragment("NewUfrag"))
  const body = await restarted.text()
  expect([restarted.status, restarted.headers.get("etag")]).toEqual([200, expect.not.stringMatching(etag)])
  expect(body).toMatch(/a=ice-ufrag:\S+\r\na=ice-pwd:\S{22,}\r\n/)
  expect(body).toMatch(/a=candidate:/)
  expect(body).toMatch(/a=ice-lite/)
  expect((await patch(etag, fragment("NewUfrag"))).status).toBe(412)
  expect((await fetch(location, { method: "DELETE" })).status).toBe(200)
  expect((await patch("*", fragment("NewUfrag"))).status).toBe(404)
})

test("rules 43 to 45: a viewer reads events of its stream until its session ends", async () => {
  const { urls } = await start()
  await open(`${urls.http}/whip/live/cam1`, "obs-30")
  const { response, location } = await open(`${urls.http}/whep/live/cam1`, "chromium-whep")
  const links = response.headers.get("link") ?? ""
  const [, events = ""] = /<([^>]+)>; rel="urn:ietf:params:whep:ext:core:server-sent-events"/.exec(links) ?? []
  expect(events).toBe(`${location}/events`)
  expect(links).toContain(`<${location}/layers>; rel="urn:ietf:params:whep:ext:core:layer"`)
  const headers = { "content-type": "application/json" }
  const opened = await fetch(events, { method: "POST", headers, body: '["active","inactive"]' })
  const feed = opened.headers.get("location") ?? ""
  const reading = (await fetch(feed)).text()
  expect((await fetch(location, { method: "DELETE" })).status).toBe(200)
  expect(await reading).toContain("event: active\ndata: {}\n\n")
  expect(await reading).not.toContain("inactive")
  expect((await fetch(feed)).status).toBe(404)
})

test("rule 3: behind a proxy that ends TLS, Location is what the client can reach", async () => {
  const { urls } = await start({ trustedProxies: ["127.0.0.1"] })
  const forwarded = { "x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "https", "x-forwarded-host": "live.example" }
  const headers = { ...SDP, ...forwarded }
  const response = await fetch(`${urls.http}/whip/live/cam1`, { method: "POST", headers, body: fixture("obs-30") })
  expect(response.headers.get("location")).toMatch(/^https:\/\/live\.example\/sessions\//)
})

test("rule 32: who asks too often is told to wait", async () => {
  const { urls } = await start({ requestsPerSecond: 1, requestBurst: 2 })
  const statuses: number[] = []
  for (let i = 0; i < 3; i++) statuses.push((await fetch(`${urls.http}/sessions/guess`, { method: "DELETE" })).status)
  expect(statuses).toEqual([404, 404, 429])
  expect((await fetch(`${urls.http}/health`)).status).toBe(200)
})

test("rule 38: nobody to watch is 409 with Retry-After", async () => {
  const { urls } = await start()
  const body = fixture("chromium-whep")
  const response = await fetch(`${urls.http}/whep/live/nobody`, { method: "POST", headers: SDP, body })
  expect([response.status, response.headers.get("content-type")]).toEqual([409, "application/problem+json"])
  expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0)
})

test("rules 36, 37: a player that offers nothing gets an offer, and PATCHes its answer", async () => {
  const { urls } = await start()
  await open(`${urls.http}/whip/live/cam1`, "obs-30")
  const countered = await fetch(`${urls.http}/whep/live/cam1`, { method: "POST" })
  expect(countered.status).toBe(406)
  expect(countered.headers.get("content-type")).toMatch(/^application\/sdp; valid-until="\w{3}, .* GMT"$/)
  expect(await countered.text()).toMatch(/a=sendonly/)
  const location = countered.headers.get("location") as string
  const refused = await fetch(location, { method: "PATCH", headers: SDP, body: "nonsense" })
  expect([refused.status, (await fetch(location)).status]).toEqual([400, 200])
  const answered = await fetch(location, { method: "PATCH", headers: SDP, body: fixture("chromium-counter-answer") })
  expect([answered.status, await answered.text()]).toEqual([204, ""])
})
