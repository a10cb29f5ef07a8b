import { describe, expect, test } from "vitest"
import { CatchUpRate } from "../../src/rtp/catch-up-rate.ts"
import type { TransportFeedback } from "../../src/rtp/rtcp-transport-feedback.ts"

const PACKET_BYTES = 1_200
const STEP_MS = 5
const OPTIONS = { startBps: 9e6, maxBps: 50e6, hasTransportFeedback: false }

/**
 * A viewer of a stream who begins some seconds behind live, behind a link with a queue. It asks once for each packet that the queue had no room for, and
 * packets sent again take from the same rate.
 */
function catchUp({ behindS = 10, streamBps = 2.5e6, linkBps = 1e9, queueMs = 150, roundTripMs = 30, lossShare = 0 }) {
  const rate = new CatchUpRate(OPTIONS)
  rate.start(0, streamBps)
  const asked: number[] = []
  const totals = { sent: 0, lost: 0, highestBps: 0 }
  let remainingBytes = (behindS * streamBps) / 8
  let budgetBytes = 0
  let isFreeMs = 0
  let nowMs = 0
  for (; remainingBytes > 0 && nowMs < 20_000; nowMs += STEP_MS) {
    remainingBytes += (streamBps * STEP_MS) / 8_000
    const bps = rate.bitrateBps({ bytes: remainingBytes, isKeyframe: false }, nowMs)
    totals.highestBps = Math.max(totals.highestBps, bps)
    budgetBytes += (bps * STEP_MS) / 8_000
    for (; budgetBytes > 0 && remainingBytes > 0; budgetBytes -= PACKET_BYTES) {
      remainingBytes -= PACKET_BYTES
      rate.onSent(PACKET_BYTES, 0, nowMs)
      const queuedMs = Math.max(0, isFreeMs - nowMs)
      if (queuedMs > queueMs || (totals.sent * 7_919) % 1_000 < lossShare * 1_000) {
        asked.push(nowMs + queuedMs + roundTripMs)
        totals.lost++
      } else isFreeMs = Math.max(isFreeMs, nowMs) + (PACKET_BYTES * 8_000) / linkBps
      totals.sent++
    }
    while ((asked[0] ?? Number.POSITIVE_INFINITY) <= nowMs) {
      asked.shift()
      rate.onLost(1, nowMs)
      budgetBytes -= PACKET_BYTES
    }
  }
  return { ...totals, liveMs: nowMs }
}

const MEASURED = { ...OPTIONS, hasTransportFeedback: true }
const rest = (bytes: number, isKeyframe = false) => ({ bytes, isKeyframe })

/** A rate that has sent a burst of 66 kB, and has been told 60 ms later that it came as a link of so many bit/s brings it. */
function measured({ linkBps, streamBps = 2.5e6 }: { linkBps: number; streamBps?: number }) {
  const rate = new CatchUpRate(MEASURED)
  rate.start(0, streamBps)
  for (let i = 0; i < 55; i++) rate.onSent(PACKET_BYTES, i, 0)
  rate.onTransportFeedback(report(linkBps), 60)
  return rate
}

function report(linkBps: number): TransportFeedback {
  const arrivalsUs = Array.from(
    { length: 55 },
    (_, i) => Math.round(((i + 1) * PACKET_BYTES * 8e6) / linkBps / 250) * 250,
  )
  const sources = { senderSsrc: 1, mediaSsrc: 2, feedbackCount: 0 }
  return { type: "transport_feedback", ...sources, baseSequenceNumber: 0, arrivalsUs }
}

