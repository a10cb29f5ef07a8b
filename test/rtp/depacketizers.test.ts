import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { createVideoPacketizer } from "../../src/bridge/create-video-packetizer.ts"
import { VIDEO_CODECS, type VideoCodec } from "../../src/media/codec.ts"
import type { VideoFrame } from "../../src/media/frame.ts"
import { createDepacketizer } from "../../src/rtp/create-depacketizer.ts"
import type { DepacketizedPicture, VideoDepacketizer, VideoPacket } from "../../src/rtp/depacketizer.ts"
import { hex, toHex } from "../support/bytes.ts"
import { readCapture } from "./capture.ts"
import { AV1_SEQUENCE_HEADER, CODEC_TRACKS, codecFrame, H265_PPS, H265_SPS, H265_VPS } from "./codec-frames.ts"
import { packetsOf, seededRandom } from "./h264-stream.ts"

function run(depacketizer: VideoDepacketizer, packets: readonly VideoPacket[]): DepacketizedPicture[] {
  return packets.flatMap((packet) => depacketizer.push(packet))
}

/** Packets of frames, one timestamp each, numbered from 65,000 on. */
function packetsOfFrames(codec: VideoCodec, frames: readonly VideoFrame[], maxPayloadBytes = 1_140): VideoPacket[] {
  const packetizer = createVideoPacketizer(codec, { maxPayloadBytes })
  let firstSequenceNumber = 65_000
  return frames.flatMap((frame, i) => {
    const packets = packetsOf(packetizer.packetize(frame), { firstSequenceNumber, timestamp: 3_000 * (i + 1) })
    firstSequenceNumber += packets.length
    return packets
  })
}

test.each([
  ["h265-ffmpeg", "h265", 12],
  ["vp8-gstreamer", "vp8", 14],
  ["vp8-chromium", "vp8", 53],
  ["vp9-ffmpeg", "vp9", 6],
  ["vp9-gstreamer", "vp9", 6],
  ["vp9-chromium", "vp9", 52],
  ["av1-chromium", "av1", 54],
] as const)("%s: each picture comes out, and goes in again", (name, codec, count) => {
  const depacketizer = createDepacketizer(codec, {})
  const pictures = run(
    depacketizer,
    readCapture(name).map((packet) => ({ ...packet, ptsUs: 0 })),
  )
  // The captures end amid a picture, or with the first packet of one.
  expect(pictures).toHaveLength(count)
  expect(pictures[0]).toMatchObject({ isKeyframe: true, track: { codec } })
  expect(new Set(pictures.map(({ track }) => track)).size).toBe(1)
  expect(Object.values(depacketizer.counters)).toEqual([0, 0, 0, 0, 0])
  const frames = pictures.map((picture): VideoFrame => ({ ...picture, dtsUs: picture.ptsUs }))
  const again = run(createDepacketizer(codec, {}), packetsOfFrames(codec, frames, 100))
  expect(again.map(({ units }) => units)).toEqual(pictures.map(({ units }) => units))
})

