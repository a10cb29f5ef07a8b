import fc from "fast-check"
import { expect, test } from "vitest"
import {
  isSliceNal,
  parseAvcConfig,
  parsePpsIds,
  parseSps,
  serializeAvcConfig,
  sliceType,
  unescapeRbsp,
} from "../../src/media/h264.ts"
import { hex, toHex } from "../support/bytes.ts"
import { allowGatewayErrors, gatewayErrorCode } from "../support/errors.ts"

// Decoder configurations that ffmpeg 5.1 with x264 wrote.
const BASELINE = "0142c01effe100196742c01ed890280bfe5c04400000030040000 00c83c58b898001000568c888cb20"
const HIGH_B_FRAMES = "0164001fffe1001a6764001facd9405005bfac044000000300400000 0f03c60c658001000668ebe3cb22c0fdf8f800"
const HIGH_444 = "01f4000dffe1001967f4000d919640507ec04400000300040000 0300f23c50a92001000668ebc3c44844fff8f800"
const INTERLACED_HRD =
  "0164001effe100236764001eacd940b424d808800000030080000019 3020007a12000f427261807c50a658010005 68fbacb22cfdf8f800"

test.each([
  { name: "baseline", record: BASELINE, profileIdc: 66, levelIdc: 30, size: [640, 360], maxReorderFrames: 0 },
  {
    name: "High with B-frames, cropped",
    record: HIGH_B_FRAMES,
    profileIdc: 100,
    levelIdc: 31,
    size: [1280, 718],
    maxReorderFrames: 2,
  },
  { name: "High 4:4:4", record: HIGH_444, profileIdc: 244, levelIdc: 13, size: [320, 240], maxReorderFrames: 0 },
  {
    name: "interlaced with HRD parameters",
    record: INTERLACED_HRD,
    profileIdc: 100,
    levelIdc: 30,
    size: [720, 576],
    maxReorderFrames: 2,
  },
])("reads and writes the configuration of a $name stream", ({ name: _, record, size, ...facts }) => {
  const config = parseAvcConfig(hex(record))
  expect(config.nalLengthBytes).toBe(4)
  expect(parseSps(config.sps[0] as Uint8Array)).toMatchObject({
    spsId: 0,
    widthPx: size[0],
    heightPx: size[1],
    ...facts,
  })
  expect(parsePpsIds(config.pps[0] as Uint8Array)).toEqual({ ppsId: 0, spsId: 0 })
  expect(toHex(serializeAvcConfig(config.sps, config.pps))).toBe(record.replaceAll(" ", ""))
})

test.each([
  { name: "nothing", record: "" },
  { name: "another version", record: `02${BASELINE.slice(2)}` },
  { name: "lengths of 3 bytes", record: `0142c01efe${BASELINE.slice(10)}` },
  { name: "no SPS", record: "0142c01effe0 01 0002 68ce" },
  { name: "no PPS", record: `${BASELINE.replaceAll(" ", "").slice(0, 66)}00` },
  { name: "a PPS in the place of the SPS", record: "0142c01effe1 0002 68ce 01 0002 68ce" },
  { name: "an SPS that is cut off", record: BASELINE.slice(0, 40) },
])("refuses a configuration with $name", ({ record }) => {
  expect(gatewayErrorCode(() => parseAvcConfig(hex(record)))).toBe("media.h264")
})

test.each([
  { name: "something else", nalUnit: "65 88" },
  { name: "an SPS that is cut off", nalUnit: "6742c01ed8" },
  { name: "a picture that is too large", nalUnit: "6742c01e f4 00 10 00 00 80 00 00 80" },
])("refuses $name as SPS", ({ nalUnit }) => {
  expect(gatewayErrorCode(() => parseSps(hex(nalUnit)))).toBe("media.h264")
})

test("an SPS whose VUI is cut off still gives the size", () => {
  const [sps] = parseAvcConfig(hex(BASELINE)).sps as [Uint8Array]
  expect(parseSps(sps.subarray(0, 14))).toMatchObject({ widthPx: 640, heightPx: 360, maxReorderFrames: undefined })
})

test.each([
  { nalUnit: "65 88 84", type: "I" }, // first_mb 0, slice_type 7
  { nalUnit: "41 9a 00", type: "P" }, // first_mb 0, slice_type 5
  { nalUnit: "01 9e 00", type: "B" }, // first_mb 0, slice_type 6
  { nalUnit: "41 e0 00", type: "P" }, // first_mb 0, slice_type 0
  { nalUnit: "01 a0 00", type: "B" }, // first_mb 0, slice_type 1
  { nalUnit: "06 05 01", type: undefined },
  { nalUnit: "41", type: undefined },
])("slice type of $nalUnit is $type", ({ nalUnit, type }) => {
  expect(sliceType(hex(nalUnit))).toBe(type)
})

test("slices are the NAL units 1 to 5", () => {
  expect([0, 1, 5, 6, 7].map((type) => isSliceNal(Uint8Array.of(type)))).toEqual([false, true, true, false, false])
})

test.each([
  { name: "none", escaped: "01 03 00 03", rbsp: "01 03 00 03" },
  { name: "one", escaped: "01 00 00 03 01", rbsp: "01 00 00 01" },
  { name: "several", escaped: "00 00 03 00 00 03 00 00 03", rbsp: "00 00 00 00 00 00" },
  { name: "one before a three", escaped: "00 00 03 03 05", rbsp: "00 00 03 05" },
])("takes out emulation prevention bytes: $name", ({ escaped, rbsp }) => {
  expect(toHex(unescapeRbsp(hex(escaped)))).toBe(rbsp.replaceAll(" ", ""))
})

test("no bytes make them throw anything but GatewayError", () => {
  const prefixes = fc.constantFrom("67", "6764001f", "68", "01", "0164001fffe1", "0142c01effe100196742c01ed8")
  const property = fc.property(prefixes, fc.uint8Array({ maxLength: 60 }), (prefix, rest) => {
    const bytes = Uint8Array.of(...hex(prefix), ...rest)
    for (const parse of [parseSps, parsePpsIds, parseAvcConfig, sliceType]) allowGatewayErrors(() => parse(bytes))
    allowGatewayErrors(() => serializeAvcConfig([bytes], [bytes]))
  })
  fc.assert(property)
})
