import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { concat } from "../../src/media/bytes.ts"
import { ChunkReader } from "../../src/rtmp/chunk-reader.ts"
import { serializeChunks, serializeMessage } from "../../src/rtmp/chunk-writer.ts"
import type { RtmpMessage } from "../../src/rtmp/message.ts"
import { hex, toHex } from "../support/bytes.ts"
import { allowGatewayErrors, gatewayErrorCode } from "../support/errors.ts"

const LIMITS = { maxMessageBytes: 100_000, maxPendingBytes: 150_000, maxChunkStreams: 8 }

function read(bytes: Uint8Array, stepBytes = bytes.length): RtmpMessage[] {
  const reader = new ChunkReader(LIMITS)
  const messages: RtmpMessage[] = []
  for (let at = 0; at < bytes.length; at += stepBytes) {
    reader.push(bytes.subarray(at, at + stepBytes), (message) => messages.push(message))
  }
  return messages
}

const message = (typeId: number, timestampMs: number, streamId: number, payload: string) => ({
  typeId,
  timestampMs,
  streamId,
  payload: hex(payload),
})
const x200 = "78".repeat(200)

describe("what is written can be read", () => {
  test.each([
    { name: "audio", bytes: "04 000010 000002 08 01000000 aabb", message: message(8, 16, 1, "aabb") },
    { name: "an empty message", bytes: "06 000010 000000 09 01000000", message: message(9, 16, 1, "") },
    {
      name: "the largest plain timestamp",
      bytes: "04 fffffe 000001 08 01000000 aa",
      message: message(8, 0xfffffe, 1, "aa"),
    },
    {
      name: "an extended timestamp",
      bytes: "04 ffffff 000001 08 01000000 00ffffff aa",
      message: message(8, 0xffffff, 1, "aa"),
    },
    {
      name: "several chunks",
      bytes: `06 000000 0000c8 09 02000000 ${x200.slice(0, 256)} c6 ${x200.slice(256)}`,
      message: message(9, 0, 2, x200),
    },
    {
      name: "several chunks with extended timestamp",
      bytes: `06 ffffff 0000c8 09 01000000 fffffff0 ${x200.slice(0, 256)} c6 fffffff0 ${x200.slice(256)}`,
      message: message(9, 0xffff_fff0, 1, x200),
    },
  ])("$name", ({ bytes, message: expected }) => {
    expect(toHex(serializeMessage(expected, 128))).toBe(bytes.replaceAll(" ", ""))
    expect(read(hex(bytes))).toEqual([expected])
  })

  test("a payload in parts is the same as in one", () => {
    const header = { typeId: 9, timestampMs: 5, streamId: 1 }
    const parts = [hex("01"), hex(x200), new Uint8Array(0), hex(x200)]
    expect(serializeChunks(header, parts, 100)).toEqual(serializeMessage({ ...header, payload: concat(parts) }, 100))
  })
})

test.each([
  { name: "one byte", id: 63, basic: "3f", next: "ff" },
  { name: "two bytes", id: 64, basic: "00 00", next: "c0 00" },
  { name: "two bytes, the last one", id: 319, basic: "00 ff", next: "c0 ff" },
  { name: "three bytes", id: 320, basic: "01 00 01", next: "c1 00 01" },
  { name: "three bytes, the last one", id: 65_599, basic: "01 ff ff", next: "c1 ff ff" },
])("chunk stream ids of $name are written and read", ({ id, basic, next }) => {
  const expected = message(9, 0xff_ffff, 1, x200)
  const bytes = `${basic} ffffff 0000c8 09 01000000 00ffffff ${x200.slice(0, 256)} ${next} 00ffffff ${x200.slice(256)}`
  expect(toHex(serializeMessage(expected, 128, id))).toBe(bytes.replaceAll(" ", ""))
  expect(read(hex(bytes), 1)).toEqual([expected])
})

