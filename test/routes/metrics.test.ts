import { expect, test } from "vitest"
import { GatewayError } from "../../src/errors.ts"
import { fakeApp } from "./support.ts"

const FAMILY = { name: "whipstitch_streams", help: "streams", type: "gauge" as const, samples: [{ value: 2 }] }

test("metrics are given in the text format, by GET only", async () => {
  const { app } = fakeApp({ metrics: () => [FAMILY] })
  const response = await app.request("/metrics")
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8")
  expect(await response.text()).toBe(
    "# HELP whipstitch_streams streams\n# TYPE whipstitch_streams gauge\nwhipstitch_streams 2\n",
  )
  expect((await app.request("/metrics", { method: "POST" })).status).toBe(405)
})

test("metrics are for those whom the gateway lets", async () => {
  const asked: (string | undefined)[] = []
  const requireMetricsAccess = async (token: string | undefined) => {
    asked.push(token)
    if (token !== "admin") throw new GatewayError("access.required", "administrators only")
  }
  const { app } = fakeApp({ metrics: () => [FAMILY], requireMetricsAccess })
  expect((await app.request("/metrics")).status).toBe(401)
  expect((await app.request("/metrics?token=admin")).status).toBe(401)
  expect((await app.request("/metrics", { headers: { authorization: "Bearer admin" } })).status).toBe(200)
  expect(asked).toEqual([undefined, undefined, "admin"])
})
