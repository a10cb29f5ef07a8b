import { expect, test } from "vitest"
import { ReadAhead } from "../../../src/io/pull/read-ahead.ts"

test("a source at its own speed is never waited for, nor one that sends at first what it has kept", () => {
  const ahead = new ReadAhead()
  for (let timeMs = 0; timeMs <= 20_000; timeMs += 40) ahead.note(timeMs, 1_000)
  for (let passedMs = 0; passedMs < 60_000; passedMs += 40) {
    ahead.note(20_000 + passedMs, 1_000 + passedMs)
    expect(ahead.waitMs(1_000 + passedMs)).toBe(0)
  }
})

test("a file is waited for when it is more than 30 s ahead, until the time has come", () => {
  const ahead = new ReadAhead()
  for (let timeMs = 0; timeMs <= 35_000; timeMs += 40) ahead.note(timeMs, 1_000)
  expect(ahead.waitMs(1_000)).toBe(5_000)
  expect(ahead.waitMs(4_000)).toBe(2_000)
  expect(ahead.waitMs(6_000)).toBe(0)
})

test("where timestamps jump or wrap, nothing is waited for", () => {
  const ahead = new ReadAhead()
  ahead.note(0xffff_ff00, 0)
  ahead.note(0x0000_0100, 500)
  expect(ahead.waitMs(500)).toBe(0)
  ahead.note(0x7000_0000, 1_000)
  expect(ahead.waitMs(1_000)).toBe(0)
  ahead.note(0, 2_000)
  expect(ahead.waitMs(2_000)).toBe(0)
})

test("before the first tag there is nothing to wait for", () => {
  expect(new ReadAhead().waitMs(1e9)).toBe(0)
})
