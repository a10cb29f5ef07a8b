import { expect, test } from "vitest"
import { BitReader } from "../../src/media/bit-reader.ts"
import { hex } from "../support/bytes.ts"
import { gatewayErrorCode } from "../support/errors.ts"

test("reads bits across bytes", () => {
  const reader = new BitReader(hex("a5 ff 00 00 00 01"))
  expect([reader.bits(3), reader.bits(7), reader.flag()]).toEqual([0b101, 0b0010111, true])
  reader.skip(5)
  expect(reader.bits(32)).toBe(1)
  expect(reader.remainingBits).toBe(0)
  expect(gatewayErrorCode(() => reader.flag())).toBe("bytes.truncated")
})

test("reads exponential Golomb codes", () => {
  // 1 010 011 00100 00101, then padding
  const bits = new BitReader(hex("a6 42 80"))
  expect([bits.ue(), bits.ue(), bits.ue(), bits.ue(), bits.ue()]).toEqual([0, 1, 2, 3, 4])
  const signed = new BitReader(hex("a6 42 80"))
  expect([signed.se(), signed.se(), signed.se(), signed.se(), signed.se()]).toEqual([-0, 1, -1, 2, -2])
})

test.each(["", "00", "00 00 00 00 00 00"])("refuses the code %j", (bytes) => {
  expect(gatewayErrorCode(() => new BitReader(hex(bytes)).ue())).toBe("bytes.truncated")
})
