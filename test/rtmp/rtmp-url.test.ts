import { describe, expect, test } from "vitest"
import { GatewayError } from "../../src/errors.ts"
import { isRtmpUrl, parseRtmpUrl, resolveRedirect } from "../../src/rtmp/rtmp-url.ts"

describe("an address of RTMP", () => {
  test.each([
    ["rtmp://h/live/cam", { isTls: false, host: "h", port: 1935, app: "live", stream: "cam", tcUrl: "rtmp://h/live" }],
    ["RTMPS://h:8443/live/k?a=b", { isTls: true, port: 8443, stream: "k?a=b", tcUrl: "rtmps://h:8443/live" }],
    ["rtmps://h/a/k", { port: 443 }],
    ["rtmp://h/a/_definst_/k", { app: "a/_definst_", stream: "k" }],
    ["rtmp://h/vod/mp4:films/one.mp4", { app: "vod", stream: "mp4:films/one.mp4" }],
    ["rtmp://[::1]:1936//a//k/", { host: "::1", port: 1936, app: "a", stream: "k", tcUrl: "rtmp://[::1]:1936/a" }],
    ["rtmp://u%40x:p%3Aw@h/a/k", { host: "h", user: { name: "u@x", password: "p:w" }, tcUrl: "rtmp://h/a" }],
    ["rtmp://h/a/k?path=x/y", { app: "a", stream: "k?path=x/y" }],
  ])("%s is taken apart", (url, parts) => {
    expect(parseRtmpUrl(url)).toMatchObject(parts)
  })

  test("has forms that hold no secret", () => {
    const { redacted, redactedKey } = parseRtmpUrl("rtmp://user:word@h:1936/app/key-1?token=t")
    expect([redacted, redactedKey]).toEqual(["rtmp://h:1936/app/key-1", "rtmp://h:1936/app/…"])
  })

  test.each([
    "http://h/a/b",
    "rtmp://h/a",
    "rtmp://h/",
    "rtmp:///a/b",
    "rtmp://h:99999/a/b",
    "rtmp://h/a /b",
    "",
    "rtmp://u%@h/a/b",
  ])("%j is none, and the error does not quote it", (url) => {
    expect(isRtmpUrl(url)).toBe(false)
    const message = "the address must look like rtmp://HOST/APP/STREAM or rtmps://HOST/APP/STREAM"
    expect(() => parseRtmpUrl(url)).toThrow(new GatewayError("rtmp.url", message))
  })
})

describe("a redirect", () => {
  const from = parseRtmpUrl("rtmp://h/live/key?t=1")
  test.each([
    ["rtmp://b/live", "rtmp://b/live/key?t=1"],
    ["rtmp://b:1936/live/", "rtmp://b:1936/live/key?t=1"],
    ["rtmp://b/live?s=2", "rtmp://b/live/key?t=1&s=2"],
    ["rtmp://b/live/other?x=y", "rtmp://b/live/other?x=y"],
    ["rtmps://b/live", "rtmps://b/live/key?t=1"],
  ])("to %s leads to %s", (redirect, url) => {
    expect(resolveRedirect(from, redirect)).toBe(url)
  })

  test("does not lead out of TLS, nor to what is no RTMP", () => {
    const safe = parseRtmpUrl("rtmps://h/live/key")
    expect(() => resolveRedirect(safe, "rtmp://b/live")).toThrow(expect.objectContaining({ code: "rtmp.refused" }))
    expect(() => resolveRedirect(safe, "http://b/live")).toThrow(expect.objectContaining({ code: "rtmp.url" }))
  })
})
