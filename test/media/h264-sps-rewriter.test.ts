import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { parseSps } from "../../src/media/h264.ts"
import { withReorderFrames, withSpsId } from "../../src/media/h264-sps-rewriter.ts"
import { hex, toHex } from "../support/bytes.ts"
import { allowGatewayErrors } from "../support/errors.ts"

// x264, 640x360, High, level 3, two reordered pictures; then without bitstream_restriction, and without any VUI.
const DECLARED = hex("6764001eacd940a02ff97011000003000100000300320f162d96")
const NO_RESTRICTION = hex("6764001eacd940a02ff970110000030001000003003204")
const NO_VUI = hex("6764001eacd940a02ff950")

describe("the id of an SPS", () => {
  test.each([
    ["of the same length", DECLARED, 0],
    ["longer, with new emulation prevention", DECLARED, 31],
    ["in a short one", NO_VUI, 31],
  ])("is replaced: %s", (_, sps, spsId) => {
    const copy = withSpsId(sps, spsId)
    expect(parseSps(copy)).toEqual({ ...parseSps(sps), spsId })
    expect(withSpsId(copy, 0)).toEqual(sps)
  })

  test("nothing else changes", () => {
    expect(toHex(withSpsId(NO_VUI, 31))).toBe("6764001e040b3650280bfe54")
  })
})

describe("max_num_reorder_frames", () => {
  test.each([
    ["where the VUI stops before it", NO_RESTRICTION],
    ["where there is no VUI", NO_VUI],
  ])("is added %s", (_, sps) => {
    for (let depth = 1; depth <= 8; depth++) {
      expect(parseSps(withReorderFrames(sps, depth))).toEqual({ ...parseSps(sps), maxReorderFrames: depth })
    }
  })

  test("stays within what the level can buffer", () => {
    expect(parseSps(withReorderFrames(NO_VUI, 16)).maxReorderFrames).toBe(8)
  })

  test("stays where the stream says it", () => {
    expect(withReorderFrames(DECLARED, 3)).toBe(DECLARED)
  })
})

test("no bytes make it throw anything but a GatewayError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 0, max: 31 }), (bytes, number) => {
      const sps = Uint8Array.of(0x67, ...bytes)
      allowGatewayErrors(() => withSpsId(sps, number))
      allowGatewayErrors(() => withReorderFrames(sps, number))
    }),
  )
})
