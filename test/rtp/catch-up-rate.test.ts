import { describe, expect, test } from "vitest"
import { CatchUpRate } from "../../src/rtp/catch-up-rate.ts"

const PACKET_BYTES = 1_200
const STEP_MS = 5
const OPTIONS = { startBps: 9e6, maxBps: 50e6 }

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
    const bps = rate.bitrateBps(remainingBytes, nowMs)
    totals.highestBps = Math.max(totals.highestBps, bps)
    budgetBytes += (bps * STEP_MS) / 8_000
    for (; budgetBytes > 0 && remainingBytes > 0; budgetBytes -= PACKET_BYTES) {
      remainingBytes -= PACKET_BYTES
      rate.onSent(1)
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
    expect(rate.bitrateBps(2e7, 0)).toBe(50e6)
    rate.onRemb(60e6, 100)
    expect(rate.bitrateBps(2e7, 100)).toBe(50e6)
    rate.onRemb(8e6, 200)
    expect(rate.bitrateBps(1e7, 200)).toBe(8e6)
    rate.onRemb(0, 1_000)
    expect(rate.bitrateBps(1e7, 1_000)).toBe(3e6)
    rate.start(60_000, 2e6)
    expect(rate.bitrateBps(1, 60_000)).toBe(9e6)
  })
})
