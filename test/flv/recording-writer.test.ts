import { describe, expect, test } from "vitest"
import { isFileFull } from "../../src/flv/recording-rotation.ts"
import { HEAD_BYTES, MAX_INDEX_ENTRIES, RecordingWriter } from "../../src/flv/recording-writer.ts"
import { type AmfValue, amfField } from "../../src/rtmp/amf-value.ts"
import { parseAmf0 } from "../../src/rtmp/amf0.ts"
import { hex, toHex } from "../support/bytes.ts"

const CREATED = new Date("2026-01-01T00:00:00Z")
const VIDEO = new Map([["videocodecid", 7]])
const BOTH = new Map([
  ["videocodecid", 7],
  ["audiocodecid", 10],
])

function open(startTimestampMs = 5_000) {
  const writer = new RecordingWriter(startTimestampMs, CREATED)
  const video = (timestampMs: number, isKeyframe = false, bytes = 4) =>
    writer.frame({ kind: "video", timestampMs, parts: [new Uint8Array(bytes)] }, isKeyframe)
  const audio = (timestampMs: number, bytes = 2) =>
    writer.frame({ kind: "audio", timestampMs, parts: [new Uint8Array(bytes)] }, false)
  return { writer, video, audio }
}

/** `onMetaData` of a head, and where its tag ends. */
function readHead(head: Uint8Array): { flags: number; values: AmfValue; tagEnd: number } {
  const view = new DataView(head.buffer, head.byteOffset)
  const bodyBytes = view.getUint32(13) & 0xff_ffff
  const [name, values] = parseAmf0(head.subarray(24, 24 + bodyBytes))
  expect([toHex(head.subarray(0, 3)), head[13], name]).toEqual([toHex(hex("464c56")), 18, "onMetaData"])
  expect(view.getUint32(24 + bodyBytes)).toBe(11 + bodyBytes)
  return { flags: head[4] ?? 0, values, tagEnd: 28 + bodyBytes }
}

const timestampOf = (tag: Uint8Array) =>
  ((tag[7] ?? 0) << 24) | ((tag[4] ?? 0) << 16) | ((tag[5] ?? 0) << 8) | (tag[6] ?? 0)

test("tags stand one after another with times from 0, each followed by its size", () => {
  const { writer } = open()
  const config = writer.config({ kind: "video", timestampMs: 5_000, parts: [hex("17 00"), hex("01")] })
  const frame = writer.frame({ kind: "video", timestampMs: 5_000, parts: [hex("17 01")] }, true)
  const sound = writer.frame({ kind: "audio", timestampMs: 5_023, parts: [hex("af 01 aa")] }, false)
  expect([config, frame, sound].map(toHex)).toEqual(
    [
      "09 000003 000000 00 000000 170001 0000000e",
      "09 000002 000000 00 000000 1701 0000000d",
      "08 000003 000017 00 000000 af01aa 0000000e",
    ].map((text) => toHex(hex(text))),
  )
  expect(writer.bytes).toBe(HEAD_BYTES + 18 + 17 + 18)
})

test("times go on where those of the stream wrap, and nothing comes before the beginning", () => {
  const { video, audio } = open(0xffff_fff0)
  expect([audio(0xffff_ffe0), video(0xffff_fff0), video(0x0000_0010), audio(0xffff_fff5)].map(timestampOf)).toEqual([
    0, 0, 32, 5,
  ])
})

