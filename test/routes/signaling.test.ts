import { describe, expect, test } from "vitest"
import { GatewayError } from "../../src/errors.ts"
import { ANSWER, fakeApp, SDP } from "./support.ts"

const refuseWith = (code: ConstructorParameters<typeof GatewayError>[0], message = "no") => ({
  publish: () => Promise.reject(new GatewayError(code, message)),
  play: () => Promise.reject(new GatewayError(code, message)),
})

describe.each(["/whip", "/whep"])("%s", (base) => {
  const path = `${base}/live/cam1`

  test("answers an offer with 201, the answer and the session's address", async () => {
    const { app, requests } = fakeApp()
    const headers = { "content-type": "Application/SDP; charset=utf-8", authorization: "bearer s3cret" }
    const response = await app.request(path, { method: "POST", headers, body: "v=0\r\noffer" })
    expect(response.status).toBe(201)
    expect(await response.text()).toBe(ANSWER.answerSdp)
    expect(response.headers.get("content-type")).toBe("application/sdp")
    expect(response.headers.get("location")).toBe(`/sessions/${ANSWER.id}`)
    expect(response.headers.get("etag")).toBe('"ice-1"')
    expect(response.headers.get("access-control-allow-origin")).toBe("*")
    expect(response.headers.get("access-control-expose-headers")).toMatch(/Location, ETag, Link/)
    expect(requests).toEqual([
      { stream: "live/cam1", offerSdp: "v=0\r\noffer", token: "s3cret", localAddress: "192.0.2.1" },
    ])
  })

  test("takes no other Authorization scheme for a token", async () => {
    const { app, requests } = fakeApp()
    await app.request(path, { method: "POST", headers: { ...SDP, authorization: "Basic abc" }, body: "v=0" })
    expect(requests[0]?.token).toBeUndefined()
  })

  test("answers GET and HEAD empty", async () => {
    for (const method of ["GET", "HEAD"]) {
      const response = await fakeApp().app.request(path, { method })
      expect(response.status).toBe(200)
      expect(response.headers.get("content-type")).toBe("application/sdp")
      expect(await response.text()).toBe("")
    }
  })

  test("tells in OPTIONS what it takes, for CORS too", async () => {
    const { status, headers } = await fakeApp().app.request(path, { method: "OPTIONS" })
    expect(status).toBe(200)
    expect(headers.get("accept-post")).toBe("application/sdp")
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
  ])("refuses $name", async ({ status, code, headers, method = "POST", body = "v=0", path: at = path }) => {
    const response = await fakeApp().app.request(at, { method, headers: headers as Record<string, string>, body })
    expect(response.status).toBe(status)
    expect(response.headers.get("content-type")).toBe("application/problem+json")
    expect(response.headers.get("access-control-allow-origin")).toBe("*")
    expect(await response.json()).toMatchObject({ type: "about:blank", status, code, title: expect.any(String) })
  })

  test("hands names over decoded, for the service to refuse", async () => {
    const { app, requests } = fakeApp()
    await app.request(`${base}/live/a%2F..%2Fb`, { method: "POST", headers: SDP, body: "v=0" })
    expect(requests[0]?.stream).toBe("live/a/../b")
  })

  test.each([
    { code: "stream.name", status: 400 },
    { code: "stream.busy", status: 409 },
    { code: "sdp.syntax", status: 400 },
    { code: "sdp.unsupported", status: 422 },
    { code: "session.limit", status: 503 },
    { code: "gateway.closing", status: 503 },
  ] as const)("answers $code with $status and the reason", async ({ code, status }) => {
    const { app, bugs } = fakeApp(refuseWith(code, "because"))
    const response = await app.request(path, { method: "POST", headers: SDP, body: "v=0" })
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ code, status, detail: "because" })
    expect(bugs).toEqual([])
  })

  test("says when to come back for a stream that is not live", async () => {
    const { app } = fakeApp(refuseWith("stream.not_live"))
    const response = await app.request(path, { method: "POST", headers: SDP, body: "v=0" })
    expect(response.status).toBe(409)
    expect(response.headers.get("retry-after")).toBe("2")
  })

  test("reports a bug and tells the client nothing of it", async () => {
    const { app, bugs } = fakeApp({
      publish: () => Promise.reject(new TypeError("secret inside")),
      play: () => Promise.reject(new TypeError("secret inside")),
    })
    const response = await app.request(path, { method: "POST", headers: SDP, body: "v=0" })
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain("secret")
    expect(bugs.map((bug) => bug.message)).toEqual(["secret inside"])
  })
})

describe("a session", () => {
  const path = `/sessions/${ANSWER.id}`
  const fragment =
    "a=ice-ufrag:EsAw\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"
  const patch = (headers: Record<string, string>, body = fragment, at = path) =>
    fakeApp().app.request(at, {
      method: "PATCH",
      headers: { "content-type": "application/trickle-ice-sdpfrag", ...headers },
      body,
    })

  test("ends by DELETE with 200, whatever entity-tag is named, and is not found afterwards", async () => {
    const { app, ended } = fakeApp()
    const response = await app.request(path, { method: "DELETE", headers: { "if-match": '"other"' } })
    expect(response.status).toBe(200)
    expect(ended).toEqual([ANSWER.id])
    expect((await app.request("/sessions/other", { method: "DELETE" })).status).toBe(404)
  })

  test.each([['"ice-1"'], ['"ice-0", "ice-1"'], ["*"], ['"*"']])("takes candidates with If-Match %s", async (tag) => {
    const response = await patch({ "if-match": tag })
    expect(response.status).toBe(204)
    expect(response.headers.get("etag")).toBeNull()
  })

  test.each([
    { name: "without If-Match", status: 428, headers: {} },
    { name: "of another ICE session", status: 412, headers: { "if-match": '"ice-0"' } },
    { name: "of another type", status: 415, headers: { "if-match": "*", "content-type": "application/sdp" } },
    { name: "that is malformed", status: 400, headers: { "if-match": "*" }, body: "nonsense" },
    { name: "that restarts ICE", status: 422, headers: { "if-match": "*" }, body: fragment.replace("EsAw", "NewU") },
    { name: "of no session", status: 404, headers: { "if-match": "*" }, at: "/sessions/other" },
  ])("refuses a PATCH $name with $status", async ({ status, headers, body, at }) => {
    const response = await patch(headers as Record<string, string>, body, at)
    expect(response.status).toBe(status)
    expect(response.headers.get("content-type")).toBe("application/problem+json")
  })

  test("answers GET empty and OPTIONS for a browser that wants to DELETE", async () => {
    const { app } = fakeApp()
    expect(await (await app.request(path)).text()).toBe("")
    const { headers } = await app.request(path, { method: "OPTIONS" })
    expect(headers.get("access-control-allow-methods")).toContain("DELETE")
    expect((await app.request(path, { method: "POST" })).headers.get("allow")).toContain("PATCH")
  })
})
