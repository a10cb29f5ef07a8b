import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { AMF_LIMITS } from "../../src/rtmp/amf-meter.ts"
import {
  AmfExternalObject,
  AmfTypedObject,
  type AmfValue,
  AmfXml,
  amfField,
  isAmfRecord,
} from "../../src/rtmp/amf-value.ts"
import { parseAmf0, serializeAmf0 } from "../../src/rtmp/amf0.ts"
import { hex, toHex } from "../support/bytes.ts"
import { allowGatewayErrors, gatewayErrorCode } from "../support/errors.ts"
import { amf0Value, amfValue } from "./amf-arbitrary.ts"

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
      name: "typed object",
      bytes: "10 0001 43 0001 61 05 000009",
      values: [new AmfTypedObject("C", object({ a: null }))],
    },
    { name: "XML document", bytes: "0f 00000003 3c612f", values: [new AmfXml("<a/")] },
    { name: "a byte array, which is AMF3", bytes: "11 0c 05 aabb", values: [hex("aabb")] },
    { name: "a byte order mark", bytes: "02 0003 efbbbf", values: ["\ufeff"] },
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
  { name: "an AMF3 value", bytes: "11 06 03 78 05", values: ["x", null] },
  { name: "AMF3 within an object", bytes: "03 0001 61 11 04 05 000009", values: [object({ a: 5 })] },
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
  { name: "an AMF3 value that is cut off", bytes: "11 06", code: "bytes.truncated" },
  { name: "a movie clip", bytes: "04", code: "rtmp.amf" },
  { name: "a record set", bytes: "0e", code: "rtmp.amf" },
])("refuses $name", ({ bytes, code }) => {
  expect(gatewayErrorCode(() => parseAmf0(hex(bytes)))).toBe(code)
})

test("__proto__ is a name like any other", () => {
  const [value] = parseAmf0(hex("03 0009 5f5f70726f746f5f5f 03 0001 61 05 000009 000009"))
  expect(Object.getPrototypeOf(value)).toBeNull()
  expect(amfField(value, "a")).toBeUndefined()
  expect(amfField(value, "__proto__")).toEqual(object({ a: null }))
})

describe("references", () => {
  const shared = object({ a: null })

  test("what is the same object twice is written twice, or referred to if told so", () => {
    const twice = "03 0001 61 05 000009 03 0001 61 05 000009".replaceAll(" ", "")
    expect(toHex(serializeAmf0([shared, shared]))).toBe(twice)
    const once = serializeAmf0([[1], shared, shared], { hasReferences: true })
    expect(toHex(once)).toBe("0a 00000001 00 3ff0000000000000 03 0001 61 05 000009 07 0001".replaceAll(" ", ""))
    const [, first, second] = parseAmf0(once)
    expect(second).toBe(first)
  })

  test("few bytes that would stand for very many values are refused", () => {
    // Each array holds the one before ten times: ten to the power of twelve values in the end.
    const level = (index: number) => `0a 0000000a ${`07 ${index.toString(16).padStart(4, "0")}`.repeat(10)}`
    const bytes = hex(`0a 00000000 ${Array.from({ length: 12 }, (_, i) => level(i)).join("")}`)
    expect(gatewayErrorCode(() => parseAmf0(bytes))).toBe("rtmp.amf")
  })

  test("depth counts what a reference brings along", () => {
    const nested = `${"0a00000001".repeat(20)}05`
    const deeper = `${"0a00000001".repeat(20)}070000`
    expect(parseAmf0(hex(nested + nested))).toHaveLength(2)
    expect(gatewayErrorCode(() => parseAmf0(hex(nested + deeper)))).toBe("rtmp.amf")
  })
})

describe("limits", () => {
  test.each([
    { name: "values", limits: { ...AMF_LIMITS, maxValues: 2 }, bytes: "05 05 05" },
    { name: "bytes of text", limits: { ...AMF_LIMITS, maxBytes: 3 }, bytes: "02 0002 6161 02 0002 6161" },
    { name: "depth", limits: { ...AMF_LIMITS, maxDepth: 1 }, bytes: "0a00000001 0a00000001 05" },
  ])("on $name", ({ limits, bytes }) => {
    expect(gatewayErrorCode(() => parseAmf0(hex(bytes), limits))).toBe("rtmp.amf")
  })

  test("names above 65535 bytes, and cycles, cannot be written", () => {
    const cycle: AmfValue[] = []
    cycle.push(cycle)
    expect(gatewayErrorCode(() => serializeAmf0([cycle]))).toBe("rtmp.amf")
    expect(gatewayErrorCode(() => serializeAmf0([{ ["x".repeat(65_536)]: 1 }]))).toBe("rtmp.amf")
  })
})

test("names are found in everything that has names, and only there", () => {
  const named = { a: 1 }
  const records: AmfValue[] = [named, new Map([["a", 1]]), new AmfTypedObject("C", named)]
  for (const record of records) {
    expect(isAmfRecord(record)).toBe(true)
    expect(amfField(record, "a")).toBe(1)
    expect(amfField(record, "constructor")).toBeUndefined()
  }
  expect(amfField(new AmfExternalObject("flex.messaging.io.ObjectProxy", named), "a")).toBe(1)
  for (const other of ["a", 1, null, undefined, [1], new Date(0), hex("00"), new AmfXml("a")]) {
    expect(isAmfRecord(other)).toBe(false)
    expect(amfField(other, "length")).toBeUndefined()
  }
})

test("what is written can be read", () => {
  fc.assert(
    fc.property(
      fc.array(amf0Value, { maxLength: 3 }),
      (values) => void expect(parseAmf0(serializeAmf0(values))).toEqual(values),
    ),
  )
  fc.assert(
    fc.property(
      fc.array(amfValue, { maxLength: 3 }),
      (values) => void expect(parseAmf0(serializeAmf0(values))).toEqual(values),
    ),
  )
})

test("no payload makes it throw anything but GatewayError, and what is read can be written", () => {
  const property = fc.property(fc.uint8Array({ maxLength: 64 }), (payload) => {
    const values = allowGatewayErrors(() => parseAmf0(payload))
    if (values !== undefined) expect(parseAmf0(serializeAmf0(values))).toEqual(values)
  })
  fc.assert(property)
})
