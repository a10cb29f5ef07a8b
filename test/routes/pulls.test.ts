import { expect, test } from "vitest"
import { PullList, type PullSummary } from "../../routes/api/pull-schemas.ts"
import { Problem } from "../../routes/api/schemas.ts"
import { ADMIN_TOKEN, fakeApp } from "./support.ts"

const PULLS: PullSummary[] = [
  { stream: "live/*", origin: "rtmp://origin/live/{stream}", onDemand: true, state: "idle" },
  {
    stream: "live/cam1",
    origin: "rtmp://origin/live/cam1",
    onDemand: true,
    state: "failed",
    since: "2026-01-01T00:00:00.000Z",
    lastError: { code: "rtmp.unreachable", message: "nothing answers" },
  },
]

const { app } = fakeApp({ pulls: () => PULLS })

function request(token?: string, method = "GET"): Promise<Response> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return Promise.resolve(app.request("/api/v1/pulls", { method, headers }))
}

test("administrators see all pulls as the schema describes them", async () => {
  const response = await request(ADMIN_TOKEN)
  expect(response.status).toBe(200)
  expect(PullList.parse(await response.json())).toEqual({ pulls: PULLS })
  expect(response.headers.get("cache-control")).toBe("no-store")
})

test.each([
  { token: undefined, status: 401 },
  { token: "another", status: 401 },
])("nobody else does ($token)", async ({ token, status }) => {
  const response = await request(token)
  expect(response.status).toBe(status)
  expect(Problem.parse(await response.json())).toMatchObject({ status })
})

test("there is no other method, and the document of the API tells of this one", async () => {
  const response = await request(ADMIN_TOKEN, "POST")
  expect(response.status).toBe(405)
  expect(response.headers.get("allow")).toContain("GET")
  const document = await (await app.request("/api/v1/openapi.json")).json()
  expect(document).toMatchObject({ paths: { "/api/v1/pulls": { get: { operationId: "listPulls" } } } })
})
