import { expect, test } from "vitest"
import { startChromium } from "../support/chromium.ts"
import { startGateway } from "../support/gateway.ts"
import { NARROW_BPS, narrowPath, publishThroughLoss, UPSTREAM_SETTINGS } from "../support/lossy-upstream.ts"
import { testScope } from "../support/test-scope.ts"

const scope = testScope()

test("a publication that loses 5 % of its packets each way is whole at viewers and readers", async () => {
  const gateway = await startGateway(scope, { settings: UPSTREAM_SETTINGS })
  const browser = await startChromium(scope)
  const found = await publishThroughLoss(scope, browser, gateway, { lossRate: 0.05, delayMs: 40, seconds: 6 })
  expect(found.readErrors).toEqual([])
  expect(found.presentedShare).toBeGreaterThan(0.9)
  expect(found.readShare).toBeGreaterThan(0.9)
  expect(found.longestGapMs).toBeLessThan(1_000)
  expect(found.resent).toBeGreaterThan(0)
  expect(found.lostPackets).toBeGreaterThan(0)
  expect(found.roundTripMs).toBeGreaterThan(75)
  expect(found.roundTripMs).toBeLessThan(300)
})

test("Chromium's encoder has its full bitrate within seconds and gives way where the path narrows", async () => {
  const gateway = await startGateway(scope, { settings: UPSTREAM_SETTINGS })
  const found = await narrowPath(scope, await startChromium(scope), gateway)
  expect(found.reachedAfterMs).toBeLessThan(5_000)
  expect(found.backedOffAfterMs).toBeLessThan(3_000)
  expect(found.narrowTargetBps).toBeLessThan(NARROW_BPS)
  expect(found.narrowRoundTripMs).toBeLessThan(400)
})
