import { describe, expect, test } from "vitest"
import { fuzzRtmp } from "../../scripts/lib/fuzz-rtmp.ts"
import { GROWING_INPUTS, growsTooFast, measureGrowth } from "../../scripts/lib/fuzz-rtmp-growth.ts"

test("mutated inputs bring nothing but what parsers give and GatewayErrors", () => {
  const { targets } = fuzzRtmp(39_000, 42)
  expect(targets.size).toBe(13)
  // Were nearly all refused, or all accepted, the mutations would not reach a parser's depths.
  for (const [name, { inputs, accepted }] of targets) {
    expect(accepted, name).toBeGreaterThan(inputs * 0.05)
    expect(accepted, name).toBeLessThan(inputs)
  }
}, 60_000)

describe("four times the input takes about four times as long", () => {
  test.each(GROWING_INPUTS)("$name", (input) => {
    expect(measureGrowth(input)).not.toSatisfy(growsTooFast)
  })
})
