import { expect, test } from "vitest"
import { parseStreamUrl } from "../../src/minisdp/stream-url.ts"
import { gatewayErrorCode } from "../support/errors.ts"

const NONE = new Uint8Array(0)

test.each([
  { url: "live/cam1", expected: { stream: "live/cam1", token: undefined, cookie: NONE } },
  { url: "live/cam1?token=a%2Bb", expected: { stream: "live/cam1", token: "a+b", cookie: NONE } },
  { url: "edge.example:8000/live/cam1?txTime=1", expected: { stream: "live/cam1", token: undefined, cookie: NONE } },
  {
    url: "host/live/cam1?token=t&cookie=00ff",
    expected: { stream: "live/cam1", token: "t", cookie: Uint8Array.of(0, 255) },
  },
  { url: "live/cam1?cookie=0", expected: { stream: "live/cam1", token: undefined, cookie: NONE } },
  { url: "live/cam1?cookie=zz", expected: { stream: "live/cam1", token: undefined, cookie: NONE } },
  { url: `live/cam1?cookie=${"00".repeat(33)}`, expected: { stream: "live/cam1", token: undefined, cookie: NONE } },
  { url: "live/cam1?token=", expected: { stream: "live/cam1", token: undefined, cookie: NONE } },
  { url: "live/cam1?token=a?b", expected: { stream: "live/cam1", token: "a?b", cookie: NONE } },
])("$url", ({ url, expected }) => {
  expect(parseStreamUrl(url)).toEqual(expected)
})

test.each(["", "cam1", "?token=live/cam1"])("%j names no stream", (url) => {
  expect(gatewayErrorCode(() => parseStreamUrl(url))).toBe("stream.name")
})
