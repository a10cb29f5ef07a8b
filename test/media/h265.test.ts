import fc from "fast-check"
import { expect, test } from "vitest"
import { h265NalType, isH265KeyframeType, parseH265SetId, parseH265Sps } from "../../src/media/h265.ts"
import { hex } from "../support/bytes.ts"

// Parameter sets that x265 wrote.
const MAIN = hex("42010101600000030090000003000003003ca00a080c1d446595952930bffc1640165da708000003000800000300c840")

test.each([
  { name: "Main", sps: MAIN, size: [318, 178], profileIdc: 1 },
  {
    name: "4:4:4 with an odd height",
    sps: hex("4201010408000003009e0800000300003c9001410183b8432caca94985ffe03b003bad010000030001000003001908"),
    size: [318, 177],
    profileIdc: 4,
  },
  {
    name: "4:2:2 of 10 bits",
    sps: hex("4201010408000003009d0800000300003cb00a080c1d47b6595952930bffc1640165da020000030002000003003210"),
    size: [318, 178],
    profileIdc: 4,
  },
  {
    name: "two temporal layers",
    sps: hex("4201020160000003009000000300000300780000a003c0801107cb965652b2a5261780b4e10000030001000003001908"),
    size: [1920, 1080],
    profileIdc: 1,
  },
])("reads profile and cropped size of $name", ({ sps, size: [widthPx, heightPx], profileIdc }) => {
  expect(parseH265Sps(sps)).toMatchObject({ spsId: 0, profileIdc, widthPx, heightPx })
})

test("reads the ids of each kind of set", () => {
  const vps = hex("40010c01ffff01600000030090000003000003003c959409")
  expect([vps, MAIN, hex("4401c073c189"), hex("44014f")].map(parseH265SetId)).toEqual([0, 0, 0, 1])
})

test.each([
  { name: "nothing", nalUnit: new Uint8Array() },
  { name: "a slice", nalUnit: hex("2601af09") },
  { name: "half an SPS", nalUnit: MAIN.subarray(0, 20) },
  { name: "an SPS of another layer", nalUnit: Uint8Array.of(0x42, 0x09, ...MAIN.subarray(2)) },
  { name: "an SPS with a wrong header", nalUnit: Uint8Array.of(0xc2, 0x01, ...MAIN.subarray(2)) },
  { name: "a PPS with an id above 63", nalUnit: hex("4401 0104 8000") },
])("takes $name for no parameter set", ({ nalUnit }) => {
  expect(parseH265Sps(nalUnit)).toBeUndefined()
  expect(parseH265SetId(nalUnit)).toBeUndefined()
})

test("BLA, IDR and CRA are keyframes; other slices and reserved types are not", () => {
  const types = Array.from({ length: 64 }, (_, type) => type)
  expect(types.filter(isH265KeyframeType)).toEqual([16, 17, 18, 19, 20, 21])
  expect(h265NalType(hex("2601"))).toBe(19)
})

test("damaged sets give a sane size or none", () => {
  const damage = fc.record({ at: fc.nat({ max: MAIN.length - 1 }), byte: fc.integer({ min: 0, max: 255 }) })
  fc.assert(
    fc.property(fc.array(damage, { maxLength: 5 }), fc.nat({ max: MAIN.length }), (damages, length) => {
      const sps = MAIN.slice(0, length)
      for (const { at, byte } of damages) if (at < length) sps[at] = byte
      const { widthPx, heightPx } = parseH265Sps(sps) ?? { widthPx: 1, heightPx: 1 }
      expect(Math.min(widthPx, heightPx)).toBeGreaterThan(0)
      expect(Math.max(widthPx, heightPx)).toBeLessThanOrEqual(16_384)
    }),
    { numRuns: 1_000 },
  )
})
