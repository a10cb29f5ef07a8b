import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { audioFrameHeader, parseAudioTag, serializeAudioConfig } from "../../src/flv/audio-tag.ts"
import { parseColorInfo, serializeColorInfo } from "../../src/flv/color-info.ts"
import type { FourCcAudioCodec } from "../../src/flv/fourcc.ts"
import {
  parseVideoTag,
  serializeVideoConfig,
  serializeVideoFrameHeader,
  serializeVideoMetadata,
} from "../../src/flv/video-tag.ts"
import { concat } from "../../src/media/bytes.ts"
import { VIDEO_CODECS, type VideoCodec } from "../../src/media/codec.ts"
import { hex, toHex } from "../support/bytes.ts"
import { allowGatewayErrors } from "../support/errors.ts"

const DATA = hex("aabb")
const single = (tag: unknown, timestampOffsetNs = 0) => ({ timestampOffsetNs, tracks: [{ trackId: 0, tag }] })

describe("video", () => {
  const config = (codec: VideoCodec) => ({ type: "config", codec, record: DATA })
  const frame = (codec: VideoCodec, isKeyframe: boolean, compositionTimeMs = 0) => ({
    type: "frame",
    codec,
    isKeyframe,
    compositionTimeMs,
    data: DATA,
  })
  const frameBytes = (codec: VideoCodec, isKeyframe: boolean, compositionTimeMs = 0) =>
    concat([serializeVideoFrameHeader(codec, isKeyframe, compositionTimeMs), DATA])

  test.each([
    { name: "H.264 header", text: "17 00 000000 aabb", bytes: serializeVideoConfig("h264", DATA), tag: config("h264") },
    { name: "HEVC header", text: "90 68766331 aabb", bytes: serializeVideoConfig("h265", DATA), tag: config("h265") },
    { name: "AV1 header", text: "90 61763031 aabb", bytes: serializeVideoConfig("av1", DATA), tag: config("av1") },
    { name: "VP9 header", text: "90 76703039 aabb", bytes: serializeVideoConfig("vp9", DATA), tag: config("vp9") },
    { name: "VP8 header", text: "90 76703038 aabb", bytes: serializeVideoConfig("vp8", DATA), tag: config("vp8") },
    { name: "H.264 keyframe", text: "17 01 000000 aabb", bytes: frameBytes("h264", true), tag: frame("h264", true) },
    { name: "H.264", text: "27 01 000050 aabb", bytes: frameBytes("h264", false, 80), tag: frame("h264", false, 80) },
    {
      name: "time back",
      text: "27 01 ffffff aabb",
      bytes: frameBytes("h264", false, -1),
      tag: frame("h264", false, -1),
    },
    { name: "HEVC keyframe", text: "93 68766331 aabb", bytes: frameBytes("h265", true), tag: frame("h265", true) },
    {
      name: "HEVC with composition time",
      text: "a1 68766331 fffffe aabb",
      bytes: frameBytes("h265", false, -2),
      tag: frame("h265", false, -2),
    },
    { name: "AV1 keyframe", text: "91 61763031 aabb", bytes: frameBytes("av1", true), tag: frame("av1", true) },
    { name: "VP9", text: "a1 76703039 aabb", bytes: frameBytes("vp9", false), tag: frame("vp9", false) },
    { name: "VP8 keyframe", text: "91 76703038 aabb", bytes: frameBytes("vp8", true), tag: frame("vp8", true) },
    {
      name: "HEVC metadata",
      text: "94 68766331 aabb",
      bytes: serializeVideoMetadata("h265", DATA),
      tag: { type: "metadata", codec: "h265", amf: DATA },
    },
  ])("$name has one form", ({ text, bytes, tag }) => {
    expect(toHex(bytes)).toBe(text.replaceAll(" ", ""))
    expect(parseVideoTag(hex(text))).toEqual(single(tag))
  })

  test.each([
    { name: "end of sequence", text: "17 02 000000", tag: { type: "endOfSequence", codec: "h264" } },
    { name: "a command frame", text: "57 00", tag: { type: "command", command: 0 } },
    { name: "an enhanced command frame", text: "d1 01", tag: { type: "command", command: 1 } },
    { name: "HEVC as Chinese encoders send it: header", text: "1c 00 000000 aabb", tag: config("h265") },
    { name: "HEVC as Chinese encoders send it: frame", text: "2c 01 000028 aabb", tag: frame("h265", false, 40) },
    { name: "an enhanced sequence start of H.264", text: "90 61766331 aabb", tag: config("h264") },
    { name: "enhanced coded frames of H.264", text: "91 61766331 fffffe aabb", tag: frame("h264", true, -2) },
    { name: "coded frames without composition time", text: "a3 61766331 aabb", tag: frame("h264", false) },
    { name: "an enhanced sequence end", text: "92 68766331", tag: { type: "endOfSequence", codec: "h265" } },
    {
      name: "metadata with the frame type of a command",
      text: "d4 61763031 aabb",
      tag: { type: "metadata", codec: "av1", amf: DATA },
    },
    { name: "Sorenson", text: "12 00", tag: { type: "unsupported", title: "Sorenson H.263" } },
    { name: "a codec id that nobody knows", text: "1f 00", tag: { type: "unsupported", title: "video codec 15" } },
    { name: "VVC", text: "90 76766331 aabb", tag: { type: "unsupported", title: "the video codec vvc1" } },
    {
      name: "bytes no log should see",
      text: "90 0a766331",
      tag: { type: "unsupported", title: "the video codec .vc1" },
    },
    { name: "AV1 of MPEG-2 TS", text: "95 61763031 00", tag: { type: "unsupported", title: "AV1 as in MPEG-2 TS" } },
  ])("reads $name", ({ text, tag }) => {
    expect(parseVideoTag(hex(text))).toEqual(single(tag))
  })

  test.each([
    { name: "an offset in nanoseconds", text: "97 02 0f423f 01 76703039 aabb", offsetNs: 999_999 },
    { name: "more nanoseconds than a millisecond has", text: "97 02 ffffff 01 76703039 aabb", offsetNs: 999_999 },
    { name: "an offset of too few bytes", text: "97 01 0001 01 76703039 aabb", offsetNs: 0 },
    { name: "another modifier", text: "97 00 ff 11 76703039 aabb", offsetNs: 0 },
    { name: "a chain", text: "97 00 ff 17 03 00000aff 07 00 01 11 76703039 aabb", offsetNs: 10 },
    { name: "a long one", text: `97 ff 0100 ${"00".repeat(257)} 01 76703039 aabb`, offsetNs: 0 },
  ])("ModEx: $name", ({ text, offsetNs }) => {
    expect(parseVideoTag(hex(text))).toEqual(single(frame("vp9", true), offsetNs))
  })

  test.each([
    { name: "one track", text: "96 01 76703039 05 aabb", tracks: [[5, frame("vp9", true)]] },
    {
      name: "tracks of one codec",
      text: "a6 11 68766331 00 000005 000028aabb 02 000005 000000aabb",
      tracks: [
        [0, frame("h265", false, 40)],
        [2, frame("h265", false)],
      ],
    },
    {
      name: "tracks of several codecs, one of them unknown",
      text: "96 20 61763031 01 000002 aabb 76766331 00 000001 ff",
      tracks: [
        [1, config("av1")],
        [0, { type: "unsupported", title: "the video codec vvc1" }],
      ],
    },
  ])("multitrack: $name", ({ text, tracks }) => {
    expect(parseVideoTag(hex(text)).tracks).toEqual(tracks.map(([trackId, tag]) => ({ trackId, tag })))
  })

  test.each([
    { text: "17 03 000000", message: "packet type 3 of h264 is unknown" },
    { text: "96 06 76703039 00", message: "Enhanced RTMP has no video packet type 6 here" },
    { text: "99 76703039", message: "Enhanced RTMP has no video packet type 9 here" },
    { text: "96 31 76703039 00", message: "multitrack type 3 is unknown" },
    { text: `96 11 76703039 ${"00000000".repeat(257)}`, message: "more than 256 tracks in a message" },
    { text: "", message: "need 1 bytes" },
    { text: "17", message: "need 1 bytes" },
    { text: "17 01 0000", message: "need 3 bytes" },
    { text: "91 766839", message: "need 4 bytes" },
    { text: "97 05 00", message: "need 6 bytes" },
    { text: "96 11 76703039 00 000003 aabb", message: "need 3 bytes" },
  ])("refuses $text", ({ text, message }) => {
    expect(() => parseVideoTag(hex(text))).toThrow(message)
  })
})

