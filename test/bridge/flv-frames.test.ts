import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { FlvToFrames } from "../../src/bridge/flv-to-frames.ts"
import { type FlvBody, flvMetadata, flvTimestampMs, frameToFlv, trackToFlv } from "../../src/bridge/frames-to-flv.ts"
import { concat } from "../../src/media/bytes.ts"
import type { AacTrack, H264Track, MediaFrame, OpusTrack } from "../../src/media/frame.ts"
import { hex, toHex } from "../support/bytes.ts"
import { allowGatewayErrors, gatewayErrorCode } from "../support/errors.ts"

const SPS = "6742c01ed890280bfe5c04400000030040000 00c83c58b8980".replaceAll(" ", "")
const SPS_SMALL = "67f4000d919640507ec044000003000400000300f23c50a920"
const PPS = "68c888cb20"
const OTHER_PPS = "68ce3c80"
const VIDEO_HEADER = `17 00 000000 0142c01effe1 0019 ${SPS} 01 0005 ${PPS}`
const AUDIO_HEADER = "af 00 1210"
const IDR = "65 88 84 21"
const P_SLICE = "41 9a 00 11"
const B_SLICE = "01 9e 00 22"

/** NAL units with lengths of four bytes in front. */
function lengthPrefixed(...units: string[]): string {
  return units.map((unit) => `${(unit.replaceAll(" ", "").length / 2).toString(16).padStart(8, "0")} ${unit}`).join("")
}

function frames(baseUs = 0): FlvToFrames {
  const adapter = new FlvToFrames(baseUs)
  adapter.pushVideo(0, hex(VIDEO_HEADER), 0)
  adapter.pushAudio(0, hex(AUDIO_HEADER), 0)
  return adapter
}

const keyframe = (...more: string[]) => hex(`17 01 000000 ${lengthPrefixed(...more, IDR)}`)
const interFrame = (slice = P_SLICE, compositionTime = "000000") =>
  hex(`27 01 ${compositionTime} ${lengthPrefixed(slice)}`)

