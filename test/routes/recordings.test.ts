import { expect, test } from "vitest"
import { RecordingList, type RecordingRequest, RecordingSummary } from "../../routes/api/recording-schemas.ts"
import { GatewayError } from "../../src/errors.ts"
import { ADMIN_TOKEN, fakeApp, JSON_BODY, problemOf } from "./support.ts"

const RUNNING: RecordingSummary = {
  id: "m3Zb0c1Wq9aR",
  stream: "live/cam1",
  cause: "api",
  state: "recording",
  since: "2026-01-01T00:00:00.000Z",
  bytes: 1_000,
  files: [{ name: "live/cam1/2026-01-01_00-00-00.flv", state: "recording", bytes: 1_000, durationMs: 40 }],
}
const FAILED: RecordingSummary = {
  ...RUNNING,
  id: "Qp0xTz4mB7nL",
  state: "failed",
  error: { code: "recording.failed", detail: "the disk is full" },
}

function open() {
  const requests: (RecordingRequest | string)[] = []
  const { app } = fakeApp({
    recordings: () => [FAILED, RUNNING],
    startRecording: (request) => {
      requests.push(request)
      if (request.stream === "live/nobody") throw new GatewayError("stream.not_live", "nobody publishes it")
      return RUNNING
    },
    stopRecording: (id) => {
      requests.push(id)
      return id === RUNNING.id
    },
  })
  const request = (path: string, method = "GET", body?: unknown, headers: Record<string, string> = {}) =>
    app.request(`/api/v1/recordings${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...(body !== undefined && JSON_BODY), ...headers },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    })
  return { request, requests }
}

test("recordings are listed, and found by their id", async () => {
  const { request } = open()
  const list = await (await request("")).json()
  expect(RecordingList.parse(list)).toEqual({ recordings: [FAILED, RUNNING] })
  expect(RecordingSummary.parse(await (await request(`/${FAILED.id}`)).json())).toEqual(FAILED)
  expect(await problemOf(await request("/nobody"))).toMatchObject({ status: 404, code: "recording.not_found" })
})

test("a recording is started, and ended", async () => {
  const { request, requests } = open()
  const wanted = { stream: "live/cam1", template: "{stream}.flv", audio: "published", maxFileBytes: 1_000_000 }
  const started = await request("", "POST", wanted)
  expect([started.status, started.headers.get("location")]).toEqual([201, `/api/v1/recordings/${RUNNING.id}`])
  expect(await started.json()).toEqual(RUNNING)
  expect((await request(`/${RUNNING.id}`, "DELETE")).status).toBe(204)
  expect((await request(`/${FAILED.id}`, "DELETE")).status).toBe(404)
  expect(requests).toEqual([wanted, RUNNING.id, FAILED.id])
  expect(await problemOf(await request("", "POST", { stream: "live/nobody" }))).toMatchObject({ status: 409 })
})

test.each([
  { what: "no JSON", body: "{", status: 400, code: "http.json" },
  { what: "no stream", body: {}, status: 400, code: "http.json" },
  { what: "an unknown key", body: { stream: "live/cam1", folder: "/etc" }, status: 400, code: "http.json" },
  { what: "a bound below 0", body: { stream: "live/cam1", maxFileBytes: -1 }, status: 400, code: "http.json" },
  { what: "a huge body", body: { stream: "x".repeat(10_000) }, status: 413, code: "http.too_large" },
])("a request with $what is refused", async ({ body, status, code }) => {
  const { request, requests } = open()
  expect(await problemOf(await request("", "POST", body))).toMatchObject({ status, code })
  expect(requests).toEqual([])
})

test("only JSON is taken, and only from administrators, whose bodies alone are read", async () => {
  const { request, requests } = open()
  const asText = await request("", "POST", "{}", { "content-type": "text/plain" })
  expect((await problemOf(asText)).status).toBe(415)
  for (const [path, method, body] of [
    ["", "GET"],
    ["", "POST", "{"],
    [`/${RUNNING.id}`, "GET"],
    [`/${RUNNING.id}`, "DELETE"],
  ] as const) {
    expect(await problemOf(await request(path, method, body, { authorization: "" }))).toMatchObject({
      status: 401,
      code: "access.required",
    })
  }
  expect(requests).toEqual([])
  expect(await problemOf(await request("", "DELETE"))).toMatchObject({ status: 405, code: "http.method" })
})
