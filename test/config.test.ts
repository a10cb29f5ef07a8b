import { describe, expect, test } from "vitest"
import { loadConfig } from "../src/config.ts"
import type { GatewayError } from "../src/errors.ts"

function messageOf(file: unknown, env: Record<string, string> = {}): string {
  try {
    loadConfig(file, env)
  } catch (error) {
    expect((error as GatewayError).code).toBe("config.invalid")
    return (error as GatewayError).message
  }
  return "no error"
}

describe("layers", () => {
  test("without a file and variables the documented ports are the defaults", () => {
    const { http, rtmp, media } = loadConfig({}, {})
    expect([http.port, rtmp.port, media.port]).toEqual([8080, 1935, 8000])
  })

  test("a variable wins over the file, and the rest of its section stays", () => {
    const file = { rtmp: { port: 1, idleTimeoutMs: 2 } }
    const { rtmp } = loadConfig(file, { WHIPSTITCH_RTMP__IDLE_TIMEOUT_MS: "5000" })
    expect([rtmp.port, rtmp.idleTimeoutMs]).toEqual([1, 5000])
    expect(file).toEqual({ rtmp: { port: 1, idleTimeoutMs: 2 } })
  })

  test("a list in a variable is parted by commas", () => {
    const env = { WHIPSTITCH_MEDIA__PUBLIC_ADDRESSES: "192.0.2.1, 2001:db8::1" }
    expect(loadConfig({}, env).media.publicAddresses).toEqual(["192.0.2.1", "2001:db8::1"])
  })

  test("other programs' variables and empty ones are left alone", () => {
    expect(messageOf({}, { PATH: "/bin", WHIPSTITCH_HTTP__PORT: "" })).toBe("no error")
  })
})

describe("mistakes name their key", () => {
  test.each([
    { name: "a mistyped key", file: { rtmp: { prot: 1935 } }, names: /prot/ },
    { name: "a mistyped section", file: { rtpm: {} }, names: /rtpm/ },
    { name: "a port that is none", file: { http: { port: 70_000 } }, names: /http\.port/ },
    { name: "a word for a number", file: { hub: { maxStreams: "many" } }, names: /hub\.maxStreams/ },
    { name: "a name for an address", file: { media: { publicAddresses: ["example.org"] } }, names: /publicAddresses/ },
    { name: "a file that is a list", file: [], names: /JSON object/ },
  ])("$name", ({ file, names }) => {
    expect(messageOf(file)).toMatch(names)
  })

  test.each([
    { variable: "WHIPSTITCH_RTMP__PROT", names: /prot/ },
    { variable: "WHIPSTITCH_PORT", names: /WHIPSTITCH_PORT/ },
    { variable: "WHIPSTITCH_A__B__C", names: /WHIPSTITCH_A__B__C/ },
  ])("the variable $variable", ({ variable, names }) => {
    expect(messageOf({}, { [variable]: "1" })).toMatch(names)
  })
})
