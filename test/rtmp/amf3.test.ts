import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  AmfDictionary,
  AmfExternalObject,
  AmfTypedObject,
  type AmfValue,
  AmfVector,
  AmfXml,
} from "../../src/rtmp/amf-value.ts"
import { parseAmf3 } from "../../src/rtmp/amf3-decoder.ts"
import { serializeAmf3 } from "../../src/rtmp/amf3-encoder.ts"
import { hex, toHex } from "../support/bytes.ts"
import { allowGatewayErrors, gatewayErrorCode } from "../support/errors.ts"
import { amfValue } from "./amf-arbitrary.ts"

const object = (entries: Record<string, AmfValue>) => Object.assign(Object.create(null), entries)
const shared = object({ a: 1 })

describe("each value has one form on the wire", () => {
  test.each<{ name: string; bytes: string; values: AmfValue[] }>([
    { name: "undefined, null, false, true", bytes: "00 01 02 03", values: [undefined, null, false, true] },
    { name: "integers of one byte", bytes: "04 00 04 7f", values: [0, 127] },
    { name: "integers of two bytes", bytes: "04 8100 04 ff7f", values: [128, 16_383] },
    { name: "integers of three bytes", bytes: "04 818000 04 ffff7f", values: [16_384, 2_097_151] },
    { name: "integers of four bytes", bytes: "04 80c08000 04 bfffffff", values: [2_097_152, 268_435_455] },
    { name: "negative integers", bytes: "04 ffffffff 04 c0808000", values: [-1, -268_435_456] },
    { name: "numbers beyond 29 bits", bytes: "05 41b0000000000000", values: [268_435_456] },
    { name: "fractions, minus zero", bytes: "05 3ff8000000000000 05 8000000000000000", values: [1.5, -0] },
    { name: "strings, the second time by reference", bytes: "06 07 616263 06 01 06 00", values: ["abc", "", "abc"] },
    { name: "an XML document", bytes: "07 07 3c612f", values: [new AmfXml("<a/", "document")] },
    { name: "XML", bytes: "0b 07 3c612f", values: [new AmfXml("<a/", "e4x")] },
    { name: "a date", bytes: "08 01 408f400000000000", values: [new Date(1000)] },
    { name: "an array", bytes: "09 05 01 01 03", values: [[null, true]] },
    { name: "an array with names", bytes: "09 01 03 61 04 05 01", values: [new Map([["a", 5]])] },
    { name: "an object", bytes: "0a 0b 01 03 61 04 05 01", values: [object({ a: 5 })] },
    {
      name: "objects of one class",
      bytes: "0a 13 03 43 03 61 04 01 0a 01 04 02",
      values: [new AmfTypedObject("C", object({ a: 1 })), new AmfTypedObject("C", object({ a: 2 }))],
    },
    { name: "an object twice", bytes: "0a 0b 01 03 61 04 01 01 0a 00", values: [shared, shared] },
    { name: "a byte array", bytes: "0c 05 aabb", values: [hex("aabb")] },
    {
      name: "a vector of integers",
      bytes: "0d 05 01 ffffffff 00000002",
      values: [new AmfVector({ type: "int", items: [-1, 2] }, true)],
    },
    {
      name: "a vector of counts",
      bytes: "0e 03 00 ffffffff",
      values: [new AmfVector({ type: "uint", items: [0xffff_ffff] })],
    },
    {
      name: "a vector of numbers",
      bytes: "0f 03 00 3ff8000000000000",
      values: [new AmfVector({ type: "double", items: [1.5] })],
    },
    {
      name: "a vector of objects",
      bytes: "10 05 00 03 43 01 06 00",
      values: [new AmfVector({ type: "object", typeName: "C", items: [null, "C"] })],
    },
    { name: "a dictionary", bytes: "11 03 01 04 01 06 03 78", values: [new AmfDictionary([[1, "x"]], true)] },
    {
      name: "an ArrayCollection",
      bytes: `0a 07 43 ${toHex(new TextEncoder().encode("flex.messaging.io.ArrayCollection"))} 09 03 01 04 07`,
      values: [new AmfExternalObject("flex.messaging.io.ArrayCollection", [7])],
    },
    {
      name: "an ObjectProxy",
      bytes: `0a 07 3b ${toHex(new TextEncoder().encode("flex.messaging.io.ObjectProxy"))} 0a 0b 01 03 61 01 01`,
      values: [new AmfExternalObject("flex.messaging.io.ObjectProxy", object({ a: null }))],
    },
  ])("$name", ({ bytes, values }) => {
    expect(toHex(serializeAmf3(values))).toBe(bytes.replaceAll(" ", ""))
    expect(parseAmf3(hex(bytes))).toEqual(values)
  })
})

