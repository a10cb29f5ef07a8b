import fc from "fast-check"
import { expect, test } from "vitest"
import { DEFAULT_MAX_PAYLOAD_BYTES, packetizeH264 } from "../../src/rtp/h264-packetizer.ts"
import { hex, toHex } from "../support/bytes.ts"
import { gatewayErrorCode } from "../support/errors.ts"
import { slice } from "./h264-stream.ts"

const LONG = "65 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"

test.each([
  { name: "one small NAL unit as it is", nalUnits: ["41 9a0102"], payloads: ["41 9a0102"] },
  { name: "SPS and PPS together", nalUnits: ["6742c0", "48ce"], payloads: ["78 0003 6742c0 0002 48ce"] },
  { name: "the F bit of any unit", nalUnits: ["0142", "e142"], payloads: ["f8 0002 0142 0002 e142"] },
  {
    name: "what does not fit into one STAP-A in two",
    nalUnits: ["6701020304", "6801020304", "6801", "0602"],
    payloads: ["78 0005 6701020304 0005 6801020304", "78 0002 6801 0002 0602"],
  },
  {
    name: "a unit of exactly the bound",
    nalUnits: ["410203040506070809101112131415 16"],
    payloads: ["41020304050607080910111213141516"],
  },
  {
    name: "a long unit in equal parts, the last one smaller",
    nalUnits: ["6701", LONG, "0602"],
    payloads: [
      "6701",
      "7c 85 0102030405060708090a0b",
      "7c 05 0c0d0e0f10111213141516",
      "7c 45 1718191a1b1c1d1e1f20",
      "0602",
    ],
  },
  { name: "nothing of an empty unit", nalUnits: ["", "4101"], payloads: ["4101"] },
])("sends $name", ({ nalUnits, payloads }) => {
  const made = packetizeH264(nalUnits.map(hex), { maxPayloadBytes: 16 })
  expect(made.map(toHex)).toEqual(payloads.map((payload) => toHex(hex(payload))))
})

test("mode 0 sends single NAL units, and refuses what does not fit", () => {
  const options = { maxPayloadBytes: 16, packetizationMode: 0 } as const
  expect(packetizeH264([hex("6742c0"), hex(""), hex("68ce")], options)).toEqual([hex("6742c0"), hex("68ce")])
  expect(gatewayErrorCode(() => packetizeH264([hex(LONG)], options))).toBe("rtp.payload")
})

test("the parts of any NAL unit are equal and within the bound", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1_141, max: 400_000 }), (sizeBytes) => {
      const sizes = packetizeH264([slice(0x65, sizeBytes)]).map((payload) => payload.length)
      const first = sizes[0] as number
      expect(first).toBeLessThanOrEqual(DEFAULT_MAX_PAYLOAD_BYTES)
      expect(sizes.slice(0, -1).every((size) => size === first)).toBe(true)
      expect(sizes.at(-1)).toBeLessThanOrEqual(first)
      expect(sizes.reduce((sum, size) => sum + size - 2, 1)).toBe(sizeBytes)
    }),
    { numRuns: 200 },
  )
})
