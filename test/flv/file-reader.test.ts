import fc from "fast-check"
import { expect, test } from "vitest"
import type { GatewayError } from "../../src/errors.ts"
import { type FlvFileEvent, FlvFileReader } from "../../src/flv/file-reader.ts"
import { FLV_TAG_TYPE, flvFileHeader, flvTag } from "../../src/flv/file-writer.ts"
import { concat } from "../../src/media/bytes.ts"
import { hex } from "../support/bytes.ts"

const HEADER = "464c5601 05 00000009 00000000"
const BOTH = { type: "header", hasAudio: true, hasVideo: true } as const
const MAX_TAG_BYTES = 100_000

test.each([
  {
    name: "an audio tag",
    bytes: "08 000003 010203 00 000000 aabbcc 0000000e",
    tag: { type: "audio", timestampMs: 0x010203, payload: hex("aabbcc") },
  },
  {
    name: "a video tag with all of 32 bits of time",
    bytes: "09 000001 ffffff fe 000000 17 0000000c",
    tag: { type: "video", timestampMs: 0xfeff_ffff, payload: hex("17") },
  },
  {
    name: "a script tag without a body",
    bytes: "12 000000 000000 00 000000 0000000b",
    tag: { type: "script", timestampMs: 0, payload: hex("") },
  },
  {
    name: "a tag with reserved bits, a stream id and a wrong size behind it",
    bytes: "c8 000001 000000 00 000007 af ffffffff",
    tag: { type: "audio", timestampMs: 0, payload: hex("af") },
  },
])("reads $name", ({ bytes, tag }) => {
  const input = hex(`${HEADER} ${bytes} 08 000001 000001 00 000000 00`)
  const after = { type: "audio", timestampMs: 1, payload: hex("00") }
  expect(read([input])).toEqual({ events: [BOTH, tag, after], error: undefined })
})

test("what a longer file header adds is passed over", () => {
  const input = hex("464c5601 01 0000000c aabbcc 00000000 09 000001 000000 00 000000 27")
  const header = { type: "header", hasAudio: false, hasVideo: true }
  expect(read([input]).events).toEqual([header, { type: "video", timestampMs: 0, payload: hex("27") }])
})

test.each([
  { name: "something else", bytes: "3c21444f4354595045", says: "this is no FLV" },
  { name: "another version", bytes: "464c5602 05 00000009", says: "version 2" },
  { name: "a header that is too short", bytes: "464c5601 05 00000008", says: "8 bytes" },
  { name: "a header without end", bytes: "464c5601 05 ffffffff", says: "4294967295 bytes" },
  { name: "an encrypted tag", bytes: `${HEADER} 29 000001 000000 00 000000`, says: "encrypted" },
  { name: "an unknown tag", bytes: `${HEADER} 07 000001 000000 00 000000`, says: "tag type 7" },
  { name: "a tag that is too large", bytes: `${HEADER} 09 0186a1 000000 00 000000`, says: "100001 bytes" },
])("refuses $name", ({ bytes, says }) => {
  const { error } = read([hex(bytes)])
  expect(error?.code).toBe("flv.file")
  expect(error?.message).toContain(says)
})

test("any split of a stream gives the same tags, and the same fault behind them", () => {
  const tag = fc.record({
    typeId: fc.constantFrom(...Object.values(FLV_TAG_TYPE)),
    timestampMs: fc.integer({ min: 0, max: 0xffff_ffff }),
    parts: fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 3 }),
  })
  const splits = fc.array(fc.nat({ max: 400 }), { maxLength: 20 })
  fc.assert(
    fc.property(fc.array(tag, { maxLength: 8 }), fc.uint8Array({ maxLength: 30 }), splits, (tags, tail, cuts) => {
      const input = concat([flvFileHeader({ hasVideo: true, hasAudio: true }), ...tags.map(flvTag), tail])
      const whole = read([input])
      expect(whole.events.length).toBeGreaterThan(tags.length)
      expect(read(split(input, cuts))).toEqual(whole)
      expect(read(split(input, [...input.keys()]))).toEqual(whole)
    }),
  )
})

test("bytes of no meaning give nothing but the project's own error", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void read([hex(HEADER), bytes])))
})

test("a tag that is only announced takes no memory, and a large one no more than twice what has come", () => {
  const before = process.memoryUsage().arrayBuffers
  const readers = Array.from({ length: 200 }, () => {
    const reader = new FlvFileReader(0xff_ffff)
    reader.push(hex(`${HEADER} 09 ffffff 000000 00 000000 17`), () => {})
    return reader
  })
  for (const reader of readers) reader.push(new Uint8Array(10_000), () => {})
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200 * 40_000)
})

test("a tag that comes byte by byte takes time in proportion to its length", () => {
  const reader = new FlvFileReader(0xff_ffff)
  reader.push(hex(`${HEADER} 09 ffffff 000000 00 000000`), () => {})
  const events: FlvFileEvent[] = []
  const byte = hex("17")
  for (let at = 0; at < 0xff_ffff; at++) reader.push(byte, (event) => events.push(event))
  expect(events[0]).toMatchObject({ type: "video", payload: { length: 0xff_ffff } })
})

function read(inputs: readonly Uint8Array[]): { events: FlvFileEvent[]; error: GatewayError | undefined } {
  const reader = new FlvFileReader(MAX_TAG_BYTES)
  const events: FlvFileEvent[] = []
  try {
    for (const input of inputs) reader.push(input, (event) => events.push(event))
  } catch (error) {
    if ((error as Error).name !== "GatewayError") throw error
    return { events, error: error as GatewayError }
  }
  return { events, error: undefined }
}

/** Cuts at offsets, each taken within the length. */
function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const offsets = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b)
  return offsets.slice(1).map((end, index) => bytes.slice(offsets[index], end))
}