describe("audio", () => {
  const config = (codec: FourCcAudioCodec) => ({ type: "config", codec, config: DATA })
  const frame = (codec: FourCcAudioCodec) => ({ type: "frame", codec, data: DATA })
  const frameBytes = (codec: FourCcAudioCodec) => concat([audioFrameHeader(codec), DATA])

  test.each([
    { name: "AAC header", text: "af 00 aabb", bytes: serializeAudioConfig("aac", DATA), tag: config("aac") },
    { name: "AAC frame", text: "af 01 aabb", bytes: frameBytes("aac"), tag: frame("aac") },
    { name: "Opus header", text: "90 4f707573 aabb", bytes: serializeAudioConfig("opus", DATA), tag: config("opus") },
    { name: "Opus frame", text: "91 4f707573 aabb", bytes: frameBytes("opus"), tag: frame("opus") },
    { name: "FLAC header", text: "90 664c6143 aabb", bytes: serializeAudioConfig("flac", DATA), tag: config("flac") },
    { name: "FLAC frame", text: "91 664c6143 aabb", bytes: frameBytes("flac"), tag: frame("flac") },
    { name: "MP3 frame", text: "91 2e6d7033 aabb", bytes: frameBytes("mp3"), tag: frame("mp3") },
    { name: "AC-3 frame", text: "91 61632d33 aabb", bytes: frameBytes("ac-3"), tag: frame("ac-3") },
    { name: "E-AC-3 frame", text: "91 65632d33 aabb", bytes: frameBytes("ec-3"), tag: frame("ec-3") },
  ])("$name has one form", ({ text, bytes, tag }) => {
    expect(toHex(bytes)).toBe(text.replaceAll(" ", ""))
    expect(parseAudioTag(hex(text))).toEqual(single(tag))
  })

  test.each([
    { flags: 0x02, codec: "pcm" },
    { flags: 0x1e, codec: "adpcm" },
    { flags: 0x2f, codec: "mp3" },
    { flags: 0x3e, codec: "pcm" },
    { flags: 0x4e, codec: "nellymoser" },
    { flags: 0x5e, codec: "nellymoser" },
    { flags: 0x6a, codec: "nellymoser" },
    { flags: 0x7e, codec: "pcma" },
    { flags: 0x8e, codec: "pcmu" },
    { flags: 0xb2, codec: "speex" },
    { flags: 0xe2, codec: "mp3" },
  ])("flags $flags are $codec as it always was", ({ flags, codec }) => {
    expect(parseAudioTag(Uint8Array.of(flags, ...DATA))).toEqual(
      single({ type: "legacyFrame", codec, flags, data: DATA }),
    )
  })

  test.each([
    { name: "enhanced AAC header", text: "90 6d703461 aabb", message: single(config("aac")) },
    { name: "enhanced AAC frame", text: "91 6d703461 aabb", message: single(frame("aac")) },
    { name: "the end", text: "92 4f707573", message: single({ type: "endOfSequence", codec: "opus" }) },
    {
      name: "six channels",
      text: "94 4f707573 01 06 0000003f",
      message: single({ type: "channels", codec: "opus", channels: 6 }),
    },
    { name: "an offset in nanoseconds", text: "97 02 0003e8 01 4f707573 aabb", message: single(frame("opus"), 1000) },
    {
      name: "the first of two tracks as ffmpeg writes it",
      text: "95 01 65632d33 01 aabb",
      message: { timestampOffsetNs: 0, tracks: [{ trackId: 1, tag: frame("ec-3") }] },
    },
    {
      name: "device-specific sound",
      text: "f2 00",
      message: single({ type: "unsupported", title: "sound format 15" }),
    },
    { name: "AC-4", text: "91 61632d34 00", message: single({ type: "unsupported", title: "the audio codec ac-4" }) },
  ])("reads $name", ({ text, message }) => {
    expect(parseAudioTag(hex(text))).toEqual(message)
  })

  test.each([
    { text: "af 02", message: "AAC packet type 2 is unknown" },
    { text: "93 4f707573", message: "Enhanced RTMP has no audio packet type 3 here" },
    { text: "af", message: "need 1 bytes" },
    { text: "91 4f70", message: "need 4 bytes" },
    { text: "94 4f707573 01", message: "need 1 bytes" },
  ])("refuses $text", ({ text, message }) => {
    expect(() => parseAudioTag(hex(text))).toThrow(message)
  })
})

