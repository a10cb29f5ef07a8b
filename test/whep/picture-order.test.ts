import { expect, test } from "vitest"
import { reordersPictures } from "../../src/whep/picture-order.ts"

const WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"

test.each([
  [
    "Chrome",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
    true,
  ],
  [
    "Chromium without a window",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36",
    true,
  ],
  ["Firefox", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", true],
  ["Safari", `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${WEBKIT} Version/18.0 Safari/605.1.15`, false],
  [
    "Chrome on iOS",
    `Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) ${WEBKIT} CriOS/140.0 Mobile/15E148 Safari/604.1`,
    false,
  ],
  ["a program without a name", undefined, true],
])("%s", (_, userAgent, expected) => {
  expect(reordersPictures(userAgent)).toBe(expected)
})
