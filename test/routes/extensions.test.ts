import { describe, expect, test, vi } from "vitest"
import { appWithSession, JSON_BODY, problemOf, SESSION_URL } from "./support.ts"

const EVENTS_URL = `http://gateway${SESSION_URL}/events`
const LAYERS_URL = `${SESSION_URL}/layers`

describe("events of a viewer's session", () => {
  function open() {
    const { app, session } = appWithSession("whep")
    const post = (body: string, headers: Record<string, string> = JSON_BODY) =>
      app.request(EVENTS_URL, { method: "POST", headers, body })
    return { app, session, post }
  }
  async function openFeed(names: string[]) {
    const { app, session, post } = open()
    const url = (await post(JSON.stringify(names))).headers.get("location") as string
    return { app, session, url }
  }

  test("rule 44: POST with the names of events gives 201 and the feed's address", async () => {
    const response = await open().post('["active","viewercount"]')
    expect([response.status, response.headers.get("location")]).toEqual([201, `${EVENTS_URL}/feed-1`])
    expect(response.headers.get("access-control-expose-headers")).toContain("Location")
  })

  test("rule 44: POST without a body asks for all events", async () => {
    const { app, session } = open()
    const { headers } = await app.request(EVENTS_URL, { method: "POST" })
    session.feeds.push({ type: "inactive", data: {} })
    expect(await firstEvents(await app.request(headers.get("location") as string), 1)).toEqual([
      "event: inactive\ndata: {}",
    ])
  })

  test.each([
    { name: "an unknown event", body: '["active","weather"]' },
    { name: "an event that is not advertised", body: '["reconnect"]' },
    { name: "an object", body: '{"active":true}' },
    { name: "no JSON", body: "active" },
    { name: "a very long list", body: JSON.stringify(Array(17).fill("active")) },
    { name: "another type", body: '["active"]', headers: { "content-type": "text/plain" }, status: 415 },
  ])("rule 44: $name gets 4xx and no feed", async ({ body, headers = JSON_BODY, status = 400 }) => {
    const { app, post } = open()
    expect((await problemOf(await post(body, headers))).status).toBe(status)
    expect((await app.request(`${EVENTS_URL}/feed-1`)).status).toBe(404)
  })

  test("rule 45: GET sends each event with one data line of JSON, and those only that were asked for", async () => {
    const { app, session, url } = await openFeed(["viewercount"])
    session.feeds.push({ type: "viewercount", data: { viewercount: 3, note: "two\nlines" } })
    const response = await app.request(url)
    expect(response.headers.get("content-type")).toBe("text/event-stream")
    expect(response.headers.get("cache-control")).toBe("no-store")
    session.feeds.push({ type: "active", data: {} })
    session.feeds.push({ type: "viewercount", data: { viewercount: 4 } })
    expect(await firstEvents(response, 2)).toEqual([
      'event: viewercount\ndata: {"viewercount":3,"note":"two\\nlines"}',
      'event: viewercount\ndata: {"viewercount":4}',
    ])
  })

  test("rule 45: a reader that leaves loses nothing of what comes until it is back", async () => {
    const { app, session, url } = await openFeed(["active"])
    await firstEvents(await app.request(url), 0)
    session.feeds.push({ type: "active", data: {} })
    expect(await firstEvents(await app.request(url), 1)).toEqual(["event: active\ndata: {}"])
  })

  test("rule 45: DELETE ends the feed and its reader, later reads are 404", async () => {
    const { app, url } = await openFeed(["active"])
    const reading = textOf(app.request(url))
    expect((await app.request(url, { method: "DELETE" })).status).toBe(200)
    expect(await reading).toBe(": events follow\n\n")
    expect((await problemOf(await app.request(url))).status).toBe(404)
    expect((await app.request(url, { method: "DELETE" })).status).toBe(404)
  })

  test("rule 45: all feeds end with the session", async () => {
    const { app, url } = await openFeed(["active"])
    const reading = textOf(app.request(url))
    await app.request(SESSION_URL, { method: "DELETE" })
    expect(await reading).toBe(": events follow\n\n")
    expect((await app.request(url)).status).toBe(404)
  })

  test("a reader that does not read is cut off", async () => {
    const { app, session, url } = await openFeed(["layers"])
    const response = await app.request(url)
    const data = { 0: [{ rid: "x".repeat(1_000) }] }
    for (let i = 0; i < 200; i++) session.feeds.push({ type: "layers", data })
    const text = await response.text()
    expect(text.length).toBeGreaterThan(60_000)
    expect(text.length).toBeLessThan(70_000)
  })

  test("a comment now and then keeps proxies from closing a quiet feed", async () => {
    vi.useFakeTimers()
    try {
      const { app, session, url } = await openFeed(["active"])
      const reading = textOf(app.request(url))
      await vi.advanceTimersByTimeAsync(31_000)
      session.feeds.end()
      expect(await reading).toBe(": events follow\n\n: still here\n\n: still here\n\n")
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  test("HEAD takes no events from the feed", async () => {
    const { app, session, url } = await openFeed(["active"])
    session.feeds.push({ type: "active", data: {} })
    expect((await app.request(url, { method: "HEAD" })).headers.get("content-type")).toBe("text/event-stream")
    expect(await firstEvents(await app.request(url), 1)).toHaveLength(1)
  })

  test("too many feeds are refused with 503, other methods with 405", async () => {
    const { app, post } = open()
    const statuses: number[] = []
    for (let i = 0; i < 5; i++) statuses.push((await post('["active"]')).status)
    expect(statuses).toEqual([201, 201, 201, 201, 503])
    expect((await app.request(EVENTS_URL)).headers.get("allow")).toBe("POST, OPTIONS")
    expect((await app.request(`${EVENTS_URL}/feed-1`, { method: "PUT" })).status).toBe(405)
  })

  test("a publisher's session has none", async () => {
    const { app } = appWithSession("whip")
    const response = await app.request(EVENTS_URL, { method: "POST", headers: JSON_BODY, body: '["active"]' })
    expect((await problemOf(response)).code).toBe("http.not_found")
    expect((await app.request(LAYERS_URL)).status).toBe(404)
  })
})

describe("layers of a viewer's session", () => {
  async function select(body: string, headers: Record<string, string> = JSON_BODY) {
    const { app, session } = appWithSession("whep")
    return { session, response: await app.request(LAYERS_URL, { method: "POST", headers, body }) }
  }

  test("rule 46: GET lists them as the layers event does, by m-line", async () => {
    const response = await appWithSession("whep").app.request(LAYERS_URL)
    expect(await response.json()).toEqual({
      1: [
        { rid: "h", bitrate: 2_000_000, width: 1280, height: 720 },
        { rid: "l", bitrate: 200_000, width: 320, height: 180 },
      ],
    })
  })

  test.each([
    { body: { mediaId: "1", rid: "h" }, constraint: { rid: "h" } },
    { body: { mediaId: 1, encodingId: "l" }, constraint: { rid: "l" } },
    { body: { rid: "h", spatialLayerId: 0, temporalLayerId: 0, maxTemporalLayerId: 2 }, constraint: { rid: "h" } },
    { body: { maxWidth: 640, maxHeight: 360 }, constraint: { maxWidthPx: 640, maxHeightPx: 360 } },
    { body: { mediaId: "1" }, constraint: {} },
    { body: {}, constraint: {} },
  ])("rule 46: POST $body selects $constraint", async ({ body, constraint }) => {
    const { session, response } = await select(JSON.stringify(body))
    expect(response.status).toBe(200)
    expect(session.constraints).toEqual([constraint])
  })

  test.each([
    { name: "an unknown layer", status: 422, body: '{"rid":"nowhere"}' },
    { name: "a layer inside an encoding", status: 422, body: '{"rid":"h","spatialLayerId":1}' },
    { name: "another m-line", status: 422, body: '{"mediaId":"0","rid":"h"}' },
    { name: "a negative width", status: 400, body: '{"maxWidth":-1}' },
    { name: "a list", status: 400, body: "[]" },
    { name: "no JSON", status: 400, body: "{" },
    { name: "another type", status: 415, body: "{}", headers: { "content-type": "text/plain" } },
  ])("rule 46: refuses $name with $status", async ({ status, body, headers = JSON_BODY }) => {
    const { session, response } = await select(body, headers)
    expect((await problemOf(response)).status).toBe(status)
    expect(session.constraints).toEqual([])
  })
})

async function textOf(response: Response | Promise<Response>): Promise<string> {
  return (await response).text()
}

/** Reads so many events, comments left out, and goes away. */
async function firstEvents(response: Response, count: number): Promise<string[]> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  const decoder = new TextDecoder()
  let text = ""
  const events = () => text.split("\n\n").filter((event) => event !== "" && !event.startsWith(":"))
  while (events().length < count) {
    const { value, done } = await reader.read()
    if (done) break
    text += decoder.decode(value)
  }
  await reader.cancel()
  return events()
}
