import fc from "fast-check"
import { expect, test } from "vitest"
import { ReorderBuffer } from "../../src/rtp/reorder-buffer.ts"
import { seededRandom } from "./h264-stream.ts"

/** Pushes numbers with the time they come at; the item is the number itself. */
function run(buffer: ReorderBuffer<number>, arrivals: readonly (readonly [number, number])[]): number[] {
  return arrivals.flatMap(([number, atMs]) => buffer.push(number, number, atMs).map(({ item }) => item))
}

test("lets packets in order through at once, over the wrap too", () => {
  const buffer = new ReorderBuffer<number>()
  for (const number of [65_534, 65_535, 0, 1]) {
    expect(buffer.push(number, number, 0)).toEqual([{ item: number, lostBefore: 0 }])
    expect(buffer.nextTimeoutMs).toBeUndefined()
  }
})

test("holds packets behind a gap back until it is filled", () => {
  const buffer = new ReorderBuffer<number>({ maxDelayMs: 100 })
  expect(
    run(buffer, [
      [1, 0],
      [3, 10],
      [4, 20],
    ]),
  ).toEqual([1])
  expect(buffer.nextTimeoutMs).toBe(110)
  expect(buffer.push(2, 2, 30).map(({ item }) => item)).toEqual([2, 3, 4])
  expect(buffer.counters).toEqual({ duplicates: 0, late: 0, lost: 0, restarts: 0 })
})

test("gives a gap up in time and says how much is missing", () => {
  const buffer = new ReorderBuffer<number>({ maxDelayMs: 100 })
  run(buffer, [
    [1, 0],
    [4, 10],
    [6, 50],
  ])
  expect(buffer.onTimeout(109)).toEqual([])
  expect(buffer.onTimeout(110)).toEqual([{ item: 4, lostBefore: 2 }])
  expect(buffer.onTimeout(150)).toEqual([{ item: 6, lostBefore: 1 }])
  expect(
    run(buffer, [
      [3, 160],
      [6, 160],
      [7, 160],
    ]),
  ).toEqual([7])
  expect(buffer.counters).toEqual({ duplicates: 0, late: 2, lost: 3, restarts: 0 })
})

test("gives a gap up when too many packets wait", () => {
  const buffer = new ReorderBuffer<number>({ maxPackets: 3 })
  expect(
    run(buffer, [
      [1, 0],
      [3, 0],
      [4, 0],
      [5, 0],
    ]),
  ).toEqual([1])
  expect(run(buffer, [[6, 0]])).toEqual([3, 4, 5, 6])
})

test("drops duplicates of packets that wait", () => {
  const buffer = new ReorderBuffer<number>()
  expect(
    run(buffer, [
      [1, 0],
      [3, 0],
      [3, 0],
      [2, 0],
    ]),
  ).toEqual([1, 2, 3])
  expect(buffer.counters.duplicates).toBe(1)
})

test("believes a far jump when the next number confirms it", () => {
  const buffer = new ReorderBuffer<number>()
  expect(
    run(buffer, [
      [1, 0],
      [3, 0],
      [30_000, 0],
      [2, 0],
      [4, 0],
    ]),
  ).toEqual([1, 2, 3, 4])
  expect(
    run(buffer, [
      [6, 0],
      [40_000, 0],
    ]),
  ).toEqual([])
  expect(buffer.push(40_001, 40_001, 0)).toEqual([
    { item: 6, lostBefore: 1 },
    { item: 40_000, lostBefore: 1 },
    { item: 40_001, lostBefore: 0 },
  ])
  expect(buffer.counters.restarts).toBe(1)
})

test("puts a shuffled stream in order without losing or doubling anything", () => {
  const random = seededRandom(11)
  const arrivals = Array.from({ length: 5_000 }, (_, i) => ({ number: (60_000 + i) & 0xffff, at: i + random() * 12 }))
  arrivals.sort((a, b) => a.at - b.at)
  const buffer = new ReorderBuffer<number>({ maxDelayMs: 1_000 })
  // The first packet sets the beginning, so it has to be the first.
  const first = arrivals.findIndex(({ number }) => number === 60_000)
  arrivals.unshift(...arrivals.splice(first, 1))
  const out = run(
    buffer,
    arrivals.map(({ number, at }) => [number, at] as const),
  )
  expect(out).toEqual(Array.from({ length: 5_000 }, (_, i) => (60_000 + i) & 0xffff))
})

test("whatever comes, order holds and the number of waiting packets is bounded", () => {
  const arrivals = fc.array(fc.tuple(fc.nat(40), fc.nat(30)), { maxLength: 200 })
  fc.assert(
    fc.property(arrivals, (steps) => {
      const buffer = new ReorderBuffer<number>({ maxPackets: 8, maxDelayMs: 50 })
      let nowMs = 0
      let last = -1
      for (const [number, waitMs] of steps) {
        nowMs += waitMs
        for (const { item } of buffer.push(number, number, nowMs)) {
          expect(item).toBeGreaterThan(last)
          last = item
        }
        expect(buffer.nextTimeoutMs ?? Number.POSITIVE_INFINITY).toBeGreaterThan(nowMs)
      }
    }),
  )
})
