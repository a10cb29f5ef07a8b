import fc from "fast-check"
import { expect, test } from "vitest"
import { KeyframeIndex } from "../../src/flv/recording-index.ts"

function indexOf(count: number, maxEntries: number): KeyframeIndex {
  const index = new KeyframeIndex(maxEntries)
  for (let i = 0; i < count; i++) index.add({ timeMs: i * 1000, position: 100 + i })
  return index
}

test("keeps what fits", () => {
  expect(
    indexOf(3, 8)
      .thinned(4, 1_000)
      .map(({ timeMs }) => timeMs),
  ).toEqual([0, 1000, 2000])
})

test("leaves out what lies behind the end", () => {
  expect(
    indexOf(5, 8)
      .thinned(4, 103)
      .map(({ position }) => position),
  ).toEqual([100, 101, 102])
})

test("of too many keyframes, gives evenly spread ones from the first to near the last", () => {
  const counts = fc.integer({ min: 1, max: 400 })
  const limits = fc.tuple(fc.integer({ min: 2, max: 24 }), fc.integer({ min: 1, max: 12 }))
  const property = (count: number, [maxEntries, wanted]: [number, number]) => {
    const times = indexOf(count, maxEntries)
      .thinned(wanted, Number.POSITIVE_INFINITY)
      .map(({ timeMs }) => timeMs / 1000)
    expect(times.length).toBeLessThanOrEqual(wanted)
    expect(times[0]).toBe(0)
    const steps = new Set(times.slice(1).map((time, i) => time - (times[i] ?? 0)))
    expect(steps.size).toBeLessThanOrEqual(1)
    const [step = count] = steps
    expect(count - 1 - (times.at(-1) ?? 0)).toBeLessThanOrEqual(Math.max(step, count / wanted + step))
  }
  fc.assert(fc.property(counts, limits, property))
})