describe("colours", () => {
  const HDR = {
    colorConfig: { bitDepth: 10, colorPrimaries: 9, transferCharacteristics: 16, matrixCoefficients: 9 },
    hdrCll: { maxFall: 400, maxCLL: 1000 },
    hdrMdcv: { redX: 0.708, redY: 0.292, maxLuminance: 1000, minLuminance: 0.0001 },
  }
  /** As ffmpeg 9 writes it for BT.2020 with PQ. */
  const OF_FFMPEG =
    "020009636f6c6f72496e666f03000b636f6c6f72436f6e6669670300126d6174726978436f656666696369656e7473004022000000000000000009000009"

  test("come out as they went in", () => {
    expect(parseColorInfo(serializeColorInfo(HDR))).toEqual(HDR)
    expect(parseColorInfo(hex(OF_FFMPEG))).toEqual({ colorConfig: { matrixCoefficients: 9 } })
  })

  test("leave out what the specification does not know, and forget what is reset", () => {
    const odd = { ...HDR, hdrCll: { maxFall: Number.NaN }, more: { a: 1 } }
    expect(parseColorInfo(serializeColorInfo(odd))).toEqual({ colorConfig: HDR.colorConfig, hdrMdcv: HDR.hdrMdcv })
    expect(parseColorInfo(hex("020009636f6c6f72496e666f 06"))).toBeNull()
    expect(parseColorInfo(serializeColorInfo({}))).toBeNull()
  })

  test("are not needed to show a picture", () => {
    expect(parseColorInfo(hex("020003616263 05"))).toBeUndefined()
    expect(parseColorInfo(hex("0200ff"))).toBeUndefined()
  })
})

