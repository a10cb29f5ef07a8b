import { expect, test } from "vitest"
import { GatewayError } from "../../src/errors.ts"
import { fakeApp, SDP } from "./support.ts"

const full = async () => {
  throw new GatewayError("session.limit", "there are 2000 WebRTC sessions already")
}
const post = { method: "POST", headers: SDP, body: "v=0\r\n" }

test("rules 27 and 41: a full gateway sends WHIP and WHEP clients on with 307, path and query kept", async () => {
  const { app } = fakeApp({ publish: full, play: full }, { overflowUrl: "https://two.example.org/edge" })
  for (const path of ["/whip/live/cam1", "/whep/live/cam1?token=t"]) {
    const response = await app.request(path, post)
    expect([response.status, response.headers.get("location")]).toEqual([307, `https://two.example.org/edge${path}`])
    expect(response.headers.get("access-control-allow-origin")).toBe("*")
    expect(await response.text()).toBe("")
  }
})

test("rules 27 and 41: without another gateway it answers 503 with Retry-After", async () => {
  const response = await fakeApp({ play: full }).app.request("/whep/live/cam1", post)
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, "10"])
})

test("other refusals are this gateway's own", async () => {
  const refuse = async () => {
    throw new GatewayError("access.denied", "not this stream")
  }
  const { app } = fakeApp({ play: refuse }, { overflowUrl: "https://two.example.org" })
  expect((await app.request("/whep/live/cam1", post)).status).toBe(403)
})
