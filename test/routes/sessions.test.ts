import { describe, expect, test } from "vitest"
import { appWithSession, FRAGMENT, fakeApp, problemOf, SDP, SESSION_URL } from "./support.ts"

const TRICKLE =
  "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"
const RESTART = TRICKLE.replace("EsAw", "NewU")

describe.each(["whip", "whep"] as const)("a session of /%s", (role) => {
  function open() {
    const { app, session } = appWithSession(role)
    const patch = (headers: Record<string, string>, body: string) =>
      app.request(SESSION_URL, { method: "PATCH", headers, body })
    const isOpen = async () => (await app.request(SESSION_URL)).status === 200
    return { app, session, patch, isOpen }
  }

  test("rules 7, 13: ends by DELETE with 200, whatever entity-tag and token come along, and is not found afterwards", async () => {
    const { app } = open()
    const headers = { "if-match": '"other"', authorization: "Bearer anything" }
    const response = await app.request(SESSION_URL, { method: "DELETE", headers })
    expect([response.status, await response.text()]).toEqual([200, ""])
    for (const method of ["DELETE", "GET", "PATCH"]) {
      const headersAfter = { ...FRAGMENT, "if-match": "*" }
      const after = await app.request(SESSION_URL, {
        method,
        headers: headersAfter,
        ...(method === "PATCH" && { body: TRICKLE }),
      })
      expect(after.status).toBe(404)
      expect((await problemOf(after)).code).toBe("session.not_found")
    }
  })

  test("rule 1: answers GET with an empty 200 and HEAD alike", async () => {
    const { app } = open()
    for (const method of ["GET", "HEAD"]) {
      const response = await app.request(SESSION_URL, { method })
      expect([response.status, await response.text()]).toEqual([200, ""])
      expect(response.headers.get("content-length")).toBe("0")
    }
  })

  test("rule 8: answers OPTIONS for a browser that wants to DELETE or PATCH, and refuses other methods", async () => {
    const { app } = open()
    const { status, headers } = await app.request(SESSION_URL, { method: "OPTIONS" })
    expect(status).toBe(200)
    expect(headers.get("access-control-allow-methods")).toMatch(/PATCH.*DELETE/)
    expect(headers.get("access-control-allow-headers")).toContain("If-Match")
    expect(headers.get("accept-patch")).toBe(
      role === "whep" ? "application/trickle-ice-sdpfrag, application/sdp" : "application/trickle-ice-sdpfrag",
    )
    const refused = await app.request(SESSION_URL, { method: "POST" })
    expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD, PATCH, DELETE, OPTIONS"])
  })

  test.each([['"ice-1"'], ['"ice-0", "ice-1"'], ["*"], ['"*"']])(
    "rules 16, 17, 19: takes candidates with If-Match %s: 204, no body, no entity-tag",
    async (tag) => {
      const { patch, session } = open()
      const response = await patch({ ...FRAGMENT, "if-match": tag }, TRICKLE)
      expect([response.status, await response.text(), response.headers.get("etag")]).toEqual([204, "", null])
      expect(session.restarts).toEqual([])
    },
  )

  test("rule 18: drops candidates that are of no use and goes on", async () => {
    const { patch, isOpen } = open()
    const useless = "a=candidate:1 1 sctp 1 no-such.invalid 9 typ host\r\na=candidate:2 1 udp 1 x.local 9 typ host\r\n"
    expect((await patch({ ...FRAGMENT, "if-match": '"ice-1"' }, TRICKLE + useless)).status).toBe(204)
    expect(await isOpen()).toBe(true)
  })

  test.each([
    { name: "rule 14: without If-Match", status: 428, headers: FRAGMENT },
    { name: "rule 14: of another ICE session", status: 412, headers: { ...FRAGMENT, "if-match": '"ice-0"' } },
    { name: "rule 12: with a weak entity-tag", status: 412, headers: { ...FRAGMENT, "if-match": 'W/"ice-1"' } },
    { name: "rule 10: of another type", status: 415, headers: { "content-type": "text/plain", "if-match": "*" } },
    { name: "rule 10: of no type", status: 415, headers: { "if-match": "*" } },
    { name: "rule 10: that is malformed", status: 400, headers: { ...FRAGMENT, "if-match": "*" }, body: "nonsense" },
    { name: "rule 10: that is empty", status: 400, headers: { ...FRAGMENT, "if-match": "*" }, body: "" },
    { name: "that is too long", status: 413, headers: { ...FRAGMENT, "if-match": "*" }, body: "a=".repeat(501) },
  ])("refuses a PATCH ($name) with $status, and the session lives", async ({ status, headers, body = TRICKLE }) => {
    const { patch, session, isOpen } = open()
    const response = await patch(headers as Record<string, string>, body)
    expect((await problemOf(response)).status).toBe(status)
    expect(await isOpen()).toBe(true)
    expect([session.etag, session.restarts]).toEqual(["ice-1", []])
  })

  test.each([["*"], ['"*"'], ['"ice-1"']])(
    "rule 19: restarts ICE with If-Match %s: 200, a fragment and a new entity-tag",
    async (tag) => {
      const { patch, session } = open()
      const response = await patch({ ...FRAGMENT, "if-match": tag }, RESTART)
      expect(response.status).toBe(200)
      expect(response.headers.get("content-type")).toBe("application/trickle-ice-sdpfrag")
      expect(response.headers.get("etag")).toBe('"ice-2"')
      expect(await response.text()).toContain("a=ice-ufrag:newL")
      expect(session.restarts).toEqual([{ ufrag: "NewU", pwd: "P2uYro0UCOQ4zxjKXaWCBui1" }])
    },
  )

  test("rule 16: after a restart the entity-tag of before is of no use, and the new one is", async () => {
    const { patch } = open()
    await patch({ ...FRAGMENT, "if-match": "*" }, RESTART)
    expect((await patch({ ...FRAGMENT, "if-match": '"ice-1"' }, RESTART)).status).toBe(412)
    expect((await patch({ ...FRAGMENT, "if-match": '"ice-2"' }, RESTART)).status).toBe(204)
  })

  test("rule 21: a restart that fails is an error and the session lives", async () => {
    for (const body of [RESTART.replace(/a=ice-pwd.*\r\n/, ""), RESTART.replace(/ice-pwd:\w+/, "ice-pwd:short")]) {
      const { patch, isOpen, session } = open()
      const response = await patch({ ...FRAGMENT, "if-match": "*" }, body)
      expect(response.status).toBe(400)
      expect([await isOpen(), session.etag]).toEqual([true, "ice-1"])
    }
  })

  test("rule 32: counts PATCH and DELETE, on addresses of no session too", async () => {
    const { app } = fakeApp({}, { countRequest: () => 500 })
    for (const method of ["PATCH", "DELETE"]) {
      const response = await app.request("/sessions/guess", { method })
      expect([response.status, response.headers.get("retry-after")]).toEqual([429, "1"])
    }
  })

  test("rule 32: a guessed address finds nothing", async () => {
    const { app, session } = open()
    for (const guess of ["", "x", session.id.slice(0, -1), `${session.id}A`, session.id.toLowerCase()]) {
      expect((await app.request(`/sessions/${guess}`, { method: "DELETE" })).status).toBe(404)
    }
  })
})

describe("answers to counter-offers", () => {
  const answer = (body: string, role: "whip" | "whep" = "whep") => {
    const { app, session } = appWithSession(role)
    return { session, response: app.request(SESSION_URL, { method: "PATCH", headers: SDP, body }) }
  }

  test("rule 37: PATCH with application/sdp takes the player's answer: 204, without If-Match", async () => {
    const { session, response } = answer("v=0\r\nanswer")
    expect((await response).status).toBe(204)
    expect(session.answers).toEqual(["v=0\r\nanswer"])
  })

  test("rule 37: a malformed one is 400", async () => {
    expect((await problemOf(await answer("nonsense").response)).code).toBe("sdp.syntax")
  })

  test("rule 10: a publisher has nothing to answer", async () => {
    const { session, response } = answer("v=0\r\n", "whip")
    expect((await problemOf(await response)).status).toBe(415)
    expect(session.answers).toEqual([])
  })
})
