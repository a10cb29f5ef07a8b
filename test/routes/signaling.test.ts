import { describe, expect, test } from "vitest"
import type { SessionAnswer } from "../../routes/signaling.ts"
import { type ErrorCode, GatewayError } from "../../src/errors.ts"
import { ANSWER, fakeApp, problemOf, SDP } from "./support.ts"

const refuseWith = (code: ErrorCode, message = "no") => ({
  publish: () => Promise.reject(new GatewayError(code, message)),
  play: () => Promise.reject(new GatewayError(code, message)),
})
const answerWith = (answer: Partial<SessionAnswer>) => ({
  publish: async () => ({ ...ANSWER, ...answer }),
  play: async () => ({ ...ANSWER, ...answer }),
})
const offer = { method: "POST", headers: SDP, body: "v=0" }

describe.each(["/whip", "/whep"])("%s", (base) => {
  const path = `${base}/live/cam1`

  test("rules 3, 12, 28: answers an offer with 201, the answer, a strong entity-tag and the session's absolute address", async () => {
    const { app, requests } = fakeApp()
    const headers = {
      "content-type": "Application/SDP; charset=utf-8",
      authorization: "bearer s3cret",
      "user-agent": "OBS",
    }
    const response = await app.request(`http://gateway:8080${path}`, { method: "POST", headers, body: "v=0\r\noffer" })
    expect(response.status).toBe(201)
    expect(await response.text()).toBe(ANSWER.sdp)
    expect(response.headers.get("content-type")).toBe("application/sdp")
    expect(response.headers.get("location")).toBe(`http://gateway:8080/sessions/${ANSWER.id}`)
    expect(response.headers.get("etag")).toBe('"ice-1"')
    expect(response.headers.get("accept-patch")).toContain("application/trickle-ice-sdpfrag")
    expect(response.headers.get("access-control-allow-origin")).toBe("*")
    expect(response.headers.get("access-control-expose-headers")).toMatch(/Location, ETag, Link/)
    expect(requests).toEqual([
      {
        stream: "live/cam1",
        offerSdp: "v=0\r\noffer",
        token: "s3cret",
        localAddress: "192.0.2.1",
        remoteAddress: "198.51.100.7",
        userAgent: "OBS",
        acceptsCounterOffer: false,
      },
    ])
  })

  test("rule 29: takes the token from Authorization, else from the query, and from nowhere else", async () => {
    const { app, requests } = fakeApp()
    const post = (query: string, headers: Record<string, string>) =>
      app.request(`${path}${query}`, { method: "POST", headers: { ...SDP, ...headers }, body: "v=0" })
    await post("?token=from-query", { authorization: "Bearer from-header" })
    await post("?token=from-query", {})
    await post("?token=", {})
    await post("", { authorization: "Basic abc", "x-token": "abc", cookie: "token=abc" })
    expect(requests.map(({ token }) => token)).toEqual(["from-header", "from-query", undefined, undefined])
  })

  test("rule 29: the session's address does not repeat the query, which OBS would lose", async () => {
    const response = await fakeApp().app.request(`${path}?token=secret`, offer)
    expect(response.headers.get("location")).toMatch(/^http:\/\/[^?]+$/)
  })

  test.each([
    { code: "access.required", status: 401, challenge: 'Bearer realm="whipstitch"' },
    { code: "access.invalid", status: 401, challenge: 'Bearer realm="whipstitch", error="invalid_token"' },
    { code: "access.denied", status: 403, challenge: 'Bearer realm="whipstitch", error="insufficient_scope"' },
  ] as const)(
    "rule 29: answers $code with $status and says how to authenticate",
    async ({ code, status, challenge }) => {
      const response = await fakeApp(refuseWith(code)).app.request(path, offer)
      expect(response.status).toBe(status)
      expect(response.headers.get("www-authenticate")).toBe(challenge)
    },
  )

  test("rule 1: answers GET with an empty 200", async () => {
    const response = await fakeApp().app.request(path)
    expect([response.status, await response.text()]).toEqual([200, ""])
  })

  test("rule 34: answers HEAD with 200 and the type of what it takes", async () => {
    const response = await fakeApp().app.request(path, { method: "HEAD" })
    expect([response.status, await response.text()]).toEqual([200, ""])
    expect(response.headers.get("content-type")).toBe("application/sdp")
  })

  test("rule 8: tells in OPTIONS what it takes, for CORS too", async () => {
    const { status, headers } = await fakeApp().app.request(path, { method: "OPTIONS" })
    expect(status).toBe(200)
    expect(headers.get("accept-post")).toBe("application/sdp, application/x-minisdp")
    expect(headers.get("access-control-allow-origin")).toBe("*")
    expect(headers.get("access-control-allow-methods")).toContain("POST")
    expect(headers.get("access-control-allow-headers")).toBe("Authorization, Content-Type, If-Match")
  })

  test.each([
    { name: "another content type", status: 415, code: "http.media_type", headers: { "content-type": "text/plain" } },
    { name: "no content type", status: 415, code: "http.media_type", headers: {} },
    { name: "a long body", status: 413, code: "http.too_large", headers: SDP, body: "x".repeat(1_001) },
    { name: "another method", status: 405, code: "http.method", method: "PUT", headers: SDP },
    { name: "an address of one part", status: 400, code: "stream.name", path: `${base}/cam1`, headers: SDP },
    { name: "an address of three parts", status: 400, code: "stream.name", path: `${base}/a/b/c`, headers: SDP },
  ])("rules 2, 4: refuses $name with problem details", async (refused) => {
    const { status, code, headers, method = "POST", body = "v=0", path: at = path } = refused
    const response = await fakeApp().app.request(at, { method, headers: headers as Record<string, string>, body })
    expect(response.status).toBe(status)
    expect(response.headers.get("access-control-allow-origin")).toBe("*")
    expect(await problemOf(response)).toMatchObject({ type: "about:blank", status, code, title: expect.any(String) })
  })

  test("hands names over decoded, for the service to refuse", async () => {
    const { app, requests } = fakeApp()
    await app.request(`${base}/live/a%2F..%2Fb`, offer)
    expect(requests[0]?.stream).toBe("live/a/../b")
  })

  test.each([
    { code: "stream.name", status: 400 },
    { code: "stream.busy", status: 409 },
    { code: "sdp.syntax", status: 400 },
    { code: "sdp.unsupported", status: 422 },
    { code: "sdp.not_acceptable", status: 406 },
  ] as const)("rules 4, 23, 24: answers $code with $status and the reason", async ({ code, status }) => {
    const { app, bugs } = fakeApp(refuseWith(code, "because"))
    const response = await app.request(path, offer)
    expect(response.status).toBe(status)
    expect(await problemOf(response)).toMatchObject({ code, status, detail: "because" })
    expect(bugs).toEqual([])
  })

  test.each(["session.limit", "gateway.closing", "access.unavailable"] as const)(
    "rule 27: %s is 503 with Retry-After",
    async (code) => {
      const response = await fakeApp(refuseWith(code)).app.request(path, offer)
      expect(response.status).toBe(503)
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0)
    },
  )

  test("rule 38: says when to come back for a stream that is not live", async () => {
    const response = await fakeApp(refuseWith("stream.not_live")).app.request(path, offer)
    expect([response.status, response.headers.get("retry-after")]).toEqual([409, "2"])
  })

  test("rules 28, 31: names ICE servers and extensions as Links", async () => {
    const { app } = fakeApp(
      answerWith({
        iceServers: [
          { url: "stun:stun.example.org:3478" },
          { url: "turn:turn.example.org?transport=udp", username: '1:"a"', credential: "c\\d\r\n" },
        ],
        extensions: [
          { rel: "urn:ietf:params:whep:ext:core:layer", path: `/sessions/${ANSWER.id}/layers` },
          {
            rel: "urn:ietf:params:whep:ext:core:server-sent-events",
            path: `/sessions/${ANSWER.id}/events`,
            params: { events: "active,layers" },
          },
        ],
      }),
    )
    const response = await app.request(`http://gateway${path}`, offer)
    expect(response.headers.get("link")?.split(/, (?=<)/)).toEqual([
      '<stun:stun.example.org:3478>; rel="ice-server"',
      '<turn:turn.example.org?transport=udp>; rel="ice-server"; username="1:\\"a\\""; credential="c\\\\d"; credential-type="password"',
      `<http://gateway/sessions/${ANSWER.id}/layers>; rel="urn:ietf:params:whep:ext:core:layer"`,
      `<http://gateway/sessions/${ANSWER.id}/events>; rel="urn:ietf:params:whep:ext:core:server-sent-events"; events="active,layers"`,
    ])
  })

  test("rule 28: tells ICE servers in OPTIONS to who may open the session, and not to a CORS preflight", async () => {
    const asked: unknown[] = []
    const { app } = fakeApp({
      iceServers: async (request) => {
        asked.push(request)
        return request.token === "s3cret" ? [{ url: "stun:a" }] : []
      },
    })
    const options = (headers: Record<string, string>) => app.request(path, { method: "OPTIONS", headers })
    const authorization = "Bearer s3cret"
    expect((await options({ authorization })).headers.get("link")).toBe('<stun:a>; rel="ice-server"')
    expect((await options({})).headers.get("link")).toBeNull()
    const preflight = { authorization, origin: "https://a", "access-control-request-method": "POST" }
    expect((await options(preflight)).headers.get("link")).toBeNull()
    const action = base === "/whip" ? "publish" : "play"
    expect(asked).toMatchObject([{ action, stream: "live/cam1", token: "s3cret" }, { token: undefined }])
  })

  test("rule 32: refuses too many POSTs with 429 and Retry-After, before anything is done, and never GET and OPTIONS", async () => {
    const { app, requests } = fakeApp({}, { countRequest: () => 1_400 })
    const response = await app.request(path, offer)
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "2"])
    expect(response.headers.get("access-control-allow-origin")).toBe("*")
    expect((await problemOf(response)).code).toBe("http.rate_limited")
    expect(requests).toEqual([])
    for (const method of ["GET", "HEAD", "OPTIONS"]) expect((await app.request(path, { method })).status).toBe(200)
  })

  test("reports a bug and tells the client nothing of it", async () => {
    const fail = () => Promise.reject(new TypeError("secret inside"))
    const { app, bugs } = fakeApp({ publish: fail, play: fail })
    const response = await app.request(path, offer)
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain("secret")
    expect(bugs.map((bug) => bug.message)).toEqual(["secret inside"])
  })
})

