import { expect, test } from "vitest"
import { AddressCookies } from "../../../src/io/minisdp/cookies.ts"

const MINUTE_MS = 60_000
const cookies = new AddressCookies()
const cookie = cookies.give("192.0.2.7", 5 * MINUTE_MS)

test("is good at its address for ten minutes at least and twenty at most", () => {
  const isValidAfter = (minutes: number, givenAtMs: number) => {
    const given = cookies.give("192.0.2.7", givenAtMs)
    return cookies.isValid(given, "192.0.2.7", givenAtMs + minutes * MINUTE_MS)
  }
  const starts = [0, 1, 599_999, 600_000, 7_654_321]
  expect(starts.map((start) => isValidAfter(0, start))).toEqual(starts.map(() => true))
  expect(starts.map((start) => isValidAfter(10, start))).toEqual(starts.map(() => true))
  expect(starts.map((start) => isValidAfter(20, start))).toEqual(starts.map(() => false))
})

test("is good at no other address, and from no other gateway", () => {
  expect(cookies.isValid(cookie, "192.0.2.70", 5 * MINUTE_MS)).toBe(false)
  expect(new AddressCookies().isValid(cookie, "192.0.2.7", 5 * MINUTE_MS)).toBe(false)
})

test.each([
  { name: "nothing", forged: new Uint8Array(0) },
  { name: "a part of it", forged: cookie.subarray(0, 15) },
  { name: "more than it", forged: Uint8Array.of(...cookie, 0) },
  { name: "another bit", forged: cookie.map((byte, index) => (index === 15 ? byte ^ 1 : byte)) },
])("$name is none", ({ forged }) => {
  expect(cookies.isValid(forged, "192.0.2.7", 5 * MINUTE_MS)).toBe(false)
})
