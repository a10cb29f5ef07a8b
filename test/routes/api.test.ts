import { describe, expect, test } from "vitest"
import type { z } from "zod"
import { Info, Problem, SessionList, SessionSummary, StreamList, StreamSummary } from "../../routes/api/schemas.ts"
import { ADMIN_TOKEN, fakeApp } from "./support.ts"

const CAMERA: StreamSummary = {
  name: "live/cam1",
  state: "live",
  publisher: { protocol: "whip" },
  tracks: [
    { kind: "video", codec: "h264", widthPx: 1280, heightPx: 720 },
    { kind: "audio", codec: "opus", sampleRateHz: 48_000, channels: 2 },
  ],
  layers: [{ rid: "h", widthPx: 1280, heightPx: 720, bitrateBps: 2_000_000 }],
  viewers: 3,
  since: "2026-01-01T00:00:00.000Z",
}
const SECRET: StreamSummary = { ...CAMERA, name: "secret/cam2", state: "waiting", tracks: [], layers: [] }
const VIEWER: SessionSummary = {
  id: "m3Zb0c1Wq9aR",
  protocol: "whep",
  role: "viewer",
  stream: "live/cam1",
  remoteAddress: "192.0.2.7:51234",
  transport: "udp",
  since: "2026-01-01T00:00:00.000Z",
  codecs: ["H.264", "Opus"],
  bytes: 1_000,
  bitrateBps: 1_500_000.5,
  packets: 10,
  lostPackets: 1,
  roundTripMs: 12.5,
  layer: "h",
}
const READER: SessionSummary = {
  id: "Qp0xTz4mB7nL",
  protocol: "rtmp",
  role: "viewer",
  stream: "live/cam1",
  transport: "tcp",
  since: "2026-01-01T00:00:00.000Z",
  codecs: [],
  bytes: 0,
  bitrateBps: 0,
}

function open() {
  const ended: string[] = []
  const end = (known: string) => (id: string) => {
    ended.push(id)
    return id === known
  }
  const { app } = fakeApp({
    streams: () => [CAMERA, SECRET],
    sessions: () => [VIEWER, READER],
    endStream: end(CAMERA.name),
    endSession: end(VIEWER.id),
    playFilter: async (token) => (name) => token === "player" || name.startsWith("live/"),
  })
  const request = async <Schema extends z.ZodType>(path: string, schema: Schema, token?: string, method = "GET") => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const response = await app.request(`/api/v1${path}`, { method, headers })
    const text = await response.text()
    if (text === "") return { status: response.status, headers: response.headers, body: "" }
    const body = schema.parse(JSON.parse(text))
    // Parsing drops what the schema does not name, so this finds members that the document is silent about.
    expect(JSON.parse(text)).toEqual(body)
    return { status: response.status, headers: response.headers, body }
  }
  return { app, request, ended }
}

describe("streams", () => {
  test("are listed for those who may play them", async () => {
    const { request } = open()
    const list = await request("/streams", StreamList)
    expect([list.status, list.body]).toEqual([200, { streams: [CAMERA] }])
    expect(list.headers.get("cache-control")).toBe("no-store")
    expect((await request("/streams", StreamList, "player")).body).toEqual({ streams: [CAMERA, SECRET] })
  })

  test("are found by name; what is not to be played looks like what is not there", async () => {
    const { request } = open()
    expect((await request("/streams/live/cam1", StreamSummary)).body).toEqual(CAMERA)
    const hidden = await request("/streams/secret/cam2", Problem)
    const missing = await request("/streams/live/nobody", Problem)
    expect([hidden.status, hidden.body]).toEqual([404, missing.body])
  })

  test("do not take the token from the query, where it would be in every log", async () => {
    const { request } = open()
    expect((await request("/streams?token=player", StreamList)).body).toEqual({ streams: [CAMERA] })
  })

  test("are ended by administrators only", async () => {
    const { request, ended } = open()
    expect((await request("/streams/live/cam1", Problem, undefined, "DELETE")).status).toBe(401)
    expect((await request("/streams/live/cam1", Problem, "player", "DELETE")).status).toBe(401)
    expect(ended).toEqual([])
    expect((await request("/streams/live/cam1", Problem, ADMIN_TOKEN, "DELETE")).status).toBe(204)
    expect((await request("/streams/live/nobody", Problem, ADMIN_TOKEN, "DELETE")).status).toBe(404)
    expect(ended).toEqual(["live/cam1", "live/nobody"])
  })
})

