import fc from "fast-check"
import { expect, test } from "vitest"
import { RateMeter } from "../../src/media/rate-meter.ts"

/** Sends `bytes` every `intervalMs` from `fromMs` on and returns the time of the last. */
function send(meter: RateMeter, bytes: number, intervalMs: number, fromMs: number, toMs: number): void {
  for (let nowMs = fromMs; nowMs < toMs; nowMs += intervalMs) meter.add(bytes, nowMs)
}

test.each([
  { bytes: 1_000, intervalMs: 1, bps: 8_000_000 },
  { bytes: 100, intervalMs: 20, bps: 40_000 },
  { bytes: 5_000, intervalMs: 100 / 3, bps: 1_200_000 },
])("measures $bytes bytes each $intervalMs ms", ({ bytes, intervalMs, bps }) => {
  const meter = new RateMeter()
  send(meter, bytes, intervalMs, 7_000, 10_000)
  expect(meter.bitrateBps(10_000)).toBeGreaterThan(bps * 0.95)
  expect(meter.bitrateBps(10_000)).toBeLessThan(bps * 1.05)
})

test("rises and falls within one window", () => {
  const meter = new RateMeter(1_000)
  expect(meter.bitrateBps(0)).toBe(0)
  send(meter, 1_000, 10, 0, 500)
  expect(meter.bitrateBps(500) / 400_000).toBeCloseTo(1, 0)
  send(meter, 1_000, 10, 500, 1_000)
  expect(meter.bitrateBps(1_000) / 800_000).toBeCloseTo(1, 1)
  expect(meter.bitrateBps(1_500) / 400_000).toBeCloseTo(1, 0)
  expect(meter.bitrateBps(2_000)).toBe(0)
})

test("starts at any time of the clock, and forgets all after a long pause", () => {
  const meter = new RateMeter(500)
  meter.add(1_000, 1_700_000_000_000)
  expect(meter.bitrateBps(1_700_000_000_010)).toBeGreaterThan(0)
  expect(meter.bitrateBps(1_800_000_000_000)).toBe(0)
})

test("counts what comes while the clock goes back", () => {
  const meter = new RateMeter(1_000)
  meter.add(500, 5_000)
  meter.add(500, 4_000)
  expect(meter.bitrateBps(5_040)).toBe(Math.round((1_000 * 8_000) / 990))
  expect(meter.bitrateBps(3_000)).toBeGreaterThan(0)
})

test("never counts more nor less than what lies in its window, give or take a slot", () => {
  const packet = fc.record({ bytes: fc.nat(2_000), stepMs: fc.double({ min: 0, max: 300, noNaN: true }) })
  fc.assert(
    fc.property(fc.array(packet, { minLength: 1 }), (packets) => {
      const meter = new RateMeter(1_000)
      const sent: { atMs: number; bytes: number }[] = []
      let nowMs = 0
      for (const { bytes, stepMs } of packets) {
        nowMs += stepMs
        meter.add(bytes, nowMs)
        sent.push({ atMs: nowMs, bytes })
      }
      const since = (ageMs: number) =>
        sent.filter(({ atMs }) => atMs > nowMs - ageMs).reduce((sum, { bytes }) => sum + bytes, 0)
      expect(meter.bitrateBps(nowMs)).toBeGreaterThanOrEqual(Math.floor(since(950) * 8))
      expect(meter.bitrateBps(nowMs)).toBeLessThanOrEqual(Math.ceil((since(1_000.001) * 8) / 0.95) + 1)
    }),
  )
})
