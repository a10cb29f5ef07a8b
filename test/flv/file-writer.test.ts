import { expect, test } from "vitest"
import { FLV_TAG_TYPE, flvFileHeader, flvTag, scriptTag } from "../../src/flv/file-writer.ts"
import { hex, toHex } from "../support/bytes.ts"
import { gatewayErrorCode } from "../support/errors.ts"

test.each([
  { has: { hasVideo: true, hasAudio: true }, flags: "05" },
  { has: { hasVideo: true, hasAudio: false }, flags: "01" },
  { has: { hasVideo: false, hasAudio: true }, flags: "04" },
])("a header with flags $flags", ({ has, flags }) => {
  expect(toHex(flvFileHeader(has))).toBe(`464c5601${flags}0000000900000000`)
})

test.each([
  { name: "a small timestamp", timestampMs: 0x010203, bytes: "080000030102030000 0000aabbcc 0000000e" },
  { name: "the largest without extension", timestampMs: 0xff_ffff, bytes: "08000003ffffff000000 00aabbcc0000000e" },
  { name: "the extended byte", timestampMs: 0x12_345678, bytes: "08000003345678120000 00aabbcc0000000e" },
  { name: "the last before it wraps", timestampMs: 0xffff_ffff, bytes: "08000003ffffffff0000 00aabbcc0000000e" },
])("a tag with $name", ({ timestampMs, bytes }) => {
  const parts = [hex("aa"), hex(""), hex("bbcc")]
  expect(flvTag({ typeId: FLV_TAG_TYPE.audio, timestampMs, parts })).toEqual(hex(bytes))
})

test("a script tag holds its name and its values in AMF0", () => {
  const values = "08 00000001 0001 77 00 4008000000000000 0000 09"
  const tag = `12 000018 000000 00 000000 02 0001 61 ${values} 00000023`
  expect(scriptTag("a", new Map([["w", 3]]), 0)).toEqual(hex(tag))
})

test("a body that the size field cannot tell is refused", () => {
  const half = new Uint8Array(0x80_0000)
  const make = () => flvTag({ typeId: FLV_TAG_TYPE.video, timestampMs: 0, parts: [half, half] })
  expect(gatewayErrorCode(make)).toBe("flv.tag")
})
