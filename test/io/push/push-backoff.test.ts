import fc from "fast-check"
import { expect, test } from "vitest"
import { PushBackoff } from "../../../src/io/push/push-backoff.ts"

const LIMITS = { maxRetryMs: 15_000, refusedMaxRetryMs: 60_000 }

test("pauses double up to their bound, and begin anew after a good time", () => {
  const backoff = new PushBackoff(LIMITS, () => 1)
  expect(Array.from({ length: 7 }, () => backoff.nextMs(false))).toEqual([
    500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000,
  ])
  backoff.reset()
  expect(Array.from({ length: 6 }, () => backoff.nextMs(true))).toEqual([4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
})

test("any pause is within its bound, however many there were, and never none", () => {
  const check = (draws: { random: number; isRefusal: boolean }[]) => {
    let random = 0
    const backoff = new PushBackoff(LIMITS, () => random)
    for (const draw of draws) {
      random = draw.random
      const pauseMs = backoff.nextMs(draw.isRefusal)
      expect(pauseMs).toBeGreaterThanOrEqual(100)
      expect(pauseMs).toBeLessThanOrEqual(draw.isRefusal ? 60_000 : 15_000)
    }
  }
  const draw = fc.record({ random: fc.double({ min: 0, max: 1, noNaN: true }), isRefusal: fc.boolean() })
  fc.assert(fc.property(fc.array(draw, { maxLength: 200 }), check))
})

test("two gateways do not come back at the same moment", () => {
  const pause = (random: number) => new PushBackoff(LIMITS, () => random).nextMs(false)
  expect(pause(0.3)).not.toBe(pause(0.9))
})
