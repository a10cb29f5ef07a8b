import { describe, expect, test } from "vitest"
import { FlvToFrames } from "../../src/bridge/flv-to-frames.ts"
import { flvMetadata, trackToFlv } from "../../src/bridge/frames-to-flv.ts"
import { obuType } from "../../src/media/av1.ts"
import { concat } from "../../src/media/bytes.ts"
import type { PassedAudioTrack, Track } from "../../src/media/frame.ts"
import { h265NalType } from "../../src/media/h265.ts"
import { hex, toHex } from "../support/bytes.ts"
import { gatewayErrorCode } from "../support/errors.ts"
import { framesOf, picturesOf, readFixture, tagsOf } from "../support/flv-fixture.ts"

const soundOf = (name: string) => framesOf(readFixture(name)).find(({ track }) => track.kind === "audio")?.track

describe.each([
  {
    name: "hevc10-ac3.flv",
    codec: "h265",
    keyframes: [0, 1],
    sound: { codec: "ac-3", sampleRateHz: 48_000, channels: 1 },
  },
  {
    name: "vp9-opus.flv",
    codec: "vp9",
    keyframes: [0, 3],
    sound: { codec: "opus", sampleRateHz: 48_000, channels: 1 },
  },
  {
    name: "svtav1-flac.flv",
    codec: "av1",
    keyframes: [0, 3],
    sound: { codec: "flac", sampleRateHz: 48_000, channels: 1 },
  },
  {
    name: "libaom-mp3.flv",
    codec: "av1",
    keyframes: [0, 3],
    sound: { codec: "mp3", sampleRateHz: 48_000, channels: 1 },
  },
  {
    name: "h264-eac3-multitrack.flv",
    codec: "h264",
    keyframes: [0, 3],
    sound: { codec: "ec-3", sampleRateHz: 48_000, channels: 1 },
  },
])("$name", ({ name, codec, keyframes, sound }) => {
  const frames = framesOf(readFixture(name))
  const pictures = picturesOf(frames)

  test("gives five pictures of one track, keyframes where decoding can begin, and the sound", () => {
    expect(pictures.length).toBe(5)
    expect(pictures.flatMap(({ isKeyframe }, i) => (isKeyframe ? [i] : []))).toEqual(keyframes)
    expect(new Set(pictures.map(({ track }) => track)).size).toBe(1)
    expect(pictures[0]?.track).toMatchObject({ codec, widthPx: 128, heightPx: 72 })
    expect(soundOf(name)).toMatchObject(sound)
    const times = pictures.map(({ dtsUs }) => dtsUs - (pictures[0]?.dtsUs ?? 0))
    expect(times).toEqual([0, 40_000, 80_000, 120_000, 160_000])
  })

  test("comes out as it went in", () => {
    const again = framesOf(tagsOf(frames))
    expect(again.map(({ track, ...rest }) => rest)).toEqual(frames.map(({ track, ...rest }) => rest))
    expect(picturesOf(again)[0]?.track).toEqual(pictures[0]?.track)
  })
})

test("HEVC: composition times, parameter sets on the track alone, colours beside it", () => {
  const adapter = new FlvToFrames(0)
  const pictures = picturesOf(framesOf(readFixture("hevc10-ac3.flv"), adapter))
  expect(pictures.map(({ dtsUs, ptsUs }) => ptsUs - dtsUs)).toEqual([80_000, 160_000, 80_000, 0, 80_000])
  expect(adapter.hasBFrames).toBe(true)
  expect(pictures.flatMap(({ units }) => units.map(h265NalType)).filter((type) => type >= 32)).toEqual([])
  expect(pictures[0]?.track.colorInfo).toEqual({ colorConfig: { matrixCoefficients: 9 } })
})