test("a message that is too long for the format is not written", () => {
  const payload = new Uint8Array(0x100_0000)
  const header = { typeId: 9, timestampMs: 0, streamId: 1 }
  expect(gatewayErrorCode(() => serializeMessage({ ...header, payload }, 65_536))).toBe("rtmp.chunk")
})

test.each([
  {
    name: "type 1 and 2 headers add to the timestamp",
    bytes: "04 000010 000001 08 01000000 aa  44 000005 000002 08 bbcc  84 000003 ddee",
    messages: [message(8, 16, 1, "aa"), message(8, 21, 1, "bbcc"), message(8, 24, 1, "ddee")],
  },
  {
    name: "a type 3 header repeats the delta",
    bytes: "04 000010 000001 08 01000000 aa  84 000005 bb  c4 cc  c4 dd",
    messages: [message(8, 16, 1, "aa"), message(8, 21, 1, "bb"), message(8, 26, 1, "cc"), message(8, 31, 1, "dd")],
  },
  {
    name: "a type 3 header after type 0 takes its timestamp as delta",
    bytes: "04 000010 000001 08 01000000 aa  c4 bb",
    messages: [message(8, 16, 1, "aa"), message(8, 32, 1, "bb")],
  },
  {
    name: "chunk stream ids of two and three bytes",
    bytes: "00 00 000001 000001 08 01000000 aa  01 0001 000002 000001 09 01000000 bb  c0 00 cc  c1 0001 dd",
    messages: [message(8, 1, 1, "aa"), message(9, 2, 1, "bb"), message(8, 2, 1, "cc"), message(9, 4, 1, "dd")],
  },
  {
    name: "an extended delta wraps at 32 bits",
    bytes: "04 ffffff 000001 08 01000000 ffffffff aa  84 ffffff 01000000 bb",
    messages: [message(8, 0xffff_ffff, 1, "aa"), message(8, 0xff_ffff, 1, "bb")],
  },
  {
    name: "messages that are interleaved",
    bytes: `06 000000 0000c8 09 01000000 ${x200.slice(0, 256)} 04 000001 000001 08 01000000 aa c6 ${x200.slice(256)}`,
    messages: [message(8, 1, 1, "aa"), message(9, 0, 1, x200)],
  },
  {
    name: "type 3 headers that lack the extended timestamp",
    bytes: `06 ffffff 0000c8 09 01000000 01000000 ${x200.slice(0, 256)} c6 ${x200.slice(256)}`,
    messages: [message(9, 0x100_0000, 1, x200)],
  },
  {
    name: "a last chunk that is shorter than the timestamp it lacks, and the chunks behind it",
    bytes: `06 ffffff 000082 09 01000000 01000000 ${x200.slice(0, 256)} c6 aabb 46 000001 000001 09 cc c6 dd`,
    messages: [
      message(9, 0x100_0000, 1, `${x200.slice(0, 256)}aabb`),
      message(9, 0x100_0001, 1, "cc"),
      message(9, 0x100_0002, 1, "dd"),
    ],
  },
  {
    name: "payload that looks like the timestamp, once it is known to lack",
    bytes: `06 ffffff 000082 09 01000000 01000000 ${x200.slice(0, 256)} c6 aabb 06 ffffff 0000c8 09 01000000 01000000 ${x200.slice(0, 256)} c6 01000000 ${x200.slice(264)}`,
    messages: [
      message(9, 0x100_0000, 1, `${x200.slice(0, 256)}aabb`),
      message(9, 0x100_0000, 1, `${x200.slice(0, 256)}01000000${x200.slice(264)}`),
    ],
  },
  {
    name: "payload that looks like the timestamp, behind the timestamp",
    bytes: `06 ffffff 0000c8 09 01000000 01000000 ${x200.slice(0, 256)} c6 01000000 01000000 ${x200.slice(264)}`,
    messages: [message(9, 0x100_0000, 1, `${x200.slice(0, 256)}01000000${x200.slice(264)}`)],
  },
  {
    name: "an extended delta, which type 3 headers repeat as it is or as the time it leads to",
    bytes: `06 000010 000001 09 01000000 aa 46 ffffff 000082 09 01000000 ${x200.slice(0, 256)} c6 01000000 bbcc c6 01000000 ${x200.slice(0, 256)} c6 02000010 bbcc`,
    messages: [
      message(9, 16, 1, "aa"),
      message(9, 0x100_0010, 1, `${x200.slice(0, 256)}bbcc`),
      message(9, 0x200_0010, 1, `${x200.slice(0, 256)}bbcc`),
    ],
  },
  {
    name: "empty messages with type 3 headers, with and without the timestamp",
    bytes: "06 ffffff 000000 09 01000000 01000000 c6 01000000 c6 46 000001 000001 09 aa",
    messages: [
      message(9, 0x100_0000, 1, ""),
      message(9, 0x200_0000, 1, ""),
      message(9, 0x300_0000, 1, ""),
      message(9, 0x300_0001, 1, "aa"),
    ],
  },
  {
    name: "Set Chunk Size to more than any message has",
    bytes: `02 000000 000004 01 00000000 7fffffff 06 000000 0000c8 09 01000000 ${x200}`,
    messages: [message(9, 0, 1, x200)],
  },
  {
    name: "Abort of a chunk stream that has no message",
    bytes: "02 000000 000004 02 00000000 00000009 04 000010 000001 08 01000000 aa",
    messages: [message(8, 16, 1, "aa")],
  },
  {
    name: "Set Chunk Size",
    bytes: `02 000000 000004 01 00000000 00000100 06 000000 0000c8 09 01000000 ${x200}`,
    messages: [message(9, 0, 1, x200)],
  },
  {
    name: "Abort",
    bytes: `06 000000 0000c8 09 01000000 ${x200.slice(0, 256)} 02 000000 000004 02 00000000 00000006 46 000001 000001 09 aa`,
    messages: [message(9, 1, 1, "aa")],
  },
])("reads $name", ({ bytes, messages }) => {
  expect(read(hex(bytes))).toEqual(messages)
  expect(read(hex(bytes), 1)).toEqual(messages)
})