describe("the rate of a viewer that reports arrivals", () => {
  test("is what its link takes from the first report on, and no more than brings it to live soon", () => {
    const slow = measured({ linkBps: 8e6 }).bitrateBps(rest(3e6), 60)
    expect(slow).toBeGreaterThan(6.5e6)
    expect(slow).toBeLessThan(8e6)
    const fast = measured({ linkBps: 100e6 }).bitrateBps(rest(3e6), 60)
    expect(fast).toBeGreaterThan(20e6)
    expect(fast).toBeLessThan(25e6)
    expect(measured({ linkBps: 100e6 }).bitrateBps(rest(30e6), 60)).toBe(50e6)
  })

  test("is that for the keyframe, too, where it may be higher", () => {
    expect(measured({ linkBps: 8e6 }).bitrateBps(rest(3e6, true), 60)).toBeLessThan(8e6)
    expect(measured({ linkBps: 40e6 }).bitrateBps(rest(1e6, true), 60)).toBeGreaterThan(30e6)
  })

  test("is that of a link of 10 Mbit/s until then, with what went out at once", () => {
    const rate = new CatchUpRate(MEASURED)
    rate.start(0, 2.5e6)
    for (let i = 0; i < 55; i++) rate.onSent(PACKET_BYTES, i, 0)
    expect(rate.bitrateBps(rest(3e6), 5)).toBe(0)
    expect(rate.bitrateBps(rest(3e6, true), 5)).toBe(36e6)
    expect(rate.bitrateBps(rest(3e6), 60)).toBe(9e6)
    for (let i = 0; i < 55; i++) rate.onSent(PACKET_BYTES, 55 + i, 60)
    expect(rate.bitrateBps(rest(3e6, true), 60)).toBe(0)
  })

  test("is that of a viewer without reports where none comes", () => {
    const rate = new CatchUpRate(MEASURED)
    rate.start(0, 2.5e6)
    expect(rate.bitrateBps(rest(3e6), 700)).toBeGreaterThan(15e6)
  })

  test("is not changed by REMB and NACK, until the reports cease", () => {
    const rate = measured({ linkBps: 100e6 })
    const before = rate.bitrateBps(rest(3e6), 100)
    rate.onRemb(3e6, 100)
    rate.onLost(50, 100)
    expect(rate.bitrateBps(rest(3e6), 100)).toBe(before)
    rate.onRemb(4e6, 600)
    expect(rate.bitrateBps(rest(3e6), 600)).toBe(4e6)
  })

  test("never ends the catch-up of a link that takes less than the stream has", () => {
    expect(measured({ linkBps: 1e6 }).bitrateBps(rest(3e6), 60)).toBe(2.75e6)
  })

  test("tells when the link is too slow for what remains: it has to be live after 2 s", () => {
    const rate = measured({ linkBps: 10e6 })
    expect(rate.isTooSlowFor(3e6, 60)).toBe(true)
    expect(rate.isTooSlowFor(1.5e6, 60)).toBe(false)
    expect(rate.isTooSlowFor(1.5e6, 500)).toBe(true)
    rate.stop()
    expect(rate.isTooSlowFor(30e6, 60)).toBe(false)
  })
})

describe("the rate of a catch-up", () => {
  test.each([
    { behindS: 10, streamBps: 2.5e6 },
    { behindS: 10, streamBps: 6e6 },
    { behindS: 5, streamBps: 10e6 },
  ])("is what brings a viewer back to live within 2 s: $behindS s of $streamBps bit/s", (stream) => {
    expect(catchUp(stream).liveMs).toBeLessThan(2_000)
  })

  test("is what a link of 10 Mbit/s takes where that does", () => {
    const { lost, highestBps } = catchUp({ behindS: 4, linkBps: 10e6 })
    expect(highestBps).toBeLessThan(9.5e6)
    expect(lost).toBe(0)
  })

  test("is no higher than needed", () => {
    expect(catchUp({ behindS: 10 }).highestBps).toBeLessThan(25e6)
    expect(catchUp({ behindS: 60, streamBps: 6e6 }).highestBps).toBe(50e6)
  })

  test.each([{ behindS: 10 }, { behindS: 60 }, { behindS: 10, roundTripMs: 120 }])(
    "falls where the link takes less: $behindS s, $roundTripMs ms",
    (viewer) => {
      const { sent, lost, liveMs } = catchUp({ ...viewer, linkBps: 10e6 })
      expect(lost / sent).toBeLessThan(0.2)
      expect(liveMs).toBeLessThan(viewer.behindS * 1_000)
    },
  )

  test("does not mind 5 % of random loss", () => {
    expect(catchUp({ lossShare: 0.05 }).liveMs).toBeLessThan(2_100)
  })

  test("falls to a REMB that is below it, not below what gets anywhere", () => {
    const rate = new CatchUpRate(OPTIONS)
    rate.start(0, 2e6)
    expect(rate.bitrateBps({ bytes: 2e7, isKeyframe: false }, 0)).toBe(50e6)
    rate.onRemb(60e6, 100)
    expect(rate.bitrateBps({ bytes: 2e7, isKeyframe: false }, 100)).toBe(50e6)
    rate.onRemb(8e6, 200)
    expect(rate.bitrateBps({ bytes: 1e7, isKeyframe: false }, 200)).toBe(8e6)
    rate.onRemb(0, 1_000)
    expect(rate.bitrateBps({ bytes: 1e7, isKeyframe: false }, 1_000)).toBe(3e6)
    rate.start(60_000, 2e6)
    expect(rate.bitrateBps({ bytes: 1, isKeyframe: false }, 60_000)).toBe(9e6)
  })
})
