import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { audioFrameHeader, parseAudioTag, serializeAudioConfig } from "../../src/flv/audio-tag.ts"
import { parseVideoTag, serializeVideoConfig, serializeVideoFrameHeader } from "../../src/flv/video-tag.ts"
import { concat } from "../../src/media/bytes.ts"
import { hex, toHex } from "../support/bytes.ts"
import { allowGatewayErrors } from "../support/errors.ts"

describe("video", () => {
  const frame = (isKeyframe: boolean, compositionTimeMs: number) => ({
    bytes: concat([serializeVideoFrameHeader(isKeyframe, compositionTimeMs), hex("aabb")]),
    tag: { type: "frame", isKeyframe, compositionTimeMs, data: hex("aabb") },
  })

  test.each([
    {
      name: "sequence header",
      hexBytes: "1700000000aabb",
      bytes: serializeVideoConfig(hex("aabb")),
      tag: { type: "config", record: hex("aabb") },
    },
    { name: "keyframe", hexBytes: "1701000000aabb", ...frame(true, 0) },
    { name: "inter frame", hexBytes: "2701000050aabb", ...frame(false, 80) },
    { name: "negative composition time", hexBytes: "2701ffffffaabb", ...frame(false, -1) },
  ])("$name has one form", ({ hexBytes, bytes, tag }) => {
    expect(toHex(bytes)).toBe(hexBytes)
    expect(parseVideoTag(hex(hexBytes))).toEqual(tag)
  })

  test.each([
    { name: "end of sequence", bytes: "17 02 000000", tag: { type: "endOfSequence" } },
    { name: "a command frame", bytes: "57 00", tag: { type: "other" } },
    { name: "an enhanced sequence start", bytes: "90 61766331 aabb", tag: { type: "config", record: hex("aabb") } },
    {
      name: "enhanced coded frames",
      bytes: "91 61766331 fffffe aabb",
      tag: { type: "frame", isKeyframe: true, compositionTimeMs: -2, data: hex("aabb") },
    },
    {
      name: "enhanced coded frames without composition time",
      bytes: "a3 61766331 aabb",
      tag: { type: "frame", isKeyframe: false, compositionTimeMs: 0, data: hex("aabb") },
    },
    { name: "an enhanced sequence end", bytes: "92 61766331", tag: { type: "endOfSequence" } },
    { name: "enhanced metadata", bytes: "94 61766331 00", tag: { type: "other" } },
  ])("reads $name", ({ bytes, tag }) => {
    expect(parseVideoTag(hex(bytes))).toEqual(tag)
  })

  test.each([
    { bytes: "12 00", message: "video codec Sorenson H.263 is not supported yet" },
    { bytes: "1c 00", message: "video codec HEVC is not supported yet" },
    { bytes: "90 68766331", message: "video codec hvc1 is not supported yet" },
    { bytes: "90 0a766331", message: "video codec .vc1 is not supported yet" },
    { bytes: "17 03 000000", message: "AVC packet type 3" },
    { bytes: "96 61766331", message: "enhanced video packet type 6 is not supported yet" },
  ])("refuses $bytes: $message", ({ bytes, message }) => {
    expect(() => parseVideoTag(hex(bytes))).toThrow(message)
  })
})

describe("audio", () => {
  test.each([
    {
      name: "AAC sequence header",
      hexBytes: "af001210",
      bytes: serializeAudioConfig("aac", hex("1210")),
      tag: { type: "config", codec: "aac", config: hex("1210") },
    },
    {
      name: "AAC frame",
      hexBytes: "af01aabb",
      bytes: concat([audioFrameHeader("aac"), hex("aabb")]),
      tag: { type: "frame", codec: "aac", data: hex("aabb") },
    },
    {
      name: "Opus sequence start",
      hexBytes: "904f707573aabb",
      bytes: serializeAudioConfig("opus", hex("aabb")),
      tag: { type: "config", codec: "opus", config: hex("aabb") },
    },
    {
      name: "Opus frame",
      hexBytes: "914f707573aabb",
      bytes: concat([audioFrameHeader("opus"), hex("aabb")]),
      tag: { type: "frame", codec: "opus", data: hex("aabb") },
    },
  ])("$name has one form", ({ hexBytes, bytes, tag }) => {
    expect(toHex(bytes)).toBe(hexBytes)
    expect(parseAudioTag(hex(hexBytes))).toEqual(tag)
  })

  test.each([
    { name: "enhanced AAC", bytes: "90 6d703461 1210", tag: { type: "config", codec: "aac", config: hex("1210") } },
    { name: "an enhanced sequence end", bytes: "92 4f707573", tag: { type: "endOfSequence" } },
    { name: "an enhanced channel layout", bytes: "94 4f707573 00", tag: { type: "other" } },
  ])("reads $name", ({ bytes, tag }) => {
    expect(parseAudioTag(hex(bytes))).toEqual(tag)
  })

  test.each([
    { bytes: "2f ff", message: "audio codec MP3 is not supported yet" },
    { bytes: "b2 00", message: "audio codec Speex is not supported yet" },
    { bytes: "90 664c6143", message: "audio codec fLaC is not supported yet" },
    { bytes: "af 02", message: "AAC packet type 2" },
  ])("refuses $bytes: $message", ({ bytes, message }) => {
    expect(() => parseAudioTag(hex(bytes))).toThrow(message)
  })
})

test("no body makes them throw anything but GatewayError", () => {
  const property = fc.property(fc.uint8Array({ maxLength: 16 }), (body) => {
    allowGatewayErrors(() => parseVideoTag(body))
    allowGatewayErrors(() => parseAudioTag(body))
  })
  fc.assert(property)
})