test.each([
  { name: "a stream that begins with type 3", bytes: "c4" },
  { name: "a stream that begins with type 2", bytes: "84 000005" },
  { name: "a chunk size of 0", bytes: "02 000000 000004 01 00000000 00000000" },
  { name: "a chunk size with the first bit set", bytes: "02 000000 000004 01 00000000 80000001" },
  { name: "a message above the limit", bytes: "06 000000 ffffff 09 01000000" },
  {
    name: "a message within another",
    bytes: `06 000000 0000c8 09 01000000 ${x200.slice(0, 256)} 06 000000 000001 09 01000000`,
  },
  {
    name: "too many chunk streams",
    bytes: Array.from({ length: 9 }, (_, i) => `0${(i + 3).toString(16)} 000000 000000 08 00000000`).join(""),
  },
])("refuses $name", ({ bytes }) => {
  expect(gatewayErrorCode(() => read(hex(bytes)))).toBe("rtmp.chunk")
})

test("counts all bytes once, where bytes were taken for a timestamp too", () => {
  const reader = new ChunkReader(LIMITS)
  const bytes = hex(`06 ffffff 000082 09 01000000 01000000 ${x200.slice(0, 256)} c6 aabb 46 000001 000001 09 cc`)
  const counts: number[] = []
  for (const byte of bytes) reader.push(Uint8Array.of(byte), () => counts.push(reader.consumedBytes))
  expect(counts).toEqual([bytes.length - 9, bytes.length])
  expect(reader.consumedBytes).toBe(bytes.length)
})

test("incomplete messages of all chunk streams together have a limit", () => {
  const setChunkSize = hex("02 000000 000004 01 00000000 00010000")
  const begin = (id: string) => concat([hex(`${id} 000000 017000 09 01000000`), new Uint8Array(65_536)])
  expect(read(concat([setChunkSize, begin("04"), begin("05")]))).toEqual([])
  expect(gatewayErrorCode(() => read(concat([setChunkSize, begin("04"), begin("05"), begin("06")])))).toBe("rtmp.chunk")
})

