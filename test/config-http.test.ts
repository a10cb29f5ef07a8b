import { expect, test } from "vitest"
import { loadConfig } from "../src/config.ts"
import type { GatewayError } from "../src/errors.ts"

function refusal(http: object): string {
  try {
    loadConfig({ http }, {})
  } catch (error) {
    return (error as GatewayError).message
  }
  return "none"
}

test("HTTPS is set by two variables", () => {
  const env = { WHIPSTITCH_HTTP__TLS__CERT_FILE: "/etc/cert.pem", WHIPSTITCH_HTTP__TLS__KEY_FILE: "/etc/key.pem" }
  expect(loadConfig({}, env).http.tls).toEqual({ certFile: "/etc/cert.pem", keyFile: "/etc/key.pem" })
  expect(loadConfig({}, {}).http.tls).toEqual({ certFile: "", keyFile: "" })
})

test("proxies are addresses and networks", () => {
  const env = { WHIPSTITCH_HTTP__TRUSTED_PROXIES: "10.0.0.1, 10.1.0.0/16, 2001:db8::/32" }
  expect(loadConfig({}, env).http.trustedProxies).toEqual(["10.0.0.1", "10.1.0.0/16", "2001:db8::/32"])
})

test("a slash at the end of the public address does not count", () => {
  const { http } = loadConfig({ http: { publicUrl: "https://live.example.org/video/" } }, {})
  expect(http.publicUrl).toBe("https://live.example.org/video")
})

test.each([
  { name: "a certificate without its key", http: { tls: { certFile: "/etc/cert.pem" } }, names: /http\.tls/ },
  { name: "a proxy by name", http: { trustedProxies: ["proxy.local"] }, names: /http\.trustedProxies/ },
  { name: "a network that is none", http: { trustedProxies: ["10.0.0.0/33"] }, names: /http\.trustedProxies/ },
  { name: "a public address with a query", http: { publicUrl: "https://a?b" }, names: /http\.publicUrl/ },
  { name: "a public address of another scheme", http: { publicUrl: "ftp://a" }, names: /http\.publicUrl/ },
])("$name is refused by name", ({ http, names }) => {
  expect(refusal(http)).toMatch(names)
})
