import { expect, test } from "vitest"
import { LossWindow } from "../../src/rtp/loss-window.ts"

test("a few packets that were lost by chance tell nothing, many do", () => {
  const loss = new LossWindow()
  expect(loss.onReport(2 ** 32 - 100, 1, 0)).toBeUndefined()
  expect(loss.onReport(2 ** 32 - 90, 0.5, 300)).toBeUndefined()
  expect(loss.onReport(2 ** 32 - 60, 0, 2_500)).toBeUndefined()
  expect(loss.onReport(0, 0.25, 2_600)).toBeCloseTo(0.2)
  expect(loss.onReport(100, 0, 5_000)).toBe(0)
})

test("a receiver whose numbers go back begins again", () => {
  const loss = new LossWindow()
  loss.onReport(1_000, 0, 0)
  expect(loss.onReport(10, 1, 3_000)).toBeUndefined()
  expect(loss.onReport(110, 0.5, 6_000)).toBe(0.5)
})
