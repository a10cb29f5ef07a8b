import { readFileSync } from "node:fs"
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

  test("video codecs are all allowed, and a list names those that are, best first", () => {
    expect(loadConfig({}, {}).media.videoCodecs).toEqual(["h264", "h265", "vp8", "vp9", "av1"])
    expect(loadConfig({}, { WHIPSTITCH_MEDIA__VIDEO_CODECS: "vp8,h264" }).media.videoCodecs).toEqual(["vp8", "h264"])
  })

  test("a key of a group within a section has three parts, and rules are JSON", () => {
    const rules = [{ stream: "live/*", publish: { tokens: ["stream-key"] }, play: "anyone" }]
    const { access } = loadConfig(
      { access: { callbacks: { timeoutMs: 1_000 } } },
      {
        WHIPSTITCH_ACCESS__CALLBACKS__ON_PUBLISH: "http://127.0.0.1/publish",
        WHIPSTITCH_ACCESS__RULES: JSON.stringify(rules),
      },
    )
    expect(access.callbacks).toMatchObject({ timeoutMs: 1_000, onPublish: "http://127.0.0.1/publish" })
    expect(access.rules).toEqual(rules)
  })

  test("media listens on both families, one address will do, and TCP can be turned off", () => {
    expect(loadConfig({}, {}).media).toMatchObject({ host: ["0.0.0.0", "::"], tcp: true })
    const env = { WHIPSTITCH_MEDIA__HOST: "127.0.0.1", WHIPSTITCH_MEDIA__TCP: "false" }
    expect(loadConfig({}, env).media).toMatchObject({ host: ["127.0.0.1"], tcp: false })
  })

  test("TURN servers in a variable are JSON", () => {
    const env = {
      WHIPSTITCH_MEDIA__ICE_SERVERS: '[{"urls":"turn:a:3478?transport=udp","secret":"s","ttlSeconds":600}]',
    }
    const expected = [{ urls: ["turn:a:3478?transport=udp"], secret: "s", ttlSeconds: 600 }]
    expect(loadConfig({}, env).media.iceServers).toEqual(expected)
  })

  test("other programs' variables and empty ones are left alone", () => {
    expect(messageOf({}, { PATH: "/bin", WHIPSTITCH_HTTP__PORT: "" })).toBe("no error")
  })
})

test("the examples of docs/access.md are valid", () => {
  const examples = readFileSync("docs/access.md", "utf8").matchAll(/```json\n(\{[^`]*"access"[^`]*)```/g)
  const messages = [...examples].map(([, example = ""]) => messageOf(JSON.parse(example)))
  expect(messages).toEqual(["no error", "no error"])
})

describe("mistakes name their key", () => {
  test.each([
    { name: "a mistyped key", file: { rtmp: { prot: 1935 } }, names: /prot/ },
    { name: "a mistyped section", file: { rtpm: {} }, names: /rtpm/ },
    { name: "a port that is none", file: { http: { port: 70_000 } }, names: /http\.port/ },
    { name: "a word for a number", file: { hub: { maxStreams: "many" } }, names: /hub\.maxStreams/ },
    { name: "no address and no name", file: { media: { publicAddresses: ["not one"] } }, names: /publicAddresses/ },
    { name: "an unknown codec", file: { media: { videoCodecs: ["h264", "mpeg2"] } }, names: /videoCodecs\[1\]/ },
    { name: "no codec", file: { media: { videoCodecs: [] } }, names: /videoCodecs/ },
    { name: "two addresses of a family", file: { media: { host: ["192.0.2.1", "192.0.2.2"] } }, names: /media\.host/ },
    {
      name: "a TURN server of no form",
      file: { media: { iceServers: [{ urls: "example.org" }] } },
      names: /turn:HOST/,
    },
    {
      name: "a TURN server with half a login",
      file: { media: { iceServers: [{ urls: "turn:a", username: "u" }] } },
      names: /belong together/,
    },
    { name: "a pattern that is none", file: ruleFile({ stream: "live" }), names: /rules\[0\]\.stream/ },
    { name: "a rule that demands nothing", file: ruleFile({ play: {} }), names: /rules\[0\]\.play/ },
    { name: "a rule with a mistyped word", file: ruleFile({ play: "everyone" }), names: /rules\[0\]\.play/ },
    { name: "a rule that says nothing of playing", file: ruleFile({ play: undefined }), names: /rules\[0\]\.play/ },
    { name: "a rule by JWT without a key", file: ruleFile({ play: { jwt: true } }), names: /access\.jwt/ },
    { name: "a rule by callback without its address", file: ruleFile({ play: { callback: true } }), names: /onPlay/ },
    { name: "a short token", file: { access: { playTokens: ["secret"] } }, names: /playTokens\[0\]/ },
    { name: "a short secret", file: { access: { jwt: { secret: "x".repeat(31) } } }, names: /jwt\.secret/ },
    {
      name: "two keys for JWT",
      file: { access: { jwt: { secret: "x".repeat(32), jwksUrl: "https://example.org" } } },
      names: /exactly one of secret/,
    },
    {
      name: "a callback with a password in its address",
      file: { access: { callbacks: { onPlay: "http://a:b@example.org" } } },
      names: /onPlay/,
    },
    { name: "a file that is a list", file: [], names: /JSON object/ },
  ])("$name", ({ file, names }) => {
    expect(messageOf(file)).toMatch(names)
  })

  test.each([
    { variable: "WHIPSTITCH_RTMP__PROT", names: /prot/ },
    { variable: "WHIPSTITCH_PORT", names: /WHIPSTITCH_PORT/ },
    { variable: "WHIPSTITCH_RTMP__", names: /WHIPSTITCH_RTMP__/ },
    { variable: "WHIPSTITCH_RTMP__PORT__PORT", names: /rtmp\.port/ },
    { variable: "WHIPSTITCH_ACCESS__RULES", names: /access\.rules/ },
  ])("the variable $variable", ({ variable, names }) => {
    expect(messageOf({}, { [variable]: "1" })).toMatch(names)
  })
})

function ruleFile(rule: object): object {
  return { access: { rules: [{ stream: "*", publish: "anyone", play: "anyone", ...rule }] } }
}