describe("counter-offers of /whep", () => {
  const path = "/whep/live/cam1"

  test("rule 36: a counter-offer is 406 with an offer, the session's address and until when it holds", async () => {
    const validUntil = new Date(Date.UTC(2026, 10, 20, 12, 0, 30))
    const { app } = fakeApp(answerWith({ type: "counterOffer", sdp: "v=0\r\noffer", validUntil }))
    const response = await app.request(`http://gateway${path}`, offer)
    expect(response.status).toBe(406)
    expect(response.headers.get("content-type")).toBe('application/sdp; valid-until="Fri, 20 Nov 2026 12:00:30 GMT"')
    expect(response.headers.get("location")).toBe(`http://gateway/sessions/${ANSWER.id}`)
    expect(response.headers.get("accept-patch")).toContain("application/sdp")
    expect(await response.text()).toBe("v=0\r\noffer")
  })

  test.each([
    { name: "names application/sdp", accept: "text/html, Application/SDP;q=0.5", body: "v=0", accepts: true },
    { name: "takes anything", accept: "*/*", body: "v=0", accepts: false },
    { name: "offers nothing", accept: "*/*", body: "", accepts: true },
  ])("rule 36: a player that $name accepts one: $accepts", async ({ accept, body, accepts }) => {
    const { app, requests } = fakeApp()
    await app.request(path, { method: "POST", headers: { ...SDP, accept }, body })
    expect(requests.map(({ acceptsCounterOffer }) => acceptsCounterOffer)).toEqual([accepts])
  })

  test("rule 36: an empty body needs no content type, but none that is wrong", async () => {
    const { app, requests } = fakeApp()
    expect((await app.request(path, { method: "POST" })).status).toBe(201)
    expect(requests).toMatchObject([{ offerSdp: "", acceptsCounterOffer: true }])
    const headers = { "content-type": "text/html" }
    expect((await app.request(path, { method: "POST", headers })).status).toBe(415)
    expect((await app.request("/whip/live/cam1", { method: "POST" })).status).toBe(415)
  })
})
