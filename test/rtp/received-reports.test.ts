import { expect, test } from "vitest"
import { compactNtp, unixUsToNtp } from "../../src/rtp/ntp.ts"
import { ReceivedReports } from "../../src/rtp/received-reports.ts"

const START_US = 1_800_000_000_000_000

/** A block on a report that was sent so long ago. */
function block(
  ssrc: number,
  nowUs: number,
  tripMs?: number,
  facts: { jitter?: number; cumulativeLost?: number; fractionLost?: number } = {},
) {
  const lastSr = tripMs === undefined ? 0 : compactNtp(unixUsToNtp(nowUs - tripMs * 1000))
  const counts = { fractionLost: 0, cumulativeLost: 0, extendedHighestSequenceNumber: 0, jitter: 0 }
  return { ssrc, ...counts, lastSr, delaySinceLastSr: 0, ...facts }
}

function reports() {
  return new ReceivedReports([
    { ssrc: 1, clockRateHz: 90_000 },
    { ssrc: 2, clockRateHz: 48_000 },
  ])
}

test("loss adds up, and jitter is that of the worst source", () => {
  const received = reports()
  expect(received.jitterMs).toBeUndefined()
  received.onBlock(block(1, START_US, 20, { jitter: 900, cumulativeLost: 3, fractionLost: 64 }), START_US)
  received.onBlock(block(2, START_US, 20, { jitter: 960, cumulativeLost: -2 }), START_US)
  expect(received).toMatchObject({ lostPackets: 3, jitterMs: 20, lossRatio: 0.25 })
  expect(received.roundTripMs).toBeCloseTo(20, 0)
})

test("blocks about foreign sources say nothing", () => {
  const received = reports()
  expect(received.onBlock(block(3, START_US, 500, { jitter: 1, cumulativeLost: 9 }), START_US)).toBe(false)
  expect(received).toMatchObject({ lostPackets: 0, jitterMs: undefined, roundTripMs: undefined, queueingMs: 0 })
})

test("a round trip that is longer than the shortest one has waited, until it is the shortest for minutes", () => {
  const received = reports()
  const trip = (seconds: number, ms: number) => {
    const nowUs = START_US + seconds * 1_000_000
    received.onBlock(block(1, nowUs, ms), nowUs)
    return Math.round(received.queueingMs)
  }
  expect(trip(0, 40)).toBe(0)
  expect(trip(1, 340)).toBe(300)
  expect(trip(59, 340)).toBe(300)
  expect(trip(62, 340)).toBe(300)
  expect(trip(125, 340)).toBe(0)
  expect(trip(126, 540)).toBe(200)
  received.forgetShortest()
  expect(received.queueingMs).toBe(0)
})
