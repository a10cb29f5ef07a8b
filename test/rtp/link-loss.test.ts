import { expect, test } from "vitest"
import { LinkLoss } from "../../src/rtp/link-loss.ts"

const block = (extendedHighestSequenceNumber: number, cumulativeLost: number, lostShare: number) => ({
  ssrc: 1,
  fractionLost: Math.floor(lostShare * 256),
  cumulativeLost,
  extendedHighestSequenceNumber,
  jitter: 0,
  lastSr: 0,
  delaySinceLastSr: 0,
})

test("what was missing before it was sent is not the link's fault, also once it has come after all", () => {
  const loss = new LinkLoss()
  loss.onReport(block(100, 2, 0), 2)
  expect(loss.onReport(block(120, 8, 0.3), 8)).toBe(0)
  expect(loss.onReport(block(140, 5, 0), 3)).toBe(0)
  // It is seen here a little before the report.
  expect(loss.onReport(block(160, 5, 0), 6)).toBe(0)
  expect(loss.onReport(block(180, 8, 0.15), 6)).toBe(0)
})

test("what the link lost is, as far as the report says so itself", () => {
  const loss = new LinkLoss()
  loss.onReport(block(100, 0, 0), 0)
  expect(loss.onReport(block(200, 20, 0.2), 0)).toBeCloseTo(0.2, 1)
  expect(loss.onReport(block(300, 50, 0.3), 20)).toBeCloseTo(0.1, 1)
  expect(loss.onReport(block(300, 50, 0), 20)).toBe(0)
  expect(loss.onReport(block(400, 90, 0), 20)).toBe(0)
})
