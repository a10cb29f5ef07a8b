import { describe, expect, test } from "vitest"
import { ResendBudget } from "../../src/rtp/resend-budget.ts"

const numbers = (count: number, first = 0) => Array.from({ length: count }, (_, i) => (first + i) & 0xffff)
const at = (nowMs: number, sentBps = 2_400_000, roundTripMs: number | undefined = 100) => ({
  nowMs,
  sentBps,
  roundTripMs,
})

describe("a receiver that asks for packets again", () => {
  test("gets half of what it is sent at most, on average and in a row", () => {
    const budget = new ResendBudget()
    let granted = 0
    for (let nowMs = 0; nowMs < 10_000; nowMs += 20) granted += budget.take(numbers(100, nowMs * 5), at(nowMs)).length
    // 125 packets of 1200 bytes a second, and those of one second at first.
    expect(granted).toBeGreaterThan(1_200)
    expect(granted).toBeLessThanOrEqual(125 * 11)
    expect(budget.refusedCount).toBe(50_000 - granted)
  })

  test("gets no packet twice within a round trip", () => {
    const budget = new ResendBudget()
    expect(budget.take([7, 7, 8], at(0))).toEqual([7, 8])
    expect(budget.take([7, 9], at(60))).toEqual([9])
    expect(budget.take([7], at(90))).toEqual([7])
    expect(budget.refusedCount).toBe(2)
  })

  test("gets some of a stream that hardly sends", () => {
    expect(new ResendBudget().take(numbers(100), at(0, 0)).length).toBe(50)
  })

  test("gets less while its link is full", () => {
    const budget = new ResendBudget()
    expect(budget.take(numbers(1_000), { ...at(0), isCongested: true }).length).toBeLessThan(30)
  })

  test("for a million of them takes no time", () => {
    const budget = new ResendBudget()
    const million = numbers(1_000_000)
    expect(budget.take(million, at(0)).length).toBeLessThan(200)
    expect(budget.refusedCount).toBeGreaterThan(999_800)
  })
})