test.each<{ name: string; bytes: string; values: AmfValue[] }>([
  { name: "an integer with more bytes than it needs", bytes: "04 8005", values: [5] },
  {
    name: "an array with names and a numbered part",
    bytes: "09 05 03 61 04 05 01 01 03",
    values: [
      new Map<string, AmfValue>([
        ["a", 5],
        ["0", null],
        ["1", true],
      ]),
    ],
  },
  {
    name: "an anonymous object with a class of fixed names",
    bytes: "0a 13 01 03 61 04 05",
    values: [object({ a: 5 })],
  },
  {
    name: "a dynamic class with fixed names too",
    bytes: "0a 1b 03 43 03 61 04 05 03 62 04 06 01",
    values: [new AmfTypedObject("C", object({ a: 5, b: 6 }))],
  },
  { name: "a date by reference", bytes: "08 01 408f400000000000 08 00", values: [new Date(1000), new Date(1000)] },
  { name: "a byte array by reference", bytes: "0c 03 aa 0c 00", values: [hex("aa"), hex("aa")] },
])("reads $name", ({ bytes, values }) => {
  expect(parseAmf3(hex(bytes))).toEqual(values)
})

test.each([
  { name: "an unknown marker", bytes: "12", code: "rtmp.amf" },
  { name: "a string that is cut off", bytes: "06 07 61", code: "bytes.truncated" },
  { name: "a reference to a string that is not there", bytes: "06 02", code: "rtmp.amf" },
  { name: "a reference to an object that is not there", bytes: "0a 04", code: "rtmp.amf" },
  { name: "a reference to a class that is not there", bytes: "0a 05", code: "rtmp.amf" },
  { name: "an array that contains itself", bytes: "09 03 01 09 00", code: "rtmp.amf" },
  { name: "an array that announces more than is there", bytes: "09 ffffffff 01", code: "rtmp.amf" },
  { name: "a vector that announces more than is there", bytes: "0f 05 00 3ff8000000000000", code: "rtmp.amf" },
  { name: "a class that announces more names than there are", bytes: "0a fffffff3 01", code: "rtmp.amf" },
  { name: "a dictionary that announces more than is there", bytes: "11 7f 00 01", code: "rtmp.amf" },
  { name: "nesting without end", bytes: "09 03 01".repeat(40), code: "rtmp.amf" },
  { name: "an object that writes itself in an unknown way", bytes: "0a 07 03 43 01", code: "rtmp.amf" },
])("refuses $name", ({ bytes, code }) => {
  expect(gatewayErrorCode(() => parseAmf3(hex(bytes)))).toBe(code)
})

test("a long text that is referred to very often is refused", () => {
  const text = serializeAmf3(["x".repeat(100_000)])
  const bytes = Uint8Array.from([...text, ...hex("0600".repeat(50))])
  expect(gatewayErrorCode(() => parseAmf3(bytes))).toBe("rtmp.amf")
})

test("names of a class count for each of its objects", () => {
  const objects = Array.from({ length: 60 }, () => new AmfTypedObject("C", { ["x".repeat(100_000)]: null }))
  expect(gatewayErrorCode(() => parseAmf3(serializeAmf3(objects)))).toBe("rtmp.amf")
})

test("a property without a name, and a cycle, cannot be written", () => {
  const cycle: AmfValue[] = []
  expect(gatewayErrorCode(() => serializeAmf3([{ "": 1 }]))).toBe("rtmp.amf")
  let nested: AmfValue = null
  for (let i = 0; i < 70; i++) nested = [nested]
  expect(gatewayErrorCode(() => serializeAmf3([nested]))).toBe("rtmp.amf")
  cycle.push(cycle)
  expect(gatewayErrorCode(() => parseAmf3(serializeAmf3([cycle])))).toBe("rtmp.amf")
})

test("what is written can be read", () => {
  const property = fc.property(fc.array(amfValue, { maxLength: 3 }), (values) => {
    expect(parseAmf3(serializeAmf3(values))).toEqual(values)
  })
  fc.assert(property)
})

test("no payload makes it throw anything but GatewayError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (payload) => void allowGatewayErrors(() => parseAmf3(payload))),
  )
})
