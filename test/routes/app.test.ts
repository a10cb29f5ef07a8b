import { readdirSync, readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { fakeApp } from "./support.ts"

test("is healthy until it closes", async () => {
  const { app } = fakeApp()
  const healthy = await app.request("/health")
  expect([healthy.status, await healthy.json()]).toMatchObject([200, { status: "ok", version: "1.2.3" }])
  const health = { status: "closing", version: "1.2.3", uptimeSeconds: 5, streams: 0, viewers: 0 } as const
  expect((await fakeApp({ health: () => health }).app.request("/health")).status).toBe(503)
})

test("answers unknown addresses with problem details", async () => {
  for (const path of ["/nothing", "/assets/nothing.js", "/assets/..%2F..%2Fpackage.json", "/watch/one"]) {
    const response = await fakeApp().app.request(path)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: "http.not_found", title: "Not Found" })
  }
})

test.each(["/", "/watch/live/cam1", "/publish/live/cam1"])(
  "serves the page %s with all that it names",
  async (path) => {
    const { app } = fakeApp()
    const response = await app.request(path)
    expect(response.status).toBe(200)
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8")
    expect(response.headers.get("x-content-type-options")).toBe("nosniff")
    expect(response.headers.get("content-security-policy")).toContain("script-src 'self';")
    const html = await response.text()
    // Under that policy inline scripts and styles would be dead.
    expect(html).not.toMatch(/<style|<script(?![^>]* src=)| style=| on\w+=/)
    for (const [, asset = ""] of html.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)) {
      expect((await app.request(asset)).status, asset).toBe(200)
    }
  },
)

test("serves every file of the pages that another one names", async () => {
  const { app } = fakeApp()
  const directory = new URL("../../routes/pages/", import.meta.url)
  for (const name of readdirSync(directory).filter((file) => !file.endsWith(".html"))) {
    expect((await app.request(`/assets/${name}`)).status, name).toBe(200)
    for (const [, imported] of readFileSync(new URL(name, directory), "utf8").matchAll(/from "\.\/([\w./-]+)"/g)) {
      expect((await app.request(`/assets/${imported}`)).headers.get("content-type")).toMatch(/^text\/javascript/)
    }
  }
})

test("lets only the player be embedded", async () => {
  const { app } = fakeApp()
  const policy = async (path: string) => (await app.request(path)).headers.get("content-security-policy")
  expect(await policy("/watch/live/cam1")).toContain("frame-ancestors *")
  expect(await policy("/publish/live/cam1")).toContain("frame-ancestors 'self'")
})

test("sends a file again only when it has changed", async () => {
  const { app } = fakeApp()
  const etag = (await app.request("/assets/style.css")).headers.get("etag") ?? ""
  expect((await app.request("/assets/style.css", { headers: { "if-none-match": etag } })).status).toBe(304)
})
