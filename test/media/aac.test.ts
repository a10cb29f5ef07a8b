import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { parseAacConfig, serializeAacLcConfig } from "../../src/media/aac.ts"
import { hex, toHex } from "../support/bytes.ts"
import { allowGatewayErrors, gatewayErrorCode } from "../support/errors.ts"

const LC = { objectType: 2, samplesPerFrame: 1024, hasSbr: false, hasParametricStereo: false }

describe("AAC-LC has one form", () => {
  test.each([
    { bytes: "1210", sampleRateHz: 44_100, channels: 2 },
    { bytes: "1188", sampleRateHz: 48_000, channels: 1 },
    { bytes: "11b8", sampleRateHz: 48_000, channels: 8 },
    { bytes: "178025e410", sampleRateHz: 19_400, channels: 2 },
  ])("$sampleRateHz Hz, $channels channels", ({ bytes, sampleRateHz, channels }) => {
    expect(toHex(serializeAacLcConfig(sampleRateHz, channels))).toBe(bytes)
    expect(parseAacConfig(hex(bytes))).toEqual({ ...LC, sampleRateHz, channels, outputRateHz: sampleRateHz })
  })
})

test.each([
  {
    name: "HE-AAC, signalled as object type",
    bytes: "2b92 0800",
    config: { ...LC, sampleRateHz: 22_050, channels: 2, outputRateHz: 44_100, hasSbr: true },
  },
  {
    name: "HE-AAC v2, signalled as object type",
    bytes: "eb09 8800",
    config: { ...LC, sampleRateHz: 24_000, channels: 1, outputRateHz: 48_000, hasSbr: true, hasParametricStereo: true },
  },
  {
    name: "HE-AAC, signalled after the core",
    bytes: "1310 56e5 98",
    config: { ...LC, sampleRateHz: 24_000, channels: 2, outputRateHz: 48_000, hasSbr: true },
  },
  {
    name: "HE-AAC v2, signalled after the core",
    bytes: "1308 56e5 9d 4880",
    config: { ...LC, sampleRateHz: 24_000, channels: 1, outputRateHz: 48_000, hasSbr: true, hasParametricStereo: true },
  },
  {
    name: "LC that says that there is no more",
    bytes: "1210 56e5 00",
    config: { ...LC, sampleRateHz: 44_100, channels: 2, outputRateHz: 44_100 },
  },
  {
    name: "frames of 960 samples",
    bytes: "1214",
    config: { ...LC, sampleRateHz: 44_100, channels: 2, outputRateHz: 44_100, samplesPerFrame: 960 },
  },
])("reads $name", ({ bytes, config }) => {
  expect(parseAacConfig(hex(bytes))).toEqual(config)
})

test.each([
  { name: "nothing", bytes: "" },
  { name: "one byte", bytes: "12" },
  { name: "channel configuration 0", bytes: "1200" },
  { name: "channel configuration 9", bytes: "1248" },
  { name: "a reserved sampling frequency", bytes: "1690" },
  { name: "a sampling frequency of 0", bytes: "1780000010" },
  { name: "an object type that is no AAC", bytes: "4210" },
  { name: "an escaped object type", bytes: "f8000000" },
])("refuses $name", ({ bytes }) => {
  expect(gatewayErrorCode(() => parseAacConfig(hex(bytes)))).toBe("media.aac")
})

test("refuses to write 7 channels", () => {
  expect(gatewayErrorCode(() => serializeAacLcConfig(48_000, 7))).toBe("media.aac")
})

test("no bytes make it throw anything but GatewayError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => void allowGatewayErrors(() => parseAacConfig(bytes))),
  )
})
