import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { type AmfValue, amfField, parseAmf0, serializeAmf0 } from "../../src/rtmp/amf0.ts"
import { hex, toHex } from "../support/bytes.ts"
import { allowGatewayErrors, gatewayErrorCode } from "../support/errors.ts"

const object = (entries: Record<string, AmfValue>) => Object.assign(Object.create(null), entries)

describe("each value has one form on the wire", () => {
  test.each<{ name: string; bytes: string; values: AmfValue[] }>([
    { name: "number", bytes: "00 3ff8000000000000", values: [1.5] },
    { name: "booleans", bytes: "0101 0100", values: [true, false] },
    { name: "string", bytes: "02 0004 6c697665", values: ["live"] },
    { name: "text outside ASCII", bytes: "02 0003 e282ac", values: ["€"] },
    { name: "null and undefined", bytes: "05 06", values: [null, undefined] },
    { name: "object", bytes: "03 0003 617070 02 0001 78 000009", values: [object({ app: "x" })] },
    { name: "ECMA array", bytes: "08 00000001 0001 61 05 000009", values: [new Map([["a", null]])] },
    { name: "strict array", bytes: "0a 00000002 05 0101", values: [[null, true]] },
    { name: "date", bytes: "0b 408f400000000000 0000", values: [new Date(1000)] },
    {
      name: "nested objects",
      bytes: "03 0001 61 03 0001 62 05 000009 000009",
      values: [object({ a: object({ b: null }) })],
    },
  ])("$name", ({ bytes, values }) => {
    expect(toHex(serializeAmf0(values))).toBe(bytes.replaceAll(" ", ""))
    expect(parseAmf0(hex(bytes))).toEqual(values)
  })

  test("a string above 65535 bytes is a long string", () => {
    const text = "x".repeat(70_000)
    const bytes = serializeAmf0([text])
    expect(toHex(bytes.subarray(0, 6))).toBe("0c0001117078")
    expect(parseAmf0(bytes)).toEqual([text])
  })
})

test.each<{ name: string; bytes: string; values: AmfValue[] }>([
  { name: "a stray object end", bytes: "05 09 0101", values: [null, true] },
  { name: "an object end in the place of a value", bytes: "03 0001 61 09 000009", values: [object({ a: undefined })] },
  { name: "an ECMA array without its end", bytes: "08 00000001 0001 61 05", values: [new Map([["a", null]])] },
  {
    name: "an ECMA array with a wrong count",
    bytes: "08 ffffffff 0001 61 05 000009",
    values: [new Map([["a", null]])],
  },
  { name: "a property with an empty name", bytes: "03 0000 05 000009", values: [object({ "": null })] },
  { name: "a typed object", bytes: "10 0001 43 0001 61 05 000009", values: [object({ a: null })] },
  { name: "an XML document", bytes: "0f 00000001 78", values: ["x"] },
  { name: "an unsupported value", bytes: "0d", values: [undefined] },
  { name: "a reference", bytes: "0a 00000000 07 0000", values: [[], []] },
])("reads $name", ({ bytes, values }) => {
  expect(parseAmf0(hex(bytes))).toEqual(values)
})

test.each([
  { name: "a number that is cut off", bytes: "00 3ff8", code: "bytes.truncated" },
  { name: "a string longer than the payload", bytes: "0c ffffffff 78", code: "bytes.truncated" },
  { name: "an array that announces more than is there", bytes: "0a ffffffff 05", code: "rtmp.amf" },
  { name: "nesting without end", bytes: "0a00000001".repeat(40), code: "rtmp.amf" },
  { name: "a reference into an open object", bytes: "0a 00000001 07 0000", code: "rtmp.amf" },
  { name: "a reference to nothing", bytes: "07 0007", code: "rtmp.amf" },
  { name: "an AMF3 value", bytes: "11 06", code: "rtmp.amf" },
])("refuses $name", ({ bytes, code }) => {
  expect(gatewayErrorCode(() => parseAmf0(hex(bytes)))).toBe(code)
})

test("__proto__ is a name like any other", () => {
  const [value] = parseAmf0(hex("03 0009 5f5f70726f746f5f5f 03 0001 61 05 000009 000009"))
  expect(Object.getPrototypeOf(value)).toBeNull()
  expect(amfField(value, "a")).toBeUndefined()
  expect(amfField(value, "__proto__")).toEqual(object({ a: null }))
})

test("no payload makes it throw anything but GatewayError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (payload) => void allowGatewayErrors(() => parseAmf0(payload))),
  )
})
