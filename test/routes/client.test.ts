import { describe, expect, test } from "vitest"
import type { AppOptions } from "../../routes/app.ts"
import { fakeApp, SDP } from "./support.ts"

const PROXY = "10.0.0.2"

/** Posts an offer that came from an address, and tells what the gateway took from its headers. */
async function post(headers: Record<string, string>, options: Partial<AppOptions> = {}, peer = PROXY) {
  const counted: string[] = []
  const { app, requests } = fakeApp(
    {},
    {
      trustedProxies: ["10.0.0.0/24", "2001:db8::1"],
      connection: () => ({ localAddress: "10.0.0.1", remoteAddress: peer }),
      countRequest: (address) => void counted.push(address),
      ...options,
    },
  )
  const response = await app.request("http://inside:8080/whip/live/cam1", {
    method: "POST",
    headers: { ...SDP, ...headers },
    body: "v=0",
  })
  const [request] = requests
  return {
    origin: response.headers.get("location")?.replace(/\/sessions\/.*/, ""),
    remoteAddress: request?.remoteAddress,
    localAddress: request?.localAddress,
    counted: counted[0],
  }
}

describe("rule 3: Location is absolute, behind a proxy that ends TLS too", () => {
  test.each([
    {
      name: "X-Forwarded headers",
      headers: {
        "x-forwarded-for": "192.0.2.7",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "live.example.org",
      },
    },
    { name: "Forwarded", headers: { forwarded: "for=192.0.2.7;proto=https;host=live.example.org" } },
    {
      name: "Forwarded in quotes, with a port",
      headers: { forwarded: 'For="192.0.2.7:4711"; Proto=HTTPS; Host="live.example.org"' },
    },
    {
      name: "several trusted proxies",
      headers: {
        "x-forwarded-for": "192.0.2.7, 10.0.0.9",
        "x-forwarded-proto": "https, http",
        "x-forwarded-host": "live.example.org, inner:80",
      },
    },
    {
      name: "a proxy that adds to one header and overwrites the others",
      headers: {
        "x-forwarded-for": "203.0.113.66, 192.0.2.7",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "live.example.org",
      },
    },
  ])("$name", async ({ headers }) => {
    const proxyHeaders = "forwarded" in headers ? "forwarded" : "x-forwarded"
    expect(await post(headers as Record<string, string>, { proxyHeaders })).toEqual({
      origin: "https://live.example.org",
      remoteAddress: "192.0.2.7",
      // The proxy's connection ends at an address that may not lead here from the client.
      localAddress: undefined,
      counted: "192.0.2.7",
    })
  })

  test("http.publicUrl stands above what requests say, its path included", async () => {
    const publicUrl = "https://live.example.org/video"
    const { origin } = await post({ "x-forwarded-host": "other.example.org" }, { publicUrl })
    expect(origin).toBe(publicUrl)
  })

  test("a host that cannot be one is left out", async () => {
    for (const host of ["a b", "a/b", "a@b", "<a>", ""]) {
      const { origin } = await post({ "x-forwarded-host": host, "x-forwarded-proto": "https" })
      expect(origin).toBe("https://inside:8080")
    }
    expect((await post({ "x-forwarded-proto": "gopher" })).origin).toBe("http://inside:8080")
  })
})

describe("headers of those who are no trusted proxy", () => {
  const headers = {
    "x-forwarded-for": "192.0.2.7",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "evil.example.org",
    forwarded: "for=192.0.2.7;proto=https;host=evil.example.org",
  }
  test.each(["198.51.100.7", "10.0.1.2", "2001:db8::2", "nonsense"])("change nothing for %s", async (peer) => {
    const seen = await post(headers, {}, peer)
    expect(seen).toEqual({
      origin: "http://inside:8080",
      remoteAddress: peer,
      localAddress: "10.0.0.1",
      counted: peer,
    })
  })

  test("nothing is believed where no proxy is configured", async () => {
    expect((await post(headers, { trustedProxies: [] })).remoteAddress).toBe(PROXY)
  })

  test("what a client adds on the left is not taken for its address", async () => {
    const spoofed = { "x-forwarded-for": "10.0.0.5, 1.1.1.1, 192.0.2.7, 10.0.0.9" }
    expect((await post(spoofed)).remoteAddress).toBe("192.0.2.7")
  })

  test("headers that the proxy does not write are the client's, though they come by the proxy", async () => {
    const { forwarded, ...xForwarded } = headers
    expect(await post({ forwarded })).toMatchObject({ remoteAddress: PROXY, origin: "http://inside:8080" })
    const other = await post(xForwarded, { proxyHeaders: "forwarded" })
    expect(other).toMatchObject({ remoteAddress: PROXY, origin: "http://inside:8080" })
  })

  test("an IPv4 proxy is known at a socket for both families", async () => {
    expect((await post(headers, {}, "::ffff:10.0.0.2")).remoteAddress).toBe("192.0.2.7")
  })

  test.each([
    { forwarded: 'for="[2001:db8:cafe::17]:4711"', address: "2001:db8:cafe::17" },
    { forwarded: "for=192.0.2.7, for=10.0.0.9", address: "192.0.2.7" },
    { forwarded: "for=unknown", address: PROXY },
    { forwarded: "for=_hidden", address: PROXY },
    { forwarded: ",;=,", address: PROXY },
    { forwarded: `for=${"1".repeat(3_000)}`, address: PROXY },
  ])("Forwarded: $forwarded", async ({ forwarded, address }) => {
    expect((await post({ forwarded }, { proxyHeaders: "forwarded" })).remoteAddress).toBe(address)
  })
})