test("the payload handed out does not change with the input", () => {
  const input = hex("04 000010 000002 08 01000000 aabb")
  const messages: RtmpMessage[] = []
  const reader = new ChunkReader(LIMITS)
  reader.push(Buffer.from(input.buffer), (received) => messages.push(received))
  input.fill(0)
  expect(toHex((messages[0] as RtmpMessage).payload)).toBe("aabb")
})

/** Interleaves the chunks of messages, and leaves out the extended timestamps of type 3 headers if told so. */
function writeInterleaved(messages: readonly RtmpMessage[], choices: readonly number[], omitsTimestamps: boolean) {
  const out: Uint8Array[] = []
  const rows = messages.map((item, index) => {
    return chunksOf(item, 3 + index, omitsTimestamps) // one chunk stream for each: all of them can be open at once
  })
  for (let turn = 0; rows.some((row) => row.length > 0); turn++) {
    const open = rows.filter((row) => row.length > 0)
    const row = open[(choices[turn % choices.length] ?? 0) % open.length] as Uint8Array[]
    out.push(row.shift() as Uint8Array)
  }
  return concat([new Uint8Array(0), ...out])
}

function chunksOf(item: RtmpMessage, id: number, omitsTimestamps: boolean): Uint8Array[] {
  const bytes = serializeMessage(item, 128, id)
  const isExtended = item.timestampMs >= 0xff_ffff
  const headBytes = 12 + (isExtended ? 4 : 0)
  const chunks: Uint8Array[] = [bytes.subarray(0, Math.min(bytes.length, headBytes + 128))]
  for (let at = headBytes + 128; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + 1 + (isExtended ? 4 : 0) + 128)
    const payloadAt = at + 1 + (isExtended ? 4 : 0)
    chunks.push(concat([bytes.subarray(at, omitsTimestamps ? at + 1 : payloadAt), bytes.subarray(payloadAt, end)]))
    at = end
  }
  return chunks
}

const anyMessage = fc.record({
  typeId: fc.constantFrom(8, 9, 18, 20),
  timestampMs: fc.oneof(fc.nat(1_000), fc.integer({ min: 0xff_fff0, max: 0xffff_ffff })),
  streamId: fc.nat(3),
  payload: fc.uint8Array({ maxLength: 400 }),
})

test("any split of the input gives the same messages", () => {
  const property = fc.property(
    fc.array(anyMessage, { maxLength: 6 }),
    fc.integer({ min: 1, max: 300 }),
    (messages, step) => {
      const bytes = concat([new Uint8Array(0), ...messages.map((item) => serializeMessage(item, 128))])
      expect(read(bytes, step)).toEqual(messages)
    },
  )
  fc.assert(property)
})

test("any interleaving in either dialect, in any split, gives the messages of each chunk stream", () => {
  const property = fc.property(
    fc.array(anyMessage, { minLength: 1, maxLength: 6 }),
    fc.array(fc.nat(5), { minLength: 1, maxLength: 30 }),
    fc.boolean(),
    fc.integer({ min: 1, max: 300 }),
    (messages, choices, omitsTimestamps, step) => {
      const bytes = writeInterleaved(messages, choices, omitsTimestamps)
      const inOrder = (items: readonly RtmpMessage[]) => items.map((item) => JSON.stringify(item)).sort()
      expect(inOrder(read(bytes, step))).toEqual(inOrder(messages))
    },
  )
  fc.assert(property)
})

test("no input makes it throw anything but GatewayError", () => {
  const bytes = fc.array(
    fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.constant(hex("04 000010 000001 08 01000000 aa"))),
  )
  fc.assert(fc.property(bytes, (parts) => void allowGatewayErrors(() => read(concat([new Uint8Array(0), ...parts])))))
})