test("the records for readers are those of ffmpeg, but for sets that are said to be complete in HEVC", () => {
  const written = (name: string) => {
    const track = picturesOf(framesOf(readFixture(name)))[0]?.track as Track
    return toHex(concat(trackToFlv(track, 0)[0]?.parts ?? []))
  }
  const ofFfmpeg = (name: string, marker: string) =>
    readFixture(name)
      .map(({ payload }) => toHex(payload))
      .find((text) => text.startsWith(marker) && text.length > 10)
  expect(written("vp9-opus.flv")).toBe(ofFfmpeg("vp9-opus.flv", "90"))
  expect(written("libaom-mp3.flv")).toBe(ofFfmpeg("libaom-mp3.flv", "90"))
  const [ours, theirs] = [written("hevc10-ac3.flv"), ofFfmpeg("hevc10-ac3.flv", "90") ?? ""]
  expect(ours.length).toBe(theirs.length)
  const differing = [...ours].flatMap((digit, i) => (digit === theirs[i] ? [] : [`${theirs[i]}${digit}`]))
  expect(differing).toEqual(["2a", "2a", "2a"])
})

test("AV1: no temporal delimiters, no size fields; a keyframe without a sequence header gets the known one", () => {
  const pictures = picturesOf(framesOf(readFixture("libaom-mp3.flv")))
  const types = pictures.map(({ units }) => units.map(obuType))
  expect(types).toEqual([[1, 6], [6], [6], [1, 6], [6]])
  expect(pictures.every(({ units }) => units.every((unit) => ((unit[0] as number) & 2) === 0))).toBe(true)
  const adapter = new FlvToFrames(0)
  adapter.pushVideo(0, hex("90 61763031 81000c00 0a0a0000000337f8e6d7c802"), 0)
  const frame = adapter.pushVideo(0, hex("91 61763031 1200 3202 1000"), 0)
  expect(frame?.isKeyframe).toBe(true)
  expect(frame?.units.map(toHex)).toEqual(["080000000337f8e6d7c802", "301000"])
})

test("pictures of very many parts are refused", () => {
  const adapter = new FlvToFrames(0)
  adapter.pushVideo(0, hex(`90 68766331 01 ${"00".repeat(20)} 03 00`), 0)
  const sets = hex(`93 68766331 ${"00000003420101".repeat(8_193)}`)
  expect(gatewayErrorCode(() => adapter.pushVideo(0, sets, 0))).toBe("flv.tag")
  expect(gatewayErrorCode(() => adapter.pushVideo(0, hex(`91 61763031 ${"2a00".repeat(8_193)}`), 0))).toBe("media.av1")
})

test("VP8 needs nothing but its keyframe", () => {
  const adapter = new FlvToFrames(0)
  const key = "9099009d012a3e01b200"
  expect(adapter.pushVideo(0, hex("a1 76703038 b1"), 0)).toBeUndefined()
  expect(adapter.pushVideo(40, hex(`91 76703038 ${key}`), 40)).toEqual({
    track: { kind: "video", codec: "vp8", widthPx: 318, heightPx: 178 },
    dtsUs: 0,
    ptsUs: 0,
    isKeyframe: true,
    units: [hex(key)],
  })
  expect(adapter.pushVideo(80, hex("a1 76703038 b1"), 80)).toMatchObject({ dtsUs: 40_000, isKeyframe: false })
})

test("offsets in nanoseconds make times more exact", () => {
  const adapter = new FlvToFrames(0)
  adapter.pushVideo(0, hex("91 76703038 9099009d012a3e01b200"), 0)
  expect(adapter.pushVideo(33, hex("a7 02 051615 01 76703038 b1"), 33)?.ptsUs).toBe(33_333)
})

test("colours wait for a keyframe, then make another track; saying them again does not", () => {
  const key = hex("91 76703038 9099009d012a3e01b200")
  const colors = (primaries: string) =>
    hex(`94 76703038 020009636f6c6f72496e666f 03 000b636f6c6f72436f6e666967 03
      000e636f6c6f725072696d6172696573 00 ${primaries}000000000000 000009 000009`)
  const adapter = new FlvToFrames(0)
  const track = (body: Uint8Array) => adapter.pushVideo(0, body, 0)?.track
  const plain = track(key)
  track(colors("4022"))
  expect(track(hex("a1 76703038 b1"))).toBe(plain)
  const colored = track(key)
  expect(colored).toEqual({ ...plain, colorInfo: { colorConfig: { colorPrimaries: 9 } } })
  track(colors("4022"))
  expect(track(key)).toBe(colored)
  track(hex("94 76703038 020009636f6c6f72496e666f 06"))
  expect(track(key)).toBe(plain)
})

