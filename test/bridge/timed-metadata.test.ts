import { expect, test } from "vitest"
import { metadataOfScript } from "../../src/bridge/timed-metadata.ts"
import type { AmfValue } from "../../src/rtmp/amf-value.ts"
import { serializeAmf0 } from "../../src/rtmp/amf0.ts"

test.each<[string, AmfValue[], unknown]>([
  ["text", [{ text: "hello" }], [{ text: "hello" }]],
  [
    "a cue point",
    [
      new Map<string, AmfValue>([
        ["name", "ad"],
        ["time", 1.5],
      ]),
    ],
    [{ name: "ad", time: 1.5 }],
  ],
  ["what JSON cannot say", [Number.NaN, undefined, new Date(0)], [null, null, "1970-01-01T00:00:00.000Z"]],
  ["a list", [["a", true, null]], [["a", true, null]]],
  ["a name that objects have", [{ ["__proto__"]: 1, a: 2 }], [{ a: 2 }]],
])("a script tag with %s", (_, values, expected) => {
  const metadata = metadataOfScript(serializeAmf0(["onTextData", ...values]))
  expect(JSON.parse(JSON.stringify(metadata))).toMatchObject({ kind: "data", name: "onTextData", values: expected })
})

test("a script tag that is damaged, too long or without a name says nothing", () => {
  expect(metadataOfScript(new Uint8Array([2, 0, 9, 1]))).toBeUndefined()
  expect(metadataOfScript(serializeAmf0([1]))).toBeUndefined()
  expect(metadataOfScript(serializeAmf0(["onTextData", "x".repeat(20_000)]))).toBeUndefined()
})
