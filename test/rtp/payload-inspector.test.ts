import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { VIDEO_CODECS, type VideoCodec } from "../../src/media/codec.ts"
import { createPayloadInspector } from "../../src/rtp/create-payload-inspector.ts"
import { packetizeH264 } from "../../src/rtp/h264-packetizer.ts"
import { packetizeH265 } from "../../src/rtp/h265-packetizer.ts"
import type { PayloadFinding } from "../../src/rtp/payload-inspector.ts"
import { hex } from "../support/bytes.ts"
import { readCapture } from "./capture.ts"
import { PPS, SPS_320, SPS_640 } from "./h264-stream.ts"

const VPS = hex("40010c01ffff01600000030090000003000003003c959409")
const H265_SPS = hex("42010101600000030090000003000003003ca00a080c1d446595952930bffc1640165da708000003000800000300c840")
const H265_PPS = hex("4401c073c189")
const H265_SETS = packetizeH265([VPS, H265_SPS, H265_PPS])[0] as Uint8Array
const IDR = hex("2601af09aabb")
const TRAIL = hex("0201d009aabb")

/** What an inspector finds in payloads, each a picture of its own or with the timestamp that is given. */
function inspect(codec: VideoCodec, payloads: readonly (Uint8Array | [timestamp: number, Uint8Array])[]) {
  const inspector = createPayloadInspector(codec)
  return payloads.map((given, i) =>
    given instanceof Uint8Array ? inspector.inspect(i * 3_000, given) : inspector.inspect(given[0], given[1]),
  )
}

/** "start" and "sets" where the finding says so, and the size. */
function facts(findings: readonly PayloadFinding[]): string[] {
  return findings.map(({ startsKeyframe, missingSets, widthPx, heightPx }) => {
    const size = widthPx === undefined ? [] : [`${widthPx}x${heightPx}`]
    return [...(startsKeyframe ? ["start"] : []), ...(missingSets.length > 0 ? ["sets"] : []), ...size].join(" ")
  })
}

describe("real streams", () => {
  test.each([
    { name: "h265-ffmpeg", codec: "h265", starts: [0, 16], size: "318x178" },
    { name: "vp8-gstreamer", codec: "vp8", starts: [0, 11, 17], size: "158x90" },
    { name: "vp8-chromium", codec: "vp8", starts: [0, 67], size: "158x90" },
    { name: "vp8-chromium-simulcast", codec: "vp8", starts: [0], size: "320x180" },
    { name: "vp9-ffmpeg", codec: "vp9", starts: [0, 10], size: "158x90" },
    { name: "vp9-gstreamer", codec: "vp9", starts: [0, 11], size: "158x90" },
    { name: "vp9-chromium", codec: "vp9", starts: [0, 66], size: "158x90" },
    { name: "av1-chromium", codec: "av1", starts: [0, 68], size: "158x90" },
  ] as const)("$name: keyframes and sizes are found, and nothing else", ({ name, codec, starts, size }) => {
    const packets = readCapture(name)
    const found = facts(
      inspect(
        codec,
        packets.map(({ timestamp, payload }) => [timestamp, payload]),
      ),
    )
    expect(found.flatMap((fact, i) => (fact === "" ? [] : [`${i} ${fact}`]))).toEqual(
      starts.map((index) => `${index} start ${size}`),
    )
  })
})

describe("H.264", () => {
  test("tells the size with the SPS or with the sets that were missing", () => {
    const payloads = [packetizeH264([SPS_320, PPS, hex("6588")])[0] as Uint8Array, hex("6588"), SPS_640, hex("419a")]
    expect(facts(inspect("h264", payloads))).toEqual(["start 320x240", "start sets 320x240", "start 640x360", ""])
  })
})

