import fc from "fast-check"
import { expect, test } from "vitest"
import { packetizeAv1 } from "../../src/rtp/av1-packetizer.ts"
import { hex, toHex } from "../support/bytes.ts"

const run = (obus: readonly string[], isKeyframe = false) =>
  packetizeAv1(obus.map(hex), { isKeyframe, maxPayloadBytes: 16 }).map(toHex)

test("up to three OBUs are counted, and the last one has no length", () => {
  expect(run(["30aa"])).toEqual(["1030aa"])
  expect(run(["0800aa", "30bb"], true)).toEqual(["28 03 0800aa 30bb".replaceAll(" ", "")])
  expect(run(["0800aa", "28cc", "30bb"])).toEqual(["30 03 0800aa 02 28cc 30bb".replaceAll(" ", "")])
})

test("of more than three each has a length", () => {
  expect(run(["0801", "2802", "2803", "3004"])).toEqual(["00 02 0801 02 2802 02 2803 02 3004".replaceAll(" ", "")])
})

test("an OBU that does not fit goes on in the next packets, and N stands on the first one alone", () => {
  const frame = "30000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e"
  expect(run(["0801", frame, "28ee"], true)).toEqual(
    ["68 02 0801 300001020304050607 0809", "d0 0a0b0c0d0e0f1011121314151617", "a0 07 18191a1b1c1d1e 28ee"].map(
      (digits) => digits.replaceAll(" ", ""),
    ),
  )
})

test("a long OBU has a length of two bytes", () => {
  const obus = [hex("0801"), new Uint8Array(200).fill(1), hex("30"), hex("31")]
  const [payload] = packetizeAv1(obus, { isKeyframe: false })
  expect(toHex(payload as Uint8Array)).toBe(`00020801c801${"01".repeat(200)}01300131`)
})

test("nothing makes no packet", () => {
  expect(run([])).toEqual([])
})

test("where an OBU would fill a packet to its end, its last byte goes into the next one", () => {
  expect(run(["30000102030405060708090a0b0c", "28ee"])).toEqual(
    ["50 30000102030405060708090a0b", "a0 01 0c 28ee"].map((digits) => digits.replaceAll(" ", "")),
  )
})

test("every packet goes on with the OBU of the one before: libwebrtc knows the end of a picture by that", () => {
  const sizes = fc.array(fc.integer({ min: 2, max: 70 }), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(sizes, fc.integer({ min: 16, max: 60 }), (list, maxPayloadBytes) => {
      const obus = list.map((bytes) => new Uint8Array(bytes).fill(0x30))
      const payloads = packetizeAv1(obus, { isKeyframe: false, maxPayloadBytes })
      const last = payloads.length - 1
      expect(payloads.map(([header = 0]) => (header & 0x80) !== 0)).toEqual(payloads.map((_, i) => i > 0))
      expect(payloads.map(([header = 0]) => (header & 0x40) !== 0)).toEqual(payloads.map((_, i) => i < last))
    }),
  )
})
