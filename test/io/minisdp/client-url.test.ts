import { expect, test } from "vitest"
import { parseMiniSdpUrl } from "../../../src/io/minisdp/client.ts"

test.each([
  { url: "minisdp://host/app/stream", parts: { host: "host", port: 8000, streamUrl: "app/stream" } },
  { url: "minisdp://[::1]:9/a/b?token=x", parts: { host: "[::1]", port: 9, streamUrl: "a/b?token=x" } },
])("$url is understood", ({ url, parts }) => {
  expect(parseMiniSdpUrl(url)).toEqual(parts)
})

test.each(["http://host/app/stream", "minisdp://host/app", "minisdp:///app/stream", "nonsense"])(
  "%s is refused",
  (url) => {
    const withSecret = `${url}?token=secret`
    expect(() => parseMiniSdpUrl(withSecret)).toThrow(expect.objectContaining({ code: "config.invalid" }))
    expect(() => parseMiniSdpUrl(withSecret)).not.toThrow(/secret/)
  },
)
