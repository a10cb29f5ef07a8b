import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { LossBasedEstimate } from "../../src/rtp/send-rate.ts"

/** An estimate of a viewer to whom `sent.bps` are sent; `share` is of 1. */
function open(bps = 1_000_000, startBps = bps) {
  const sent = { bps }
  const estimate = new LossBasedEstimate({ sentBps: () => sent.bps, startBps })
  const report = (share: number, nowMs: number) => estimate.onReport({ fractionLost: Math.floor(share * 256) }, nowMs)
  return { sent, estimate, report }
}

const feedback = (arrivals: readonly boolean[]) => ({
  type: "transport_feedback" as const,
  senderSsrc: 1,
  mediaSsrc: 2,
  feedbackCount: 0,
  baseSequenceNumber: 0,
  arrivalsUs: arrivals.map((hasArrived) => (hasArrived ? 0 : undefined)),
})

test("knows nothing before the first feedback, nor long after the last", () => {
  const { estimate, report } = open()
  expect(estimate.estimateBps(0)).toBeUndefined()
  report(0, 1_000)
  expect(estimate.estimateBps(16_000)).toBeGreaterThanOrEqual(1_000_000)
  expect(estimate.estimateBps(16_001)).toBeUndefined()
})

describe("loss", () => {
  test("without it the estimate grows by 8 % a second, to four times of what is sent", () => {
    const { estimate, report } = open()
    report(0, 0)
    for (let nowMs = 1_000; nowMs <= 9_000; nowMs += 1_000) report(0, nowMs)
    expect(estimate.estimateBps(9_000)).toBeCloseTo(1_000_000 * 1.08 ** 9, -3)
    for (let nowMs = 10_000; nowMs <= 60_000; nowMs += 1_000) report(0, nowMs)
    expect(estimate.estimateBps(60_000)).toBe(4_000_000)
  })

  test("growth does not depend on how often a viewer reports", () => {
    const rates = [100, 1_000].map((intervalMs) => {
      const { estimate, report } = open()
      for (let nowMs = 0; nowMs <= 10_000; nowMs += intervalMs) report(0, nowMs)
      return estimate.estimateBps(10_000) as number
    })
    expect((rates[0] as number) / (rates[1] as number)).toBeCloseTo(1, 2)
  })

  test("some of it changes nothing", () => {
    const { estimate, report } = open()
    for (let nowMs = 0; nowMs <= 10_000; nowMs += 1_000) report(0.05, nowMs)
    expect(estimate.estimateBps(10_000)).toBe(1_000_000)
  })

  test("much of it leaves what arrives, and no growth for ten seconds", () => {
    const { estimate, report } = open()
    report(0, 0)
    report(0.25, 1_000)
    expect(estimate.estimateBps(1_000)).toBe(750_000)
    for (let nowMs = 2_000; nowMs <= 10_000; nowMs += 1_000) report(0, nowMs)
    expect(estimate.estimateBps(10_000)).toBe(750_000)
    report(0, 11_000)
    expect(estimate.estimateBps(11_000)).toBeGreaterThan(1_000_000)
  })

  test("the same moment's reports on several sources cut once, and at most by half", () => {
    const { estimate, report } = open()
    report(0, 0)
    for (let i = 0; i < 20; i++) report(0.99, 1_000 + i)
    expect(estimate.estimateBps(1_100)).toBe(500_000)
  })

  test("a cut is by what is sent, not by what was hoped for", () => {
    const { sent, estimate, report } = open(500_000)
    estimate.onRemb(740_000, 0)
    sent.bps = 600_000
    report(0.25, 1_000)
    expect(estimate.estimateBps(1_000)).toBe(450_000)
  })
})