describe("the head", () => {
  test("is playable before anything is known, and of the same size at the end", () => {
    const { writer, video, audio } = open()
    const first = writer.head(BOTH)
    for (let second = 0; second < 4; second++) {
      video(5_000 + second * 1000, second % 2 === 0)
      audio(5_010 + second * 1000)
    }
    const last = writer.head(BOTH, writer.progress)
    expect([first.length, last.length]).toEqual([HEAD_BYTES, HEAD_BYTES])
    expect([readHead(first), readHead(last)].map(({ flags, tagEnd }) => [flags, tagEnd])).toEqual([
      [5, HEAD_BYTES],
      [5, HEAD_BYTES],
    ])
    expect(amfField(readHead(first).values, "duration")).toBeUndefined()
    expect(amfField(readHead(first).values, "creationdate")).toBe("2026-01-01T00:00:00.000Z")
    expect(readHead(writer.head(VIDEO)).flags).toBe(1)
  })

  test("tells at the end how long the file is, what it holds and where its keyframes are", () => {
    const { writer, video, audio } = open()
    const positions: number[] = []
    for (let frame = 0; frame < 50; frame++) {
      if (frame % 25 === 0) positions.push(writer.bytes)
      if (frame === 25) writer.config({ kind: "video", timestampMs: 6_000, parts: [hex("1700")] })
      video(5_000 + frame * 40, frame % 25 === 0, 400)
      audio(5_010 + frame * 40, 90)
    }
    const { values } = readHead(writer.head(BOTH, writer.progress))
    const field = (name: string) => amfField(values, name)
    expect(field("duration")).toBe(2.01)
    expect([field("lasttimestamp"), field("lastkeyframetimestamp"), field("framerate")]).toEqual([1.97, 1, 25])
    expect([field("filesize"), field("datasize")]).toEqual([writer.bytes, writer.bytes - HEAD_BYTES])
    expect([field("hasVideo"), field("hasAudio"), field("hasKeyframes"), field("canSeekToEnd")]).toEqual([
      true,
      true,
      true,
      false,
    ])
    expect(field("videodatarate")).toBeCloseTo((50 * 415 * 8) / 2010, 2)
    expect(field("audiodatarate")).toBeCloseTo((50 * 105 * 8) / 2010, 2)
    const keyframes = field("keyframes")
    // Reading may begin with the new sequence header that stands before the second keyframe.
    expect([amfField(keyframes, "times"), amfField(keyframes, "filepositions")]).toEqual([[0, 1], positions])
    expect(field("lastkeyframelocation")).toBe(positions[1])
  })

  test("keeps its size with more keyframes than it has room for, and with properties of any length", () => {
    const { writer, video } = open(0)
    for (let index = 0; index < 2 * MAX_INDEX_ENTRIES + 10; index++) video(index * 500, true)
    for (const extra of ["x", "xy", "xyz"]) {
      const head = writer.head(new Map<string, AmfValue>([...BOTH, [extra, true]]), writer.progress)
      const { values, tagEnd } = readHead(head)
      expect([head.length, tagEnd]).toEqual([HEAD_BYTES, HEAD_BYTES])
      const times = amfField(amfField(values, "keyframes"), "times") as number[]
      expect(times.length).toBeLessThanOrEqual(MAX_INDEX_ENTRIES)
      expect(times.length).toBeGreaterThan(MAX_INDEX_ENTRIES / 2)
    }
  })

  test("tells of an earlier moment what was true then", () => {
    const { writer, video } = open(0)
    video(0, true)
    video(40)
    const then = writer.progress
    for (let frame = 2; frame < 60; frame++) video(frame * 40, frame % 10 === 0)
    const { values } = readHead(writer.head(VIDEO, then))
    expect([amfField(values, "duration"), amfField(values, "filesize")]).toEqual([0.08, then.bytes])
    expect(amfField(values, "lastkeyframetimestamp")).toBe(0)
    // Of a single keyframe there is no index: ffmpeg would call it invalid.
    expect(amfField(values, "keyframes")).toBeUndefined()
  })
})

test.each([
  { bytes: 1e9, durationMs: 1e9, limits: [0, 0], isFull: false },
  { bytes: 0, durationMs: 1_999, limits: [2_000, 0], isFull: false },
  { bytes: 0, durationMs: 2_000, limits: [2_000, 0], isFull: true },
  { bytes: 99, durationMs: 1e9, limits: [0, 100], isFull: false },
  { bytes: 100, durationMs: 0, limits: [0, 100], isFull: true },
  { bytes: 100, durationMs: 0, limits: [2_000, 100], isFull: true },
])(
  "a file of $bytes bytes and $durationMs ms is full within $limits: $isFull",
  ({ bytes, durationMs, limits, isFull }) => {
    const [maxFileDurationMs = 0, maxFileBytes = 0] = limits
    expect(isFileFull(bytes, durationMs, { maxFileDurationMs, maxFileBytes })).toBe(isFull)
  },
)
