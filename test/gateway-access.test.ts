import { readFileSync } from "node:fs"
import { SignJWT } from "jose"
import { pino } from "pino"
import { beforeAll, describe, expect, test } from "vitest"
import type { ConfigInput } from "../src/config.ts"
import { createGateway, type Gateway } from "../src/gateway.ts"
import { json, startLocalServer } from "./io/access/local-server.ts"
import { RtmpClient } from "./io/rtmp/client.ts"
import type { Scope } from "./support/scope.ts"
import { groupScope, testScope } from "./support/test-scope.ts"
import { until } from "./support/wait.ts"

const SECRET = "a secret of thirty-two characters"
const WHIP_OFFER = readFileSync("test/fixtures/sdp/chromium-whip.sdp", "utf8")
const WHEP_OFFER = readFileSync("test/fixtures/sdp/chromium-whep.sdp", "utf8")

interface AccessSetup {
  readonly gateway: Gateway
  /** All lines of the log in one text. */
  log(): string
  close(): Promise<void>
}

async function startWithAccess(scope: Scope, access: ConfigInput["access"]): Promise<AccessSetup> {
  let log = ""
  const logger = pino({ level: "debug" }, { write: (line: string) => (log += line) })
  const local = { host: "127.0.0.1", port: 0 }
  const gateway = await createGateway(
    { http: local, rtmp: local, media: { host: ["127.0.0.1"], port: 0 }, access },
    { logger },
  )
  let closed: Promise<void> | undefined
  const close = () => (closed ??= gateway.close())
  scope.defer(close)
  return { gateway, log: () => log, close }
}

function sign(claims: object, { secret = SECRET, expiresInS = 60 } = {}): Promise<string> {
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .setExpirationTime(Math.floor(Date.now() / 1000) + expiresInS)
    .sign(new TextEncoder().encode(secret))
}

async function offer(gateway: Gateway, path: string, headers: Record<string, string> = {}, body?: string) {
  const response = await fetch(gateway.urls.http + path, {
    method: "POST",
    headers: { "content-type": "application/sdp", ...headers },
    body: body ?? (path.startsWith("/whip") ? WHIP_OFFER : WHEP_OFFER),
  })
  const location = response.headers.get("location")
  if (location !== null) await fetch(new URL(location, gateway.urls.http), { method: "DELETE" })
  return response
}

describe("a token for WHIP", () => {
  const scope = groupScope()
  let setup: AccessSetup
  beforeAll(async () => {
    setup = await startWithAccess(scope, { publishTokens: ["the-stream-key"], playTokens: ["the-viewer-key"] })
  })

  test.each<{ name: string; path?: string; headers?: Record<string, string>; body?: string; status: number }>([
    { name: "as bearer", headers: { authorization: "Bearer the-stream-key" }, status: 201 },
    { name: "in the query", path: "/whip/live/cam1?token=the-stream-key", status: 201 },
    { name: "nowhere", status: 401 },
    { name: "that is wrong", headers: { authorization: "Bearer the-stream-kez" }, status: 401 },
    { name: "that is a part of the right one", headers: { authorization: "Bearer the-stream-ke" }, status: 401 },
    { name: "for viewers", headers: { authorization: "Bearer the-viewer-key" }, status: 401 },
    { name: "in a cookie", headers: { cookie: "token=the-stream-key" }, status: 401 },
    { name: "by Basic", headers: { authorization: `Basic ${btoa("token:the-stream-key")}` }, status: 401 },
    { name: "without a scheme", headers: { authorization: "the-stream-key" }, status: 401 },
    { name: "in another header", headers: { "x-token": "the-stream-key" }, status: 401 },
    { name: "under another query name", path: "/whip/live/cam1?access_token=the-stream-key", status: 401 },
    { name: "in the offer", body: `${WHIP_OFFER}a=token:the-stream-key\r\n`, status: 401 },
    {
      name: "that is right in the query but wrong as bearer",
      path: "/whip/live/cam1?token=the-stream-key",
      headers: { authorization: "Bearer something-else" },
      status: 401,
    },
  ])("$name: $status", async ({ path = "/whip/live/cam1", headers, body, status }) => {
    const response = await offer(setup.gateway, path, headers, body)
    expect(response.status).toBe(status)
    if (status === 401) {
      expect(response.headers.get("www-authenticate")).toMatch(/^Bearer/)
      expect(await response.text()).not.toContain("the-stream-key")
    }
  })

  test("and for WHEP are two things, and a stranger does not learn what is live", async () => {
    const play = (token: string) => offer(setup.gateway, `/whep/live/cam1?token=${token}`)
    expect((await play("the-stream-key")).status).toBe(401)
    expect((await play("the-viewer-key")).status).toBe(409)
  })

  test("is never in the log", () => {
    expect(setup.log()).toContain("access.invalid")
    expect(setup.log()).not.toMatch(/the-stream-key|the-viewer-key|the-stream-kez/)
  })
})