describe("multitrack", () => {
  const key = "9099009d012a3e01b200"
  const other = "9099009d012a4001b400"
  const message = (trackId: number, frame: string) => hex(`96 01 76703038 0${trackId} ${frame}`)

  test("the default track is the stream, whatever stands before it in a message", () => {
    const adapter = new FlvToFrames(0)
    const tracks = `01 00000a ${other} 00 00000a ${key}`
    expect(adapter.pushVideo(0, hex(`96 11 76703038 ${tracks}`), 0)?.track.widthPx).toBe(318)
    expect(adapter.pushVideo(40, message(1, other), 40)).toBeUndefined()
    expect(adapter.otherTracks("video")).toBe(1)
    expect(adapter.otherTracks("audio")).toBe(0)
  })

  test("without track 0 it is the lowest that has come, and a lower one replaces it", () => {
    const adapter = new FlvToFrames(0)
    expect(adapter.pushVideo(0, message(3, other), 0)?.track.widthPx).toBe(320)
    expect(adapter.pushVideo(0, message(5, key), 0)).toBeUndefined()
    expect(adapter.pushVideo(40, message(2, key), 40)?.track.widthPx).toBe(318)
    expect(adapter.pushVideo(40, message(3, other), 40)).toBeUndefined()
    expect(adapter.otherTracks("video")).toBe(2)
  })
})

describe("what cannot be used", () => {
  const AAC = ["af 00 1210", "af 01 21"].map(hex)
  const KEY = hex("91 76703038 9099009d012a3e01b200")

  test.each([
    { name: "Sorenson", body: "12 00", problem: "the video is in Sorenson H.263, which is not supported" },
    { name: "VVC", body: "90 76766331", problem: "the video is in the video codec vvc1, which is not supported" },
    { name: "broken H.264", body: "17 00 000000 0142", problem: "the video cannot be used: AVC decoder" },
    { name: "broken HEVC", body: "90 68766331 01", problem: "the video cannot be used: HEVC decoder" },
    { name: "broken AV1", body: "90 61763031 01", problem: "the video cannot be used: AV1 codec" },
  ])("$name: the sound goes on alone", ({ body, problem }) => {
    const adapter = new FlvToFrames(0)
    expect(adapter.pushVideo(0, hex(body), 0)).toBeUndefined()
    expect(adapter.problem("video")).toContain(problem)
    expect(AAC.map((tag) => adapter.pushAudio(0, tag, 0)?.data)).toEqual([undefined, hex("21")])
    expect(adapter.pushVideo(60_000, hex(body), 60_000)).toBeUndefined()
  })

  test.each([
    { name: "device-specific", body: "f2 00", problem: "the sound is in sound format 15" },
    { name: "AAC with channel configuration 0", body: "af 00 1200", problem: "channel configuration is unusable" },
    { name: "AAC that is cut off", body: "af 00 12", problem: "AudioSpecificConfig is cut off" },
    { name: "Opus in 5.1", body: "90 4f707573 4f70757348656164 01 06", problem: "Opus with 6 channels" },
    { name: "FLAC without facts", body: "90 664c6143 664c6143", problem: "FLAC without its stream information" },
  ])("$name: the picture goes on alone", ({ body, problem }) => {
    const adapter = new FlvToFrames(0)
    expect(adapter.pushAudio(0, hex(body), 0)).toBeUndefined()
    expect(adapter.problem("audio")).toContain(problem)
    expect(adapter.pushVideo(0, KEY, 0)?.isKeyframe).toBe(true)
  })

  test("Opus that says only beside its header that it has six channels is left out too", () => {
    const adapter = new FlvToFrames(0)
    const bodies = ["90 4f707573", "94 4f707573 01 06 0000003f", "91 4f707573 fc"].map(hex)
    expect(bodies.map((body) => adapter.pushAudio(0, body, 0))).toEqual([undefined, undefined, undefined])
    expect(adapter.problem("audio")).toContain("Opus with 6 channels")
  })

  test("a good header ends the problem", () => {
    const adapter = new FlvToFrames(0)
    adapter.pushAudio(0, hex("af 00 12"), 0)
    adapter.pushAudio(0, hex("af 00 1210"), 0)
    expect(adapter.problem("audio")).toBeUndefined()
  })

  test("the publisher is refused where neither kind can be used, or the other does not come in 3 s", () => {
    const both = new FlvToFrames(0)
    both.pushVideo(0, hex("12 00"), 0)
    expect(() => both.pushAudio(0, hex("f2 00"), 0)).toThrow(/Sorenson.*AV1, VP9 or VP8; the sound.*AAC or Opus/)
    const alone = new FlvToFrames(0)
    expect(alone.pushVideo(0, hex("12 00"), 0)).toBeUndefined()
    expect(alone.pushVideo(2_900, hex("12 00"), 2_900)).toBeUndefined()
    expect(gatewayErrorCode(() => alone.pushVideo(3_000, hex("12 00"), 3_000))).toBe("flv.tag")
  })
})

