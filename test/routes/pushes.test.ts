import { expect, test } from "vitest"
import { PushList, PushSummary } from "../../routes/api/push-schemas.ts"
import { GatewayError } from "../../src/errors.ts"
import { ADMIN_TOKEN, fakeApp, JSON_BODY } from "./support.ts"

const PUSH: PushSummary = {
  id: "m3Zb0c1Wq9aR",
  stream: "live/cam1",
  target: "rtmps://ingest.example.com/app/…",
  source: "config",
  state: "failed",
  since: "2026-01-01T00:00:00.000Z",
  retryInMs: 4_000,
  lastError: { code: "rtmp.refused", message: "the stream key is wrong", at: "2026-01-01T00:00:00.000Z" },
  attempts: 2,
  errors: 1,
  bytes: 10,
  bitrateBps: 1.5,
  droppedFrames: 0,
}
const REQUEST = { stream: "live/*", url: "rtmp://b.example/app/{stream}?key=k" }

function open() {
  const added: unknown[] = []
  const { app } = fakeApp({
    pushes: () => [PUSH],
    addPush: (request) => {
      added.push(request)
      if (request.url === "bad") throw new GatewayError("rtmp.url", "the address must look like …")
      return PUSH
    },
    removePush: (id) => id === PUSH.id,
  })
  const call = (
    method: string,
    path = "",
    body?: string,
    token: string | undefined = ADMIN_TOKEN,
    headers = JSON_BODY,
  ) => {
    const authorization = token === "" ? {} : { authorization: `Bearer ${token}` }
    const content = body === undefined ? {} : { body }
    return app.request(`/api/v1/pushes${path}`, { method, headers: { ...headers, ...authorization }, ...content })
  }
  return { call, added }
}

test("administrators list, add and end pushes", async () => {
  const { call, added } = open()
  const list = await (await call("GET")).json()
  expect(PushList.parse(list)).toEqual({ pushes: [PUSH] })
  expect(list).toEqual({ pushes: [PUSH] })
  const created = await call("POST", "", JSON.stringify(REQUEST))
  expect([created.status, created.headers.get("location")]).toEqual([201, `/api/v1/pushes/${PUSH.id}`])
  expect(PushSummary.parse(await created.json())).toEqual(PUSH)
  expect(added).toEqual([REQUEST])
  expect((await call("DELETE", `/${PUSH.id}`)).status).toBe(204)
  expect((await call("DELETE", "/nothing")).status).toBe(404)
})

test("others do nothing of it", async () => {
  const { call, added } = open()
  for (const token of ["", "player"]) {
    const statuses = [
      call("GET", "", undefined, token),
      call("POST", "", "{", token),
      call("DELETE", `/${PUSH.id}`, undefined, token),
    ]
    expect((await Promise.all(statuses)).map(({ status }) => status)).toEqual([401, 401, 401])
  }
  expect(added).toEqual([])
})

test.each([
  ["what is no JSON", "{", 400],
  ["another name", JSON.stringify({ ...REQUEST, stream: "cam1" }), 400],
  ["an unknown member", JSON.stringify({ ...REQUEST, key: "k" }), 400],
  ["an address that cannot be read", JSON.stringify({ ...REQUEST, url: "bad" }), 400],
  ["too much", JSON.stringify({ ...REQUEST, url: "x".repeat(9_000) }), 413],
])("%s is refused with problem details", async (_, body, status) => {
  const response = await open().call("POST", "", body)
  expect([response.status, response.headers.get("content-type")]).toEqual([status, "application/problem+json"])
})

test("a body that does not say that it is JSON is refused", async () => {
  const response = await open().call("POST", "", JSON.stringify(REQUEST), ADMIN_TOKEN, { "content-type": "text/plain" })
  expect(response.status).toBe(415)
})
