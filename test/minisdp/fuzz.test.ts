import { expect, test } from "vitest"
import { fuzzMiniSdp } from "../../scripts/lib/fuzz-minisdp.ts"

test("mutated datagrams bring nothing but packets and GatewayErrors, and no answer that is too long", () => {
  const report = fuzzMiniSdp(20_000, 42)
  // Were nearly all refused, or nearly all accepted, the mutations would not reach the parsers' depths.
  expect(report.accepted).toBeGreaterThan(1_000)
  expect(report.accepted).toBeLessThan(19_000)
  expect(report.answers).toBeGreaterThan(1_000)
}, 60_000)
