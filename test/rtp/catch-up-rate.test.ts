import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { CatchUpRate } from "../../src/rtp/catch-up-rate.ts"

const PACKET_BYTES = 1_000
const STEP_MS = 5
const FEEDBACK_MS = 50

/** A link of some bitrate with a queue of some bytes, and feedback that comes back after half of the round trip. */
function catchUp(
  rate: CatchUpRate,
  { linkBps = 1e9, queueBytes = 150_000, roundTripMs = 20, lossShare = 0, forMs = 1_000, leastBps = 0, startMs = 0 },
) {
  const arrivals: { readonly atMs: number; readonly arrivalUs: number | undefined }[] = []
  const rates: number[] = []
  let budgetBytes = 0
  let isFreeMs = startMs
  let lost = 0
  let sent = 0
  let reported = 0
  rate.start(startMs, leastBps)
  for (let nowMs = startMs; nowMs < startMs + forMs; nowMs += STEP_MS) {
    budgetBytes += rate.bytesPerMs * STEP_MS
    for (; budgetBytes > 0; budgetBytes -= PACKET_BYTES) {
      const backlogBytes = (Math.max(0, isFreeMs - nowMs) * linkBps) / 8_000
      const isLost = backlogBytes > queueBytes || (sent * 7_919) % 1_000 < lossShare * 1_000
      if (isLost) lost++
      else isFreeMs = Math.max(isFreeMs, nowMs) + (PACKET_BYTES * 8_000) / linkBps
      const atMs = (isLost ? nowMs : isFreeMs) + roundTripMs / 2
      arrivals.push({ atMs, arrivalUs: isLost ? undefined : Math.round(atMs * 4) * 250 })
      rate.onSent(PACKET_BYTES, 1)
      sent++
    }
    if ((nowMs - startMs) % FEEDBACK_MS !== 0) continue
    const from = reported
    while (reported < arrivals.length && (arrivals[reported]?.atMs ?? 0) <= nowMs - roundTripMs / 2) reported++
    if (reported > from) {
      rate.onFeedback({ arrivalsUs: arrivals.slice(from, reported).map(({ arrivalUs }) => arrivalUs) }, nowMs)
    }
    rates.push(rate.bitrateBps)
  }
  return { rates, lost, sent, queuedMs: Math.max(0, isFreeMs - startMs - forMs) }
}

const START = { startBps: 9e6, maxBps: 50e6 }

describe("the rate of a catch-up", () => {
  test.each([5, 20, 100])("rises to the most in less than a second, at a round trip of %i ms", (roundTripMs) => {
    const rate = new CatchUpRate(START)
    expect(rate.bitrateBps).toBe(9e6)
    const { rates, lost } = catchUp(rate, { roundTripMs, forMs: 900 })
    expect(rates.at(-1)).toBe(50e6)
    expect(rates).toEqual(rates.toSorted((a, b) => a - b))
    expect(lost).toBe(0)
  })

  test.each([
    { linkBps: 10e6, queueBytes: 150_000, roundTripMs: 20 },
    { linkBps: 10e6, queueBytes: 150_000, roundTripMs: 80 },
    { linkBps: 15e6, queueBytes: 150_000, roundTripMs: 20 },
    { linkBps: 25e6, queueBytes: 300_000, roundTripMs: 20 },
    { linkBps: 40e6, queueBytes: 500_000, roundTripMs: 40 },
  ])("stays below what a link of $linkBps bit/s takes ($roundTripMs ms)", (link) => {
    const rate = new CatchUpRate(START)
    const { rates, lost, sent, queuedMs } = catchUp(rate, { ...link, forMs: 2_000 })
    expect(rates.at(-1)).toBeLessThan(link.linkBps)
    expect(rates.at(-1)).toBeGreaterThan(link.linkBps * 0.6)
    expect(lost / sent).toBeLessThan(0.02)
    expect(queuedMs).toBeLessThan(20)
  })

  test("falls to what a link takes that is narrower than what it begins with", () => {
    const rate = new CatchUpRate(START)
    catchUp(rate, { linkBps: 4e6, forMs: 2_000 })
    expect(rate.bitrateBps).toBeLessThan(4e6)
    expect(rate.bitrateBps).toBeGreaterThan(2e6)
  })

  test("does not mind 5 % of random loss, and stays where it is at 20 %", () => {
    const rate = new CatchUpRate(START)
    expect(catchUp(rate, { lossShare: 0.05, forMs: 800 }).rates.at(-1)).toBe(50e6)
    const another = new CatchUpRate(START)
    expect(Math.max(...catchUp(another, { lossShare: 0.2, forMs: 800 }).rates)).toBe(9e6)
  })

  test("is remembered for the next catch-up, which may try more again", () => {
    const rate = new CatchUpRate(START)
    catchUp(rate, { linkBps: 15e6, forMs: 2_000 })
    const known = rate.bitrateBps
    const { rates } = catchUp(rate, { startMs: 60_000, forMs: 1_000 })
    expect(rates[0]).toBe(known)
    expect(rates.at(-1)).toBe(50e6)
  })

  test("stays as it is without feedback, but is never below what gets anywhere, nor above the most", () => {
    const rate = new CatchUpRate(START)
    rate.start(0, 3e6)
    expect(rate.bitrateBps).toBe(9e6)
    rate.start(0, 12e6)
    expect(rate.bitrateBps).toBe(12e6)
    rate.start(0, 80e6)
    expect(rate.bitrateBps).toBe(50e6)
  })

  test("stays within its bounds whatever is reported", () => {
    const arrival = fc.oneof(fc.constant(undefined), fc.integer({ min: -1e9, max: 1e9 }))
    const report = fc.tuple(fc.array(arrival, { maxLength: 60 }), fc.nat(3_000))
    fc.assert(
      fc.property(fc.array(report, { maxLength: 20 }), (reports) => {
        const rate = new CatchUpRate(START)
        rate.start(0, 0)
        let nowMs = 0
        for (const [arrivalsUs, passMs] of reports) {
          rate.onSent(50_000, 50)
          nowMs += passMs
          rate.onFeedback({ arrivalsUs }, nowMs)
          expect(rate.bitrateBps).toBeGreaterThanOrEqual(100_000)
          expect(rate.bitrateBps).toBeLessThanOrEqual(50e6)
        }
      }),
    )
  })
})
