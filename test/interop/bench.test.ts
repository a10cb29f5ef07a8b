import { expect, test } from "vitest"
import { measureRound } from "../../scripts/lib/bench/fanout-round.ts"
import { makeClip } from "../../scripts/lib/bench/publisher.ts"
import { testScope } from "../support/test-scope.ts"

const scope = testScope()

test("the benchmark of the fan-out counts what viewers get, whole and authentic", async () => {
  await makeClip(scope)
  const round = await measureRound("typescript", { viewers: 2, seconds: 1, settleSeconds: 0.3 })
  expect(round).toMatchObject({ lossPercent: 0, damagedPackets: 0 })
  expect(round.sampledPackets).toBeGreaterThan(200)
  expect(round.slowestShare).toBeGreaterThan(0.5)
  expect(round.bytesPerPacket).toBeGreaterThan(500)
  expect(round.cpuUsPerPacket).toBeGreaterThan(0)
  expect(round.firstPacketP50Ms).toBeGreaterThan(0)
})
