import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { parseAv1Format } from "../../src/media/av1.ts"
import { parseAv1Config, serializeAv1Config } from "../../src/media/av1-config.ts"
import { obuWithSize, splitObus } from "../../src/media/av1-temporal-unit.ts"
import { concat } from "../../src/media/bytes.ts"
import { parseHevcConfig, serializeHevcConfig } from "../../src/media/hevc-config.ts"
import { parseAc3Header, parseFlacHeader, parseMp3Header } from "../../src/media/sound-header.ts"
import { serializeVpConfig, VP8_FORMAT } from "../../src/media/vp-config.ts"
import { parseVp9Keyframe } from "../../src/media/vp9.ts"
import { hex, toHex } from "../support/bytes.ts"
import { allowGatewayErrors, gatewayErrorCode } from "../support/errors.ts"

/** x265, 1280x720, Main, level 3.1. */
const VPS = hex("40010c01ffff01600000030090000003000003005d959809")
const SPS = hex("4201020160000003009000000300000300780000a003c0801107cb965652b2a5261780b4e10000030001000003001908")
const PPS = hex("4401c073c189")
/** libaom, 128x72, main profile, 8 bits. */
const AV1_HEADER = hex("080000000337f8e6d7c802")

describe("HEVC", () => {
  test("a record has profile, level and samples of the SPS, and the sets in order", () => {
    const record = serializeHevcConfig([VPS], [SPS], [PPS])
    expect(toHex(record.subarray(0, 23))).toBe(
      "010160000000900000000000" + "78" + "f000fcfdf8f8" + "0000" + "13" + "03",
    )
    expect(parseHevcConfig(record)).toEqual({ nalUnits: [VPS, SPS, PPS], nalLengthBytes: 4 })
  })

  test("is refused where it is broken", () => {
    const record = serializeHevcConfig([VPS], [SPS], [PPS])
    for (let length = 0; length < record.length; length++) {
      expect(gatewayErrorCode(() => parseHevcConfig(record.subarray(0, length)))).toBe("media.h265")
    }
    expect(gatewayErrorCode(() => serializeHevcConfig([VPS], [PPS], [PPS]))).toBe("media.h265")
    expect(() => parseHevcConfig(hex(`02${"00".repeat(22)}`))).toThrow("unknown version")
    expect(() => parseHevcConfig(hex(`01${"00".repeat(20)}02 00`))).toThrow("3 bytes")
    const many = `01${"00".repeat(20)}0301 00 0081 ${"0000".repeat(129)}`
    expect(() => parseHevcConfig(hex(many))).toThrow("too many parameter sets")
  })
})

describe("AV1", () => {
  test("a record has the format of the sequence header", () => {
    const record = serializeAv1Config(AV1_HEADER)
    expect(toHex(record)).toBe("81000c00" + "0a0a0000000337f8e6d7c802")
    expect(parseAv1Config(record)).toEqual(AV1_HEADER)
    expect(parseAv1Config(hex("81000c00"))).toBeUndefined()
    expect(parseAv1Format(AV1_HEADER)).toEqual({
      profile: 0,
      level: 0,
      tier: 0,
      bitDepth: 8,
      isMonochrome: false,
      subsamplingX: true,
      subsamplingY: true,
      chromaSamplePosition: 0,
    })
  })

  test.each([
    { name: "cut off", text: "8100" },
    { name: "of another version", text: "82000c00" },
    { name: "with an OBU longer than itself", text: "81000c00 0a0a00" },
    { name: "with a size that never ends", text: "81000c00 0affffffffffffffff" },
  ])("a record $name is refused", ({ text }) => {
    expect(gatewayErrorCode(() => parseAv1Config(hex(text)))).toBe("media.av1")
  })

  test("a sequence header that is cut off makes no record", () => {
    expect(gatewayErrorCode(() => serializeAv1Config(AV1_HEADER.subarray(0, 8)))).toBe("media.av1")
  })

  test("size fields go and come; delimiters, tile lists and padding go", () => {
    const unit = hex("1200 0a0a0000000337f8e6d7c802 7a02ffff 4201aa 36 48 02 1122 30 99")
    const obus = splitObus(unit)
    expect(obus.map(toHex)).toEqual([toHex(AV1_HEADER), "34481122", "3099"])
    expect(obus.map((obu) => toHex(concat(obuWithSize(obu))))).toEqual([
      `0a0a${toHex(AV1_HEADER.subarray(1))}`,
      "3648021122",
      "320199",
    ])
  })

  test("any OBUs survive", () => {
    const payload = fc.uint8Array({ maxLength: 300 })
    const type = fc.constantFrom(1, 3, 4, 5, 6, 7)
    const obu = fc.tuple(type, payload).map(([code, rest]) => Uint8Array.of(code << 3, ...rest))
    const property = fc.property(fc.array(obu, { maxLength: 5 }), (obus) => {
      expect(splitObus(concat([...obus.flatMap(obuWithSize), new Uint8Array()]))).toEqual(obus)
    })
    fc.assert(property)
  })
})

