import { describe, expect, test } from "vitest"
import type { FlvPlayRequest } from "../../routes/flv.ts"
import { type ErrorCode, GatewayError } from "../../src/errors.ts"
import { fakeApp, problemOf } from "./support.ts"

const BODY = { of: "the viewer" }

function flvApp(options: Parameters<typeof fakeApp>[1] = {}) {
  const asked: FlvPlayRequest[] = []
  const playFlv = async (request: FlvPlayRequest) => {
    asked.push(request)
    return BODY
  }
  const checkFlv = async (request: FlvPlayRequest) => {
    asked.push(request)
  }
  const env: { live?: object } = {}
  const { app } = fakeApp({ playFlv, checkFlv }, options)
  return { asked, env, get: (path: string, init: RequestInit = {}) => app.request(path, init, env) }
}

function refusingApp(code: ErrorCode) {
  const refuse = async () => {
    throw new GatewayError(code, "no")
  }
  return fakeApp({ playFlv: refuse, checkFlv: refuse }).app
}

test("GET answers the head and leaves the body to the server", async () => {
  const { asked, env, get } = flvApp()
  const response = await get("/flv/live/cam1.flv?token=secret&audio=opus&start=live")
  expect(response.status).toBe(200)
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "content-type": "video/x-flv",
    "cache-control": "no-store",
    "access-control-allow-origin": "*",
    "x-content-type-options": "nosniff",
  })
  expect(env.live).toBe(BODY)
  const remoteAddress = "198.51.100.7"
  const about = { app: "live", stream: "cam1", token: "secret", remoteAddress }
  expect(asked).toEqual([{ ...about, wantsOpus: true, start: "live" }])
})

test("a bearer token goes before that of the address, and sound is AAC as a rule", async () => {
  const { asked, get } = flvApp()
  await get("/flv/live/cam1.flv?token=b", { headers: { authorization: "Bearer a" } })
  expect(asked[0]).toMatchObject({ token: "a", wantsOpus: false })
})

test("HEAD asks for permission and has no body", async () => {
  const { asked, env, get } = flvApp()
  const response = await get("/flv/live/cam1.flv", { method: "HEAD" })
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "video/x-flv"])
  expect([asked.length, env.live]).toEqual([1, undefined])
})

test("a browser may ask for permission to send a token", async () => {
  const { asked, get } = flvApp()
  const headers = { "access-control-request-method": "GET", "access-control-request-headers": "authorization" }
  const response = await get("/flv/live/cam1.flv", { method: "OPTIONS", headers })
  expect(response.headers.get("access-control-allow-methods")).toBe("GET, HEAD, OPTIONS")
  expect(response.headers.get("access-control-allow-headers")).toContain("Authorization")
  expect(response.headers.get("access-control-allow-origin")).toBe("*")
  expect(asked).toEqual([])
})

describe("refusals", () => {
  test.each<{ code: ErrorCode; status: number }>([
    { code: "stream.name", status: 400 },
    { code: "stream.start", status: 400 },
    { code: "access.required", status: 401 },
    { code: "access.invalid", status: 401 },
    { code: "access.denied", status: 403 },
    { code: "stream.not_live", status: 404 },
    { code: "session.limit", status: 503 },
    { code: "gateway.closing", status: 503 },
  ])("$code is $status with problem details, which other sites may read", async ({ code, status }) => {
    const response = await refusingApp(code).request("/flv/live/cam1.flv", {}, {})
    expect(response.headers.get("access-control-allow-origin")).toBe("*")
    expect(await problemOf(response)).toMatchObject({ status, code })
  })

  test("who needs a token is told how to send it", async () => {
    const response = await refusingApp("access.required").request("/flv/live/cam1.flv", {}, {})
    expect(response.headers.get("www-authenticate")).toMatch(/^Bearer/)
  })

  test.each(["/flv", "/flv/live/cam1", "/flv/cam1.flv", "/flv/live/.flv"])(
    "%s says how addresses look",
    async (path) => {
      const { asked, get } = flvApp()
      expect(await problemOf(await get(path))).toMatchObject({ status: 400, code: "stream.name" })
      expect(asked).toEqual([])
    },
  )

  test("other methods are 405 with Allow", async () => {
    const { get } = flvApp()
    const response = await get("/flv/live/cam1.flv", { method: "POST" })
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"])
  })

  test("GET counts in the limit of requests", async () => {
    const { asked, get } = flvApp({ countRequest: () => 2_500 })
    const response = await get("/flv/live/cam1.flv")
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "3"])
    expect(asked).toEqual([])
  })
})