describe("sessions", () => {
  test("are listed and found for administrators only", async () => {
    const { request } = open()
    expect((await request("/sessions", SessionList, ADMIN_TOKEN)).body).toEqual({ sessions: [VIEWER, READER] })
    expect((await request(`/sessions/${VIEWER.id}`, SessionSummary, ADMIN_TOKEN)).body).toEqual(VIEWER)
    expect((await request("/sessions/nobody", Problem, ADMIN_TOKEN)).status).toBe(404)
    for (const path of ["/sessions", `/sessions/${VIEWER.id}`, "/sessions/nobody"]) {
      const refused = await request(path, Problem)
      expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="whipstitch"'])
    }
  })

  test("are ended by administrators only", async () => {
    const { request, ended } = open()
    expect((await request(`/sessions/${VIEWER.id}`, Problem, undefined, "DELETE")).status).toBe(401)
    expect(ended).toEqual([])
    expect((await request(`/sessions/${VIEWER.id}`, Problem, ADMIN_TOKEN, "DELETE")).status).toBe(204)
    expect((await request("/sessions/nobody", Problem, ADMIN_TOKEN, "DELETE")).status).toBe(404)
  })
})

test("info tells where to publish", async () => {
  expect((await open().request("/info", Info)).body).toEqual({ version: "1.2.3", rtmpPort: 1935 })
})

test("pages of other sites may use the API, other methods are refused", async () => {
  const { app } = open()
  const preflight = await app.request("/api/v1/sessions/x", { method: "OPTIONS" })
  expect(preflight.headers.get("access-control-allow-methods")).toContain("DELETE")
  expect(preflight.headers.get("access-control-allow-headers")).toContain("Authorization")
  for (const path of ["/streams", "/sessions", "/info", "/openapi.json"]) {
    const refused = await app.request(`/api/v1${path}`, { method: "DELETE" })
    expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"])
    expect(refused.headers.get("access-control-allow-origin")).toBe("*")
  }
  expect((await app.request("/api/v1/nothing")).status).toBe(404)
})

describe("openapi.json", () => {
  interface Operation {
    operationId: string
    parameters?: { name: string; in: string; required: boolean; schema: object }[]
    responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>
    security?: Record<string, string[]>[]
  }
  interface Document {
    openapi: string
    info: { title: string; version: string }
    paths: Record<string, Record<string, Operation>>
    components: { schemas: Record<string, object>; securitySchemes: Record<string, object> }
  }
  const read = async () => (await (await open().app.request("/api/v1/openapi.json")).json()) as Document
  const operations = ({ paths }: Document) =>
    Object.entries(paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
    )

  test("is OpenAPI 3.1 and describes every route of the API", async () => {
    const document = await read()
    expect(document.openapi).toMatch(/^3\.1\.\d+$/)
    expect(document.info).toMatchObject({ title: "Whipstitch", version: "1.2.3" })
    const described = operations(document).map(({ path, method }) => `${method.toUpperCase()} ${path}`)
    const { app } = open()
    const served = app.routes
      .filter(({ path, method }) => path.startsWith("/api/v1/") && /^(GET|DELETE|POST|PATCH|PUT)$/.test(method))
      .map(({ path, method }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`)
    expect(new Set(described)).toEqual(new Set(served.filter((route) => !route.endsWith("openapi.json"))))
  })

  test("has unique operation ids, a description for each response, and declares each parameter of a path", async () => {
    const all = operations(await read())
    expect(new Set(all.map(({ operation }) => operation.operationId)).size).toBe(all.length)
    for (const { path, operation } of all) {
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === "path" && parameter.required)
      expect(declared.map(({ name }) => name)).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name))
      for (const [status, { description }] of Object.entries(operation.responses)) {
        expect(status).toMatch(/^[2-5]\d\d$/)
        expect(description).not.toBe("")
      }
    }
  })

  test("refers only to what it holds, and has the API's schemas by name", async () => {
    const document = await read()
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
      ([, reference = ""]) => reference,
    )
    expect(references.length).toBeGreaterThan(10)
    for (const reference of references) {
      const steps = reference.replace(/^#\//, "").split("/")
      expect(
        steps.reduce<unknown>((at, step) => (at as Record<string, unknown>)?.[step], document),
        reference,
      ).toBeDefined()
    }
    expect(Object.keys(document.components.schemas).sort()).toEqual([
      "Info",
      "Layer",
      "Problem",
      "Pull",
      "PullList",
      "Push",
      "PushError",
      "PushList",
      "PushRequest",
      "RecordedFile",
      "Recording",
      "RecordingList",
      "RecordingRequest",
      "Session",
      "SessionList",
      "Stream",
      "StreamList",
      "Track",
    ])
    for (const { operation } of operations(document)) {
      for (const scheme of (operation.security ?? []).flatMap(Object.keys)) {
        expect(document.components.securitySchemes).toHaveProperty(scheme)
      }
    }
  })

  test("says that administrators' requests need a token", async () => {
    const { paths } = await read()
    expect(paths["/api/v1/sessions/{id}"]?.delete?.security).toEqual([{ token: [] }])
    expect(paths["/api/v1/streams"]?.get?.security).toEqual([{}, { token: [] }])
  })
})