describe("REMB", () => {
  test("bounds the estimate where the link is full", () => {
    const { estimate } = open(1_000_000, 5_000_000)
    estimate.onRemb(1_200_000, 0)
    expect(estimate.estimateBps(0)).toBe(5_000_000)
    estimate.onRemb(1_200_000, 2_000)
    expect(estimate.estimateBps(2_000)).toBe(1_200_000)
    estimate.onRemb(850_000, 3_000)
    expect(estimate.estimateBps(3_000)).toBe(850_000)
    estimate.onRemb(1_250_000, 4_000)
    expect(estimate.estimateBps(4_000)).toBe(850_000)
  })

  test("does not keep a viewer on a small layer whose receiver never estimates far above what it gets", () => {
    const { estimate, report } = open(150_000)
    for (let nowMs = 0; nowMs <= 20_000; nowMs += 1_000) {
      report(0, nowMs)
      estimate.onRemb(225_000, nowMs)
    }
    expect(estimate.estimateBps(20_000)).toBeGreaterThan(500_000)
  })

  test("that rises slowly does not keep a viewer from a larger layer, even where the first one was far too low", () => {
    const { sent, estimate, report } = open(850_000)
    estimate.onRemb(100_000, 0)
    sent.bps = 150_000
    for (let nowMs = 1_000; nowMs <= 12_000; nowMs += 1_000) {
      report(0, nowMs)
      estimate.onRemb(Math.min(100_000 + 8 * nowMs, 168_000), nowMs)
    }
    sent.bps = 440_000
    for (let nowMs = 13_000; nowMs <= 18_000; nowMs += 1_000) {
      report(0, nowMs)
      estimate.onRemb(168_000 + nowMs, nowMs)
    }
    expect(estimate.estimateBps(18_000)).toBeGreaterThan(440_000)
  })

  test("shows by itself what the link takes where it is far above what is sent", () => {
    const { estimate } = open(500_000)
    estimate.onRemb(600_000, 0)
    estimate.onRemb(3_000_000, 1_000)
    expect(estimate.estimateBps(1_000)).toBe(3_000_000)
  })

  test.each([0, -1, Number.NaN])("of %d is ignored", (bps) => {
    const { estimate } = open()
    estimate.onRemb(bps, 0)
    expect(estimate.estimateBps(0)).toBeUndefined()
  })

  test("that lies keeps within bounds, and truth mends it", () => {
    const { estimate, report } = open()
    estimate.onRemb(2, 0)
    estimate.onRemb(1, 0)
    estimate.onRemb(1, 2_000)
    expect(estimate.estimateBps(2_000)).toBe(30_000)
    for (let nowMs = 3_000; nowMs <= 13_000; nowMs += 1_000) report(0, nowMs)
    expect(estimate.estimateBps(13_000)).toBeGreaterThan(1_000_000)
    estimate.onRemb(2 ** 80, 14_000)
    expect(estimate.estimateBps(14_000)).toBe(1_000_000_000)
  })
})

describe("transport-wide feedback", () => {
  test("counts as one report each half second", () => {
    const { estimate } = open()
    const quarterLost = feedback([true, true, false, true])
    for (let nowMs = 0; nowMs < 500; nowMs += 50) estimate.onTransportFeedback(quarterLost, nowMs)
    expect(estimate.estimateBps(499)).toBeUndefined()
    estimate.onTransportFeedback(quarterLost, 500)
    expect(estimate.estimateBps(500)).toBe(750_000)
  })

  test("without loss lets the estimate grow", () => {
    const { estimate } = open()
    for (let nowMs = 0; nowMs <= 10_000; nowMs += 50) estimate.onTransportFeedback(feedback([true, true]), nowMs)
    expect(estimate.estimateBps(10_000)).toBeGreaterThan(1_800_000)
  })
})

test("no feedback brings it out of bounds", () => {
  const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(0, 1, 255, 2 ** 81))
  const call = fc.oneof(
    fc.record({ type: fc.constant("remb" as const), value: number }),
    fc.record({ type: fc.constant("report" as const), value: fc.nat(255) }),
    fc.record({ type: fc.constant("feedback" as const), value: fc.array(fc.boolean(), { minLength: 1 }) }),
  )
  const at = fc.record({ call, stepMs: fc.integer({ min: -100, max: 20_000 }), sentBps: fc.nat(2_000_000_000) })
  fc.assert(
    fc.property(fc.array(at), (calls) => {
      const { sent, estimate } = open()
      let nowMs = 1_000_000
      for (const { call, stepMs, sentBps } of calls) {
        nowMs += stepMs
        sent.bps = sentBps
        if (call.type === "remb") estimate.onRemb(call.value, nowMs)
        else if (call.type === "report") estimate.onReport({ fractionLost: call.value }, nowMs)
        else estimate.onTransportFeedback(feedback(call.value), nowMs)
        const bps = estimate.estimateBps(nowMs) ?? 30_000
        expect(Number.isInteger(bps)).toBe(true)
        expect(bps).toBeGreaterThanOrEqual(30_000)
        expect(bps).toBeLessThanOrEqual(1_000_000_000)
      }
    }),
  )
})