describe("H.265", () => {
  const fragments = packetizeH265([Uint8Array.of(...IDR, ...new Uint8Array(3_000))])

  test.each([
    {
      name: "single NAL units",
      payloads: [VPS, H265_SPS, H265_PPS, IDR, TRAIL],
      expected: ["start", "318x178", "", "", ""],
    },
    {
      name: "an aggregation packet, fragments",
      payloads: [H265_SETS, ...fragments],
      expected: ["start 318x178", "", "", ""],
    },
    { name: "all in one", payloads: packetizeH265([VPS, H265_SPS, H265_PPS, IDR]), expected: ["start 318x178"] },
  ])("$name: a keyframe with its sets is passed as it is", ({ payloads, expected }) => {
    expect(
      facts(
        inspect(
          "h265",
          payloads.map((payload) => [9_000, payload]),
        ),
      ),
    ).toEqual(expected)
  })

  test.each([
    { name: "an IDR picture", payload: IDR },
    { name: "a fragment", payload: fragments[0] as Uint8Array },
    { name: "a CRA picture after an SEI", payload: packetizeH265([hex("4e0105"), hex("2a01af09")])[0] as Uint8Array },
    { name: "SPS and PPS, but no VPS", payload: packetizeH265([H265_SPS, H265_PPS, IDR])[0] as Uint8Array },
  ])("$name without all sets gets those from before", ({ payload }) => {
    const findings = inspect("h265", [
      [0, H265_SETS],
      [0, IDR],
      [3_000, TRAIL],
      [6_000, payload],
    ])
    expect(facts(findings)).toEqual(["start 318x178", "", "", "start sets 318x178"])
    expect(findings[3]?.missingSets).toEqual([H265_SETS])
  })

  test("without any known set there is no start", () => {
    expect(facts(inspect("h265", [IDR, H265_PPS, IDR]))).toEqual(["", "", ""])
  })

  test("sets from elsewhere are used; what is none is ignored", () => {
    const inspector = createPayloadInspector("h265")
    for (const set of [VPS, H265_SPS, H265_PPS, TRAIL, new Uint8Array(5_000)]) inspector.addParameterSet(set)
    expect(inspector.inspect(0, IDR)).toMatchObject({ startsKeyframe: true, missingSets: [H265_SETS] })
  })

  test("a source that repeats its sets without a keyframe misleads once only", () => {
    const findings = inspect("h265", [
      [0, H265_SETS],
      [0, TRAIL],
      [3_000, H265_SETS],
      [3_000, TRAIL],
      [6_000, IDR],
    ])
    expect(facts(findings)).toEqual(["start 318x178", "", "318x178", "", "start sets 318x178"])
  })
})

describe("VP8", () => {
  const KEYFRAME = "9099009d012a3e01b200"

  test.each([
    { name: "no extension", payload: `10${KEYFRAME}` },
    { name: "a short picture id", payload: `90 80 05 ${KEYFRAME}` },
    { name: "all fields", payload: `90 f0 8005 07 20 ${KEYFRAME}` },
    { name: "X without any field", payload: `90 00 ${KEYFRAME}` },
  ])("a keyframe begins behind a descriptor with $name", ({ payload }) => {
    expect(facts(inspect("vp8", [hex(payload)]))).toEqual(["start 318x178"])
  })

  test.each([
    { name: "the middle of a partition", payload: `00${KEYFRAME}` },
    { name: "another partition", payload: `11${KEYFRAME}` },
    { name: "an inter frame", payload: `10b1${KEYFRAME.slice(2)}` },
    { name: "a descriptor that is cut off", payload: "90f080" },
    { name: "an empty payload", payload: "" },
  ])("$name starts nothing", ({ payload }) => {
    expect(facts(inspect("vp8", [hex(payload)]))).toEqual([""])
  })

  test("a picture starts once, and one that was left is not gone back to", () => {
    const payload = hex(`10${KEYFRAME}`)
    const found = facts(
      inspect("vp8", [
        [6_000, payload],
        [6_000, payload],
        [3_000, payload],
        [9_000, payload],
      ]),
    )
    expect(found).toEqual(["start 318x178", "", "", "start 318x178"])
  })

  test("another source may begin with any timestamp", () => {
    const inspector = createPayloadInspector("vp8")
    const payload = hex(`10${KEYFRAME}`)
    inspector.inspect(6_000, payload)
    inspector.startSource()
    expect(inspector.inspect(3_000, payload).startsKeyframe).toBe(true)
  })
})