describe("video", () => {
  test("a picture becomes a frame of its track", () => {
    expect(frames(7_000).pushVideo(1_000, keyframe(), 0)).toEqual({
      track: { kind: "video", codec: "h264", sps: [hex(SPS)], pps: [hex(PPS)], widthPx: 640, heightPx: 360 },
      dtsUs: 7_000,
      ptsUs: 7_000,
      isKeyframe: true,
      units: [hex(IDR)],
    })
  })

  test("parameter sets, delimiters and filler are taken out, SEI and all slices stay", () => {
    const frame = frames().pushVideo(0, keyframe("09 f0", SPS, PPS, "0c ff 80", "06 05 01 00 80", IDR), 0)
    expect(frame?.units.map(toHex)).toEqual(["0605010080", "65888421", "65888421"])
  })

  test("the track stays the same object until parameter sets differ", () => {
    const adapter = frames()
    const tracks = [
      adapter.pushVideo(0, keyframe(), 0)?.track,
      adapter.pushVideo(40, interFrame(), 0)?.track,
      adapter.pushVideo(80, keyframe(SPS, PPS), 0)?.track,
      adapter.pushVideo(120, hex(VIDEO_HEADER), 0)?.track,
      adapter.pushVideo(120, keyframe(), 0)?.track,
      adapter.pushVideo(160, keyframe(SPS, OTHER_PPS), 0)?.track,
      adapter.pushVideo(200, keyframe(SPS_SMALL, OTHER_PPS), 0)?.track,
    ]
    const [first, second, third, header, fourth, fifth, sixth] = tracks
    expect([second, third, fourth]).toEqual([first, first, first])
    expect(new Set([first, second, third, fourth]).size).toBe(1)
    expect(header).toBeUndefined()
    expect(fifth?.codec === "h264" && fifth.pps.map(toHex)).toEqual([OTHER_PPS])
    expect([sixth?.widthPx, sixth?.heightPx]).toEqual([320, 240])
  })

  test("a keyframe is what holds an IDR slice, or an I slice that the publisher calls one", () => {
    const adapter = frames()
    const inputs = [
      interFrame(IDR),
      hex(`17 01 000000 ${lengthPrefixed(P_SLICE)}`),
      hex(`17 01 000000 ${lengthPrefixed("61 88 84")}`),
    ]
    expect(inputs.map((body, i) => adapter.pushVideo(i * 40, body, 0)?.isKeyframe)).toEqual([true, false, true])
  })

  test("composition time is signed and in milliseconds", () => {
    const adapter = frames(1_000_000)
    expect(adapter.pushVideo(0, interFrame(P_SLICE, "000050"), 0)).toMatchObject({ dtsUs: 1_000_000, ptsUs: 1_080_000 })
    expect(adapter.pushVideo(40, interFrame(P_SLICE, "fffff0"), 0)).toMatchObject({
      dtsUs: 1_040_000,
      ptsUs: 1_024_000,
    })
  })

  test.each([
    { name: "a B slice", bodies: [keyframe(), interFrame(B_SLICE)], hasBFrames: true },
    { name: "pictures out of order", bodies: [interFrame(P_SLICE, "000078"), interFrame(P_SLICE)], hasBFrames: true },
    {
      name: "a constant delay",
      bodies: [interFrame(P_SLICE, "000050"), interFrame(P_SLICE, "000050")],
      hasBFrames: false,
    },
  ])("$name: B-frames $hasBFrames", ({ bodies, hasBFrames }) => {
    const adapter = frames()
    for (const [i, body] of bodies.entries()) adapter.pushVideo(i * 40, body, 0)
    expect(adapter.hasBFrames).toBe(hasBFrames)
  })

  test("NAL unit lengths of two bytes", () => {
    const adapter = new FlvToFrames(0)
    adapter.pushVideo(0, hex(VIDEO_HEADER.replace("1effe1", "1efde1")), 0)
    expect(adapter.pushVideo(0, hex(`17 01 000000 0004 ${IDR}`), 0)?.units.map(toHex)).toEqual(["65888421"])
  })

  test.each([
    { name: "a picture before the header", adapter: new FlvToFrames(0), body: keyframe() },
    { name: "parameter sets alone", adapter: frames(), body: hex(`17 01 000000 ${lengthPrefixed(SPS, PPS)}`) },
    { name: "an empty body", adapter: frames(), body: new Uint8Array(0) },
    { name: "the end of the sequence", adapter: frames(), body: hex("17 02 000000") },
  ])("$name makes no frame", ({ adapter, body }) => {
    expect(adapter.pushVideo(0, body, 0)).toBeUndefined()
  })

  test.each([
    { name: "a NAL unit longer than the body", body: "17 01 000000 00000009 65", code: "bytes.truncated" },
    { name: "an unknown packet type", body: "17 03 000000", code: "flv.tag" },
  ])("refuses $name", ({ body, code }) => {
    expect(gatewayErrorCode(() => frames().pushVideo(0, hex(body), 0))).toBe(code)
  })
})

describe("audio", () => {
  test("frames of the track run on by sample count", () => {
    const adapter = frames()
    const got = [0, 23, 46].map((timestampMs) => adapter.pushAudio(timestampMs, hex("af 01 21 10"), 0))
    expect(got[0]).toEqual({
      track: { kind: "audio", codec: "aac", audioSpecificConfig: hex("1210"), sampleRateHz: 44_100, channels: 2 },
      ptsUs: 0,
      data: hex("2110"),
    })
    expect(got.map((frame) => frame?.ptsUs)).toEqual([0, 23_220, 46_440])
    expect(new Set(got.map((frame) => frame?.track)).size).toBe(1)
  })

  test("the track is another object only after a different header", () => {
    const adapter = frames()
    const first = adapter.pushAudio(0, hex("af 01 21"), 0)?.track
    adapter.pushAudio(23, hex(AUDIO_HEADER), 0)
    expect(adapter.pushAudio(23, hex("af 01 21"), 0)?.track).toBe(first)
    adapter.pushAudio(46, hex("af 00 1188"), 0)
    expect(adapter.pushAudio(46, hex("af 01 21"), 0)?.track).toMatchObject({ sampleRateHz: 48_000, channels: 1 })
  })

  test("Opus by Enhanced RTMP", () => {
    const adapter = new FlvToFrames(0)
    adapter.pushAudio(0, hex("90 4f707573 4f70757348656164 01 02 3801 80bb0000 0000 00"), 0)
    expect(adapter.pushAudio(20, hex("91 4f707573 fc aa"), 0)).toEqual({
      track: { kind: "audio", codec: "opus", sampleRateHz: 48_000, channels: 2 },
      ptsUs: 0,
      data: hex("fcaa"),
    })
  })

  test("refuses an unknown packet type", () => {
    expect(gatewayErrorCode(() => frames().pushAudio(0, hex("af 02"), 0))).toBe("flv.tag")
  })

  test("a frame before the header, or an empty one, makes no frame", () => {
    expect(new FlvToFrames(0).pushAudio(0, hex("af 01 21"), 0)).toBeUndefined()
    expect(frames().pushAudio(0, hex("af 01"), 0)).toBeUndefined()
  })
})