test.each<{ name: string; token: () => Promise<string>; expected: [whip: number, whep: number] }>([
  {
    name: "for publishing",
    token: () => sign({ app: "live", stream: "cam1", action: "publish" }),
    expected: [201, 403],
  },
  { name: "for playing", token: () => sign({ app: "live", stream: "cam1", action: "play" }), expected: [403, 409] },
  {
    name: "for another stream",
    token: () => sign({ app: "live", stream: "cam2", action: ["publish", "play"] }),
    expected: [403, 403],
  },
  {
    name: "for another app",
    token: () => sign({ app: "studio", stream: "*", action: ["publish", "play"] }),
    expected: [403, 403],
  },
  {
    name: "that has expired",
    token: () => sign({ stream: "*", action: ["publish", "play"] }, { expiresInS: -60 }),
    expected: [401, 401],
  },
  {
    name: "of another issuer",
    token: () => sign({ stream: "*", action: ["publish", "play"] }, { secret: SECRET.toUpperCase() }),
    expected: [401, 401],
  },
])("a JWT $name: WHIP $expected.0, WHEP $expected.1", async ({ token, expected }) => {
  const { gateway, log } = await startWithAccess(scope, { jwt: { secret: SECRET } })
  const authorization = `Bearer ${await token()}`
  const whip = await offer(gateway, "/whip/live/cam1", { authorization })
  await until("the name to be free", async () => (await streams(gateway, authorization)).length === 0)
  const whep = await offer(gateway, "/whep/live/cam1", { authorization })
  expect([whip.status, whep.status]).toEqual(expected)
  expect(log()).not.toContain(authorization.slice("Bearer ".length))
})

const scope = testScope()

async function streams(gateway: Gateway, authorization?: string): Promise<string[]> {
  const headers = authorization === undefined ? {} : { authorization }
  const response = await fetch(`${gateway.urls.http}/api/v1/streams`, { headers })
  const { streams } = (await response.json()) as { streams: { name: string }[] }
  return streams.map(({ name }) => name)
}

test("the list shows what its reader may play", async () => {
  const { gateway } = await startWithAccess(scope, {
    rules: [
      { stream: "live/open*", publish: "anyone", play: "anyone" },
      { stream: "live/*", publish: { tokens: ["the-stream-key"] }, play: { tokens: ["the-viewer-key"] } },
    ],
    adminTokens: ["the-admin-key"],
  })
  for (const path of ["open1", "cam1/the-stream-key"]) {
    const publisher = await RtmpClient.open(gateway.ports.rtmp, scope, "publish", path)
    await publisher.status("NetStream.Publish.Start")
  }
  expect(await streams(gateway)).toEqual(["live/open1"])
  expect(await streams(gateway, "Bearer the-stream-key")).toEqual(["live/open1"])
  expect(await streams(gateway, "Bearer the-viewer-key")).toEqual(["live/open1", "live/cam1"])
  expect(await streams(gateway, "Bearer the-admin-key")).toEqual(["live/open1", "live/cam1"])
})

test("callbacks decide on RTMP, WHIP and WHEP and are told of every end", async () => {
  const service = await startLocalServer(scope, (response, index) => {
    const { token } = JSON.parse(service.requests[index]?.body ?? "{}") as { token?: string }
    json({ identity: "somebody" }, token === "wrong-token" ? 403 : 200)(response, index)
  })
  const { gateway, log } = await startWithAccess(scope, {
    callbacks: {
      onPublish: service.url,
      onPlay: service.url,
      onPublishDone: service.url,
      onPlayDone: service.url,
    },
  })
  const seen = () => service.requests.map(({ body }) => JSON.parse(body) as Record<string, unknown>)
  expect((await offer(gateway, "/whip/live/cam1?token=wrong-token")).status).toBe(403)
  expect((await offer(gateway, "/whip/live/cam1?token=right-token")).status).toBe(201)
  await until("the end of WHIP", () => seen().length === 3)
  expect((await offer(gateway, "/whep/live/cam2?token=right-token")).status).toBe(409)
  await until("the end of WHEP", () => seen().length === 5)
  const publisher = await RtmpClient.open(gateway.ports.rtmp, scope, "publish", "cam3/right-token")
  await publisher.status("NetStream.Publish.Start")
  publisher.socket.end()
  await until("the end of RTMP", () => seen().length === 7)
  expect(seen().map(({ action, stream, protocol }) => `${protocol} ${action} ${stream}`)).toEqual([
    "whip publish cam1",
    "whip publish cam1",
    "whip publishDone cam1",
    "whep play cam2",
    "whep playDone cam2",
    "rtmp publish cam3",
    "rtmp publishDone cam3",
  ])
  expect(seen().every(({ remoteAddress }) => remoteAddress === "127.0.0.1")).toBe(true)
  expect(log()).not.toMatch(/right-token|wrong-token/)
})

test("while the service of the callbacks is down, nobody gets in", async () => {
  const service = await startLocalServer(scope, json({}))
  await service.close()
  const { gateway, log } = await startWithAccess(scope, {
    callbacks: { onPublish: `${service.url}/?key=secret-of-url` },
  })
  const response = await offer(gateway, "/whip/live/cam1")
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, expect.stringMatching(/^\d+$/)])
  const publisher = await RtmpClient.open(gateway.ports.rtmp, scope, "publish", "cam1")
  await publisher.closed
  expect(publisher.statusCodes()).toEqual(["NetStream.Publish.Denied"])
  expect(log()).not.toContain("secret-of-url")
})

test("a gateway that closes waits until the ends of its sessions are told", async () => {
  const service = await startLocalServer(scope, (response, index) => {
    setTimeout(() => json({}, index === 0 ? 500 : 200)(response, index), 300)
  })
  const { gateway, close } = await startWithAccess(scope, { callbacks: { onPublishDone: service.url } })
  const publisher = await RtmpClient.open(gateway.ports.rtmp, scope, "publish", "cam1")
  await publisher.status("NetStream.Publish.Start")
  await close()
  expect(service.requests.map(({ body }) => JSON.parse(body).action)).toEqual(["publishDone", "publishDone"])
})