describe.each(VIDEO_CODECS)("%s", (codec) => {
  test("what was cut into packets of any size comes out as it went in", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 6 })
    const property = fc.property(
      fc.array(sizes, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 16, max: 1_500 }),
      (list, mtu) => {
        const frames = list.map((one, i) => codecFrame(codec, i === 0, one, i * 33_333, i))
        const packets = packetsOfFrames(codec, frames, mtu)
        expect(Math.max(...packets.map(({ payload }) => payload.length))).toBeLessThanOrEqual(mtu)
        const pictures = run(createDepacketizer(codec, {}), packets)
        expect(pictures.map(({ units }) => units)).toEqual(frames.map(({ units }) => units))
        expect(pictures.map(({ isKeyframe }) => isKeyframe)).toEqual(frames.map(({ isKeyframe }) => isKeyframe))
        expect(pictures[0]?.track).toEqual(CODEC_TRACKS[codec])
      },
    )
    fc.assert(property, { numRuns: 60 })
  })

  test("of a stream with losses, whole pictures come out, and no other", () => {
    for (const seed of [1, 2, 3]) {
      const random = seededRandom(seed)
      const frames = Array.from({ length: 200 }, (_, i) => {
        const sizes = Array.from({ length: 1 + Math.floor(random() * 3) }, () => 1 + Math.floor(random() * 2_000))
        return codecFrame(codec, i % 20 === 0, sizes, i * 33_333, i & 0x7f)
      })
      const packets = packetsOfFrames(codec, frames, 300)
      const kept = packets.filter(({ timestamp }) => timestamp === 3_000 || random() > 0.02)
      const hurt = new Set(packets.filter((packet) => !kept.includes(packet)).map(({ timestamp }) => timestamp))
      const pictures = run(createDepacketizer(codec, {}), kept)
      for (const { timestamp, units } of pictures) {
        expect(units).toEqual(frames[timestamp / 3_000 - 1]?.units)
        // H.264 and HEVC do without an SEI or parameter sets that they know.
        if (codec !== "h264" && codec !== "h265") expect(hurt.has(timestamp)).toBe(false)
      }
      expect(hurt.size).toBeGreaterThan(5)
      const came = new Set(pictures.map(({ timestamp }) => timestamp))
      const missing = frames.filter((_, i) => !came.has(3_000 * (i + 1)) && !hurt.has(3_000 * (i + 1)))
      // AV1 gives up a picture whose beginning may be missing.
      expect(missing.length).toBeLessThanOrEqual(codec === "av1" ? hurt.size : 0)
    }
  })

  test("a picture above the bound costs itself alone", () => {
    const frames = [9, 9_000, 9, 9].map((size, i) => codecFrame(codec, i % 2 === 0, [size], i * 33_333, i))
    const depacketizer = createDepacketizer(codec, { maxUnitBytes: 5_000 })
    const pictures = run(depacketizer, packetsOfFrames(codec, frames))
    expect(pictures.map(({ timestamp }) => timestamp)).toEqual([3_000, 9_000, 12_000])
    expect(depacketizer.counters).toMatchObject({ discardedUnits: 1, malformedPayloads: 0 })
  })

  test("pictures before the first keyframe cannot be decoded", () => {
    const frames = [1, 0, 1].map((isInter, i) => codecFrame(codec, isInter === 0, [50], i * 33_333, i))
    const depacketizer = createDepacketizer(codec, {})
    const pictures = run(depacketizer, packetsOfFrames(codec, frames))
    expect(pictures.map(({ isKeyframe }) => isKeyframe)).toEqual([true, false])
    expect(depacketizer.counters).toMatchObject({ undecodableUnits: 1, discardedUnits: 0 })
  })

  test("a sender without markers works a picture later, and padding is nothing", () => {
    const frames = [0, 1, 2].map((i) => codecFrame(codec, i === 0, [50, 2_000], i * 33_333, i))
    const packets = packetsOfFrames(codec, frames).map((packet) => ({ ...packet, marker: false }))
    const last = packets.at(-1) as VideoPacket
    packets.push({ ...last, sequenceNumber: (last.sequenceNumber + 1) & 0xffff, payload: new Uint8Array() })
    const pictures = run(createDepacketizer(codec, {}), packets)
    expect(pictures.map(({ units }) => units)).toEqual(frames.slice(0, 2).map(({ units }) => units))
  })

  test("a loss in front of padding costs the picture that it is in", () => {
    const [keyframe, inter] = packetsOfFrames(
      codec,
      [0, 1].map((i) => codecFrame(codec, i === 0, [30], i * 33_333, i)),
    )
    const [first, second] = [keyframe as VideoPacket, inter as VideoPacket]
    const number = (offset: number) => (first.sequenceNumber + offset) & 0xffff
    const padding = { ...first, sequenceNumber: number(2), payload: new Uint8Array(), marker: false }
    const pictures = run(createDepacketizer(codec, {}), [
      { ...first, marker: false },
      padding,
      { ...second, sequenceNumber: number(3) },
    ])
    // VP9 says itself that the picture was over.
    expect(pictures.filter(({ isKeyframe }) => isKeyframe)).toHaveLength(codec === "vp9" ? 1 : 0)
  })

  test("no packets make it throw, or give a picture without anything in it", () => {
    const known = packetsOfFrames(codec, [codecFrame(codec, true, [90, 20], 0), codecFrame(codec, false, [90], 1)], 40)
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(...known.map((packet) => packet.payload)),
    )
    const packet = fc.record({
      sequenceNumber: fc.nat(20),
      timestamp: fc.nat(3),
      marker: fc.boolean(),
      payload,
      ptsUs: fc.nat(),
    })
    const property = fc.property(fc.array(packet, { maxLength: 60 }), (packets) => {
      const depacketizer = createDepacketizer(codec, { maxUnitBytes: 500 })
      for (const { units } of run(depacketizer, packets)) expect(units.length).toBeGreaterThan(0)
    })
    fc.assert(property, { numRuns: 300 })
  })
})