describe("sound that is passed on", () => {
  test.each([
    { name: "MP3", body: "2f fffb9464", track: { codec: "mp3", sampleRateHz: 48_000, channels: 2 } },
    { name: "MP3 that has no header", body: "2b 00", track: { codec: "mp3", sampleRateHz: 22_050, channels: 2 } },
    { name: "MP3 of 8 kHz", body: "e2 00", track: { codec: "mp3", sampleRateHz: 8_000, channels: 1 } },
    { name: "Speex", body: "b7 00", track: { codec: "speex", sampleRateHz: 16_000, channels: 1 } },
    { name: "Nellymoser", body: "6a 00", track: { codec: "nellymoser", sampleRateHz: 22_050, channels: 1 } },
    { name: "A-law", body: "72 00", track: { codec: "pcma", sampleRateHz: 8_000, channels: 1 } },
    { name: "PCM", body: "3f 0000", track: { codec: "pcm", sampleRateHz: 44_100, channels: 2 } },
  ])("$name keeps its first byte and needs no header", ({ body, track }) => {
    const frames = framesOf([{ type: "audio", timestampMs: 0, payload: hex(body) }])
    expect(frames[0]?.track).toMatchObject({ ...track, legacyFlags: hex(body)[0] })
    expect(tagsOf(frames).map(({ payload }) => payload)).toEqual([hex(body)])
  })

  test("Opus with an empty header: as many channels as MultichannelConfig or the packets say", () => {
    const channels = (...bodies: string[]) => {
      const frames = framesOf(bodies.map((body) => ({ type: "audio", timestampMs: 0, payload: hex(body) })))
      return frames.map(({ track }) => track.kind === "audio" && track.channels)
    }
    expect(channels("90 4f707573", "91 4f707573 fc", "91 4f707573 f8")).toEqual([2, 2])
    expect(channels("90 4f707573", "94 4f707573 01 02 00000003", "91 4f707573 f8")).toEqual([2])
  })
})

test("metadata names codecs by FourCC, and those of before by number", () => {
  const legacyMp3 = soundOf("libaom-mp3.flv") as PassedAudioTrack
  const ids = (video: "h264" | "h265" | "av1" | "vp9" | "vp8", audio: "aac" | "opus" | "mp3" | "flac" | "speex") => {
    const metadata = flvMetadata({ video, audio }, [legacyMp3])
    return [metadata.get("videocodecid"), metadata.get("audiocodecid")]
  }
  expect(ids("h264", "aac")).toEqual([7, 10])
  expect(ids("h265", "opus")).toEqual([0x68766331, 0x4f707573])
  expect(ids("av1", "flac")).toEqual([0x61763031, 0x664c6143])
  expect(ids("vp9", "mp3")).toEqual([0x76703039, 2])
  expect(ids("vp8", "speex")).toEqual([0x76703038, 11])
})