test("what is written is read again", () => {
  const property = fc.property(
    fc.constantFrom(...VIDEO_CODECS),
    fc.boolean(),
    fc.integer({ min: -0x80_0000, max: 0x7f_ffff }),
    fc.uint8Array({ maxLength: 40 }),
    (codec, isKeyframe, timeMs, data) => {
      const compositionTimeMs = codec === "h264" || codec === "h265" ? timeMs : 0
      const bytes = concat([serializeVideoFrameHeader(codec, isKeyframe, compositionTimeMs), data])
      expect(parseVideoTag(bytes)).toEqual(single({ type: "frame", codec, isKeyframe, compositionTimeMs, data }))
      expect(parseVideoTag(serializeVideoConfig(codec, data))).toEqual(single({ type: "config", codec, record: data }))
    },
  )
  fc.assert(property)
})

test("no bytes make them throw anything but GatewayError", () => {
  const start = fc.constantFrom(
    "",
    "17",
    "97 02 000000",
    "96 11 76703039",
    "96 20",
    "95 11 4f707573",
    "97 00",
    "94 4f707573",
  )
  const property = fc.property(start, fc.uint8Array({ maxLength: 64 }), (first, rest) => {
    const body = concat([hex(first), rest])
    allowGatewayErrors(() => parseVideoTag(body))
    allowGatewayErrors(() => parseAudioTag(body))
    parseColorInfo(body)
  })
  fc.assert(property, { numRuns: 1000 })
})
