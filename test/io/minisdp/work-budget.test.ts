import { expect, test } from "vitest"
import { WorkBudget } from "../../../src/io/minisdp/work-budget.ts"

test("work may take its share of the time, and a burst after a pause", () => {
  const budget = new WorkBudget({ share: 0.25, burstMs: 100 })
  let workMs = 0
  for (let nowMs = 0; nowMs < 10_000; nowMs += 10) {
    if (!budget.hasTime(nowMs)) continue
    budget.spend(20)
    workMs += 20
  }
  expect(workMs).toBeGreaterThanOrEqual(2_500)
  expect(workMs).toBeLessThanOrEqual(2_500 + 100 + 20)
})

test("what one piece takes too long, the next ones wait for", () => {
  const budget = new WorkBudget({ share: 0.5, burstMs: 100 })
  expect(budget.hasTime(0)).toBe(true)
  budget.spend(400)
  expect(budget.hasTime(600)).toBe(false)
  expect(budget.hasTime(601)).toBe(true)
})

test("a long pause saves up no more than a burst", () => {
  const budget = new WorkBudget({ share: 0.5, burstMs: 100 })
  expect(budget.hasTime(1_000_000)).toBe(true)
  budget.spend(101)
  expect(budget.hasTime(1_000_000)).toBe(false)
})