test.each([
  { format: VP8_FORMAT, size: [320, 180], record: "000b82020202" },
  { format: parseVp9Keyframe(hex("b124c1a102009e80583031c1")), size: [1920, 1080], record: "0328a4020202" },
  { format: parseVp9Keyframe(hex("a249834200027a0160c0c704")), size: [3840, 2160], record: "013286020202" },
  { format: parseVp9Keyframe(hex("a2498342e013d00b060638")), size: [9000, 9000], record: "013e87020202" },
])("the record of VP8 and VP9 of $size", ({ format, size: [widthPx = 0, heightPx = 0], record }) => {
  expect(toHex(serializeVpConfig(format ?? VP8_FORMAT, { widthPx, heightPx }))).toBe(`01000000${record}0000`)
})

describe("headers of sound", () => {
  test.each([
    { name: "MPEG-1 layer III, joint stereo", facts: parseMp3Header(hex("fffb9064")), expected: [44_100, 2] },
    { name: "MPEG-2, mono", facts: parseMp3Header(hex("fff368c4")), expected: [16_000, 1] },
    { name: "MPEG-2.5", facts: parseMp3Header(hex("ffe31044")), expected: [11_025, 2] },
    { name: "AC-3, mono", facts: parseAc3Header(hex("0b77749f08402f842b")), expected: [48_000, 1] },
    { name: "E-AC-3, mono", facts: parseAc3Header(hex("0b77003f3287c00021")), expected: [48_000, 1] },
    { name: "E-AC-3, half a rate, 5.1", facts: parseAc3Header(hex("0b77003fdf8700")), expected: [22_050, 6] },
    {
      name: "FLAC as ffmpeg has it in FLV",
      facts: parseFlacHeader(hex("04000400000000000815 0bb800f0".padEnd(69, "0"))),
      expected: [48_000, 1],
    },
    {
      name: "FLAC as the specification has it",
      facts: parseFlacHeader(hex("664c6143 80000022 04000400000000000815 0ac442f0".padEnd(87, "0"))),
      expected: [44_100, 2],
    },
  ])("$name", ({ facts, expected }) => {
    expect([facts?.sampleRateHz, facts?.channels]).toEqual(expected)
  })

  test("nothing else is one", () => {
    expect([parseMp3Header, parseAc3Header, parseFlacHeader].map((parse) => parse(hex("0b")))).toEqual(
      Array(3).fill(undefined),
    )
    expect([parseMp3Header(hex("ffeb9064")), parseMp3Header(hex("fffb9c64"))]).toEqual([undefined, undefined])
    expect(parseFlacHeader(hex("664c6143 04000022".padEnd(85, "0")))).toBeUndefined()
  })
})

test("no bytes make them throw anything but GatewayError", () => {
  const property = fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    allowGatewayErrors(() => parseHevcConfig(concat([Uint8Array.of(1), bytes])))
    allowGatewayErrors(() => serializeHevcConfig([VPS], [concat([SPS.subarray(0, 20), bytes])], [PPS]))
    allowGatewayErrors(() => parseAv1Config(concat([Uint8Array.of(0x81), bytes])))
    allowGatewayErrors(() => serializeAv1Config(concat([Uint8Array.of(8), bytes])))
    for (const parse of [parseMp3Header, parseAc3Header, parseFlacHeader]) parse(bytes)
  })
  fc.assert(property, { numRuns: 1000 })
})