describe("VP9", () => {
  const KEYFRAME = "824983420013d00b060638"

  test.each([
    { name: "B alone", payload: `08 ${KEYFRAME}`, size: "318x177" },
    { name: "picture id, layers and TL0PICIDX", payload: `a8 8123 00 07 ${KEYFRAME}`, size: "318x177" },
    { name: "flexible mode", payload: `b8 23 00 ${KEYFRAME}`, size: "318x177" },
    {
      name: "a scalability structure of three layers and a group of pictures",
      payload: `aa 8123 01 07 58 00a0005a 014000b4 02800168 02 0401 00 ${KEYFRAME}`,
      size: "640x360",
    },
  ])("a keyframe begins behind a descriptor with $name", ({ payload, size }) => {
    expect(facts(inspect("vp9", [hex(payload)]))).toEqual([`start ${size}`])
  })

  test.each([
    { name: "the middle of a frame", payload: `00${KEYFRAME}` },
    { name: "a predicted picture", payload: `48${KEYFRAME}` },
    { name: "references of the flexible mode", payload: `f8 23 00 03 05 02 ${KEYFRAME}` },
    { name: "an upper spatial layer", payload: `a8 8123 03 07 ${KEYFRAME}` },
    { name: "an inter frame without P", payload: "08 86004040f0008f6e0000" },
    { name: "a structure that is cut off", payload: "0a ff" },
    { name: "an empty payload", payload: "" },
  ])("$name starts nothing", ({ payload }) => {
    expect(facts(inspect("vp9", [hex(payload)]))).toEqual([""])
  })
})

describe("AV1", () => {
  const SEQUENCE = "00000004 3cf6c4da f90040"

  test.each([
    { name: "N and one element", payload: `18 08 ${SEQUENCE}`, expected: "start 318x178" },
    { name: "N and two elements", payload: `28 0c 08 ${SEQUENCE} 3010`, expected: "start 318x178" },
    { name: "lengths in front of all", payload: `08 0c 08 ${SEQUENCE} 02 3010`, expected: "start 318x178" },
    { name: "no N, a sequence header", payload: `10 08 ${SEQUENCE}`, expected: "start 318x178" },
    { name: "no N, behind a temporal delimiter", payload: `20 02 1200 0a0b ${SEQUENCE}`, expected: "start 318x178" },
    { name: "no N, a sequence header that goes on in the next packet", payload: "50 08 000000", expected: "start" },
    { name: "N alone", payload: "18 3010", expected: "start" },
  ])("a coded video sequence begins: $name", ({ payload, expected }) => {
    expect(facts(inspect("av1", [hex(payload)]))).toEqual([expected])
  })

  test.each([
    { name: "a frame", payload: "10 3010" },
    { name: "the rest of a fragment", payload: `98 08 ${SEQUENCE}` },
    { name: "a length that does not fit", payload: `20 7f 08 ${SEQUENCE}` },
    { name: "a length without an end", payload: "00 ffffffffffff" },
    { name: "an empty payload", payload: "" },
  ])("$name starts nothing", ({ payload }) => {
    expect(facts(inspect("av1", [hex(payload)]))).toEqual([""])
  })
})

test.each(VIDEO_CODECS)("%s: any bytes give a finding", (codec) => {
  const known = ["h265-ffmpeg", "vp8-chromium-simulcast", "vp9-gstreamer", "vp9-chromium", "av1-chromium"]
    .flatMap((name) => readCapture(name).slice(0, 4))
    .map(({ payload }) => payload.subarray(0, 60))
  const damaged = fc
    .tuple(fc.constantFrom(...known, SPS_320, PPS, H265_SETS), fc.nat(60), fc.nat(255), fc.nat(60))
    .map(([payload, at, byte, length]) => {
      const bytes = payload.slice(0, length)
      if (at < bytes.length) bytes[at] = byte
      return bytes
    })
  const payload = fc.oneof(damaged, fc.uint8Array({ maxLength: 40 }))
  const packet = fc.tuple(fc.integer({ min: 0, max: 0xffff_ffff }), payload)
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 30 }), (packets) => {
      for (const { widthPx, heightPx, missingSets } of inspect(codec, packets)) {
        expect(typeof widthPx).toBe(typeof heightPx)
        expect(missingSets.every((set) => set.length > 0)).toBe(true)
      }
    }),
    { numRuns: 500 },
  )
})