/** The units of the one picture that payloads make, and what was counted. */
function depacketize(codec: VideoCodec, payloads: readonly string[]) {
  const depacketizer = createDepacketizer(codec, {})
  const pictures = run(depacketizer, packetsOf(payloads.map(hex)))
  return { units: pictures.flatMap((picture) => picture.units.map(toHex)), counters: depacketizer.counters }
}

describe("HEVC", () => {
  const sets = [H265_VPS, H265_SPS, H265_PPS].map(toHex)

  test.each([
    { name: "a single NAL unit", payloads: ["2601af01"], units: ["2601af01"] },
    { name: "an aggregation packet", payloads: ["6001 0004 4e0105aa 0004 2601af01"], units: ["4e0105aa", "2601af01"] },
    { name: "fragments", payloads: ["6201 93 af01", "6201 13 02", "6201 53 03"], units: ["2601af010203"] },
    {
      name: "delimiters and another layer left out",
      payloads: ["460150", "2601af01", "2609af02"],
      units: ["2601af01"],
    },
  ])("$name", ({ payloads, units }) => {
    expect(depacketize("h265", [...sets, ...payloads]).units).toEqual(units)
  })

  test.each([
    { name: "a cut-off aggregation packet", payload: "6001 0009 2601", counter: "malformedPayloads" },
    { name: "an aggregation packet in another", payload: "6001 0003 600100", counter: "malformedPayloads" },
    { name: "a fragment without payload", payload: "6201 93", counter: "malformedPayloads" },
    { name: "a header cut off", payload: "26", counter: "malformedPayloads" },
    { name: "PACI", payload: "6401 0000", counter: "unsupportedPayloads" },
  ])("$name costs the picture", ({ payload, counter }) => {
    const { units, counters } = depacketize("h265", [...sets, payload, "2601af01"])
    expect(units).toEqual([])
    expect(counters).toMatchObject({ [counter]: 1, discardedUnits: 1 })
  })
})

describe("VP9", () => {
  const keyframe = "82 498342 2013f00ef0"

  test("of spatial layers the lowest one comes out, also where packets of an upper one are lost", () => {
    // Flexible mode with picture ids; layer 0, then layer 1 that is predicted from it.
    const packets = packetsOf([`bc 01 00 ${keyframe}`, "b8 01 03 86aa", "b4 01 03 bb"].map(hex))
    expect(run(createDepacketizer("vp9", {}), packets)[0]?.units.map(toHex)).toEqual([keyframe.replaceAll(" ", "")])
    const lossy = packets.toSpliced(1, 1)
    expect(run(createDepacketizer("vp9", {}), lossy)[0]?.units.map(toHex)).toEqual([keyframe.replaceAll(" ", "")])
  })

  test("another profile makes another track", () => {
    const packets = ["82 498342 2013f00ef0", "82 498342 2013f00ef0", "92 498342 0013f00ef000"].flatMap((frame, i) =>
      packetsOf([hex(`0c ${frame}`)], { firstSequenceNumber: i, timestamp: i }),
    )
    const tracks = run(createDepacketizer("vp9", {}), packets).map(({ track }) => track)
    expect(tracks.map((track) => track.codec === "vp9" && track.profile)).toEqual([0, 0, 2])
    expect(tracks[0]).toBe(tracks[1])
  })
})

describe("AV1", () => {
  const sequenceHeader = toHex(AV1_SEQUENCE_HEADER)

  test("size fields, temporal delimiters and padding are taken out", () => {
    const sized = `0a0a${sequenceHeader.slice(2)}`
    const { units } = depacketize("av1", [`08 02 1200 0c ${sized} 04 3202 10aa 03 7a01 00`])
    expect(units).toEqual([sequenceHeader, "3010aa"])
  })

  test.each([
    { name: "a fragment without a beginning", payloads: [`98 ${sequenceHeader}`] },
    { name: "a fragment without an end", payloads: [`18 ${sequenceHeader}`, "50 3010"] },
    { name: "a fragment that does not go on", payloads: [`68 0b ${sequenceHeader} 3010`, "10 3010"] },
    { name: "more lengths than bytes", payloads: [`18 ${sequenceHeader}`, "00 05 3010"] },
    { name: "another count of elements", payloads: [`18 ${sequenceHeader}`, "30 02 3010"] },
    { name: "an OBU that is longer than its element", payloads: [`18 ${sequenceHeader}`, "10 3209 10"] },
  ])("$name costs the picture", ({ payloads }) => {
    const { units, counters } = depacketize("av1", payloads)
    expect(units).toEqual([])
    expect(counters.discardedUnits).toBe(1)
  })
})
