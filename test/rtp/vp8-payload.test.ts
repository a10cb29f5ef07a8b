import fc from "fast-check"
import { expect, test } from "vitest"
import { findVp8Keyframe, withoutVp8PictureIds } from "../../src/rtp/vp8-payload.ts"
import { hex, toHex } from "../support/bytes.ts"

test.each([
  { name: "a picture id of 7 bits", payload: "90 80 05 b105", expected: "10b105" },
  { name: "a picture id of 15 bits", payload: "b0 80 9da9 b105", expected: "30b105" },
  { name: "all fields", payload: "90 f0 9da9 07 20 b105", expected: "10b105" },
  { name: "TL0PICIDX and KEYIDX alone", payload: "81 50 07 03 b105", expected: "01b105" },
  { name: "X without any field", payload: "90 00 b105", expected: "10b105" },
])("takes out $name", ({ payload, expected }) => {
  expect(toHex(withoutVp8PictureIds(hex(payload)))).toBe(expected)
})

test.each([
  { name: "no extension", payload: "10b105" },
  { name: "nothing at all", payload: "" },
  { name: "a descriptor that is cut off", payload: "90f09da9" },
])("passes on a payload with $name as it is", ({ payload }) => {
  const given = hex(payload)
  expect(withoutVp8PictureIds(given)).toBe(given)
})

test("keyframes are found without the picture ids where they are found with them, and the input stays as it was", () => {
  const descriptor = fc.constantFrom(
    "10",
    "9080058001",
    "90f0800507209099009d012a3e01b200",
    "9080059099009d012a3e01b200",
  )
  fc.assert(
    fc.property(descriptor, fc.uint8Array({ maxLength: 20 }), (start, rest) => {
      const payload = Uint8Array.of(...hex(start), ...rest)
      const before = toHex(payload)
      expect(findVp8Keyframe(withoutVp8PictureIds(payload))).toEqual(findVp8Keyframe(payload))
      expect(toHex(payload)).toBe(before)
    }),
  )
})
