import { expect, test } from "vitest"
import { hex, toHex } from "./bytes.ts"

test("hex reads digits with blanks and toHex writes them", () => {
  expect(hex("00 ff\n7F")).toEqual(Uint8Array.of(0, 255, 127))
  expect(toHex(hex("00 ff 7f"))).toBe("00ff7f")
})

test.each(["0", "0g", "zz"])("hex refuses %s", (digits) => {
  expect(() => hex(digits)).toThrow(RangeError)
})