describe("frames to bodies", () => {
  const video = frames().pushVideo(0, keyframe(), 0)?.track as H264Track
  const aac: AacTrack = {
    kind: "audio",
    codec: "aac",
    audioSpecificConfig: hex("1210"),
    sampleRateHz: 44_100,
    channels: 2,
  }
  const opus: OpusTrack = { kind: "audio", codec: "opus", sampleRateHz: 48_000, channels: 1 }
  const picture = (dtsUs: number, ptsUs: number, isKeyframe: boolean): MediaFrame => {
    return { track: video, dtsUs, ptsUs, isKeyframe, units: [hex("0605"), hex(IDR)] }
  }

  test.each<{ name: string; frame: MediaFrame; timestampMs: number; body: string }>([
    {
      name: "keyframe",
      frame: picture(40_000, 40_000, true),
      timestampMs: 40,
      body: `17 01 000000 00000002 0605 00000004 ${IDR}`,
    },
    {
      name: "B-frame",
      frame: picture(80_000, 60_000, false),
      timestampMs: 80,
      body: `27 01 ffffec 00000002 0605 00000004 ${IDR}`,
    },
    { name: "AAC", frame: { track: aac, ptsUs: 23_220, data: hex("2110") }, timestampMs: 23, body: "af 01 2110" },
    { name: "Opus", frame: { track: opus, ptsUs: 20_000, data: hex("fc") }, timestampMs: 20, body: "91 4f707573 fc" },
  ])("$name", ({ frame, timestampMs, body }) => {
    const made = frameToFlv(frame)
    expect([made.kind, made.timestampMs]).toEqual([frame.track.kind, timestampMs])
    expect(toHex(concat(made.parts))).toBe(body.replaceAll(" ", ""))
  })

  test.each([
    { name: "H.264", track: video, body: VIDEO_HEADER },
    { name: "AAC", track: aac, body: AUDIO_HEADER },
    { name: "Opus", track: opus, body: "90 4f707573 4f70757348656164 01 01 0000 80bb0000 0000 00" },
  ])("sequence header of $name", ({ track, body }) => {
    const [made] = trackToFlv(track, 40_000) as [FlvBody]
    expect([made.kind, made.timestampMs]).toEqual([track.kind, 40])
    expect(toHex(concat(made.parts))).toBe(body.replaceAll(" ", ""))
  })

  test("timestamps wrap at 32 bits", () => {
    expect([0, 2 ** 32 * 1000, 2 ** 32 * 1000 + 1_000].map(flvTimestampMs)).toEqual([0, 0, 1])
  })

  test("metadata announces kinds that have not come yet", () => {
    expect(Object.fromEntries(flvMetadata({ video: "h264", audio: "aac" }, [video]))).toEqual({
      videocodecid: 7,
      audiocodecid: 10,
      width: 640,
      height: 360,
    })
    expect(Object.fromEntries(flvMetadata({ video: undefined, audio: "aac" }, [opus, aac]))).toEqual({
      audiocodecid: 10,
      audiosamplerate: 44_100,
      audiosamplesize: 16,
      stereo: true,
    })
  })
})

test("no body makes it throw anything but GatewayError", () => {
  const starts = fc.constantFrom(VIDEO_HEADER, "17 01 000000", "17 00 000000", "af 00", "af 01", "91 61766331", "")
  const body = fc.tuple(starts, fc.uint8Array({ maxLength: 24 })).map(([start, rest]) => concat([hex(start), rest]))
  const message = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 0xffff_ffff }), body)
  const property = fc.property(fc.array(message, { maxLength: 10 }), (messages) => {
    const adapter = frames()
    for (const [isVideo, timestampMs, bytes] of messages) {
      allowGatewayErrors(() =>
        isVideo ? adapter.pushVideo(timestampMs, bytes, 0) : adapter.pushAudio(timestampMs, bytes, 0),
      )
    }
  })
  fc.assert(property)
})
