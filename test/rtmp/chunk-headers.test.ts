import fc from "fast-check"
import { expect, test } from "vitest"
import { ByteWriter } from "../../src/media/bytes.ts"
import { ChunkReader } from "../../src/rtmp/chunk-reader.ts"
import type { RtmpMessage } from "../../src/rtmp/message.ts"

/**
 * Writes messages of one chunk stream with the shortest headers there are, as Flash Media Server and many encoders do. Type 3 begins a
 * message where the delta is the one before, which after type 0 is the timestamp itself (RTMP 1.0 section 5.3.1.2.4).
 */
function writeWithShortHeaders(messages: readonly RtmpMessage[], chunkSizeBytes: number, omitsTimestamps: boolean) {
  const writer = new ByteWriter()
  const types: number[] = []
  let last: RtmpMessage | undefined
  let lastField = -1
  for (const message of messages) {
    const { typeId, timestampMs, streamId, payload } = message
    const deltaMs = (timestampMs - (last?.timestampMs ?? 0)) >>> 0
    let type = 0
    if (last !== undefined && last.streamId === streamId && deltaMs < 2 ** 31) {
      type = last.typeId !== typeId || last.payload.length !== payload.length ? 1 : lastField !== deltaMs ? 2 : 3
    }
    const field = type === 0 ? timestampMs : deltaMs
    const isExtended = field >= 0xff_ffff
    types.push(type)
    writer.u8((type << 6) | 4)
    if (type < 3) writer.u24(isExtended ? 0xff_ffff : field)
    if (type < 2) writer.u24(payload.length).u8(typeId)
    if (type === 0) writer.u32le(streamId)
    if (isExtended && (type < 3 || !omitsTimestamps)) writer.u32(field)
    for (let at = 0; at < payload.length; at += chunkSizeBytes) {
      if (at > 0) {
        writer.u8(0xc4)
        if (isExtended && !omitsTimestamps) writer.u32(field)
      }
      writer.bytes(payload.subarray(at, at + chunkSizeBytes))
    }
    last = message
    lastField = field
  }
  return { bytes: writer.finish(), types }
}

function read(bytes: Uint8Array, stepBytes: number): RtmpMessage[] {
  const reader = new ChunkReader({ maxMessageBytes: 10_000, maxPendingBytes: 10_000, maxChunkStreams: 1 })
  const messages: RtmpMessage[] = []
  for (let at = 0; at < bytes.length; at += stepBytes) {
    reader.push(bytes.subarray(at, at + stepBytes), (message) => messages.push(message))
  }
  return messages
}

/** Times go on by small steps, by ones that need the extended field, and over the end of 32 bits. */
const steps = fc.record({
  deltaMs: fc.constantFrom(0, 20, 20, 40, 0xff_fffe, 0xff_ffff, 0x100_0000, 0x4000_0000, 0x4000_0000),
  typeId: fc.constantFrom(8, 9),
  streamId: fc.constantFrom(1, 1, 1, 2),
  // With these first bytes a payload looks like none of the extended timestamps.
  payload: fc.oneof(
    fc.constant(new Uint8Array(200).fill(0x78)),
    fc.uint8Array({ min: 0x41, maxLength: 300 }),
    fc.constant(new Uint8Array(0)),
  ),
})

test("messages with the shortest headers, in both dialects and any split, come out as they went in", () => {
  const seen = new Set<number>()
  const property = fc.property(
    fc.array(steps, { minLength: 1, maxLength: 8 }),
    fc.integer({ min: 0, max: 0xffff_ffff }),
    fc.boolean(),
    fc.integer({ min: 1, max: 300 }),
    (items, startMs, omitsTimestamps, step) => {
      let timeMs = startMs
      const messages = items.map(({ deltaMs, ...rest }) => {
        timeMs = (timeMs + deltaMs) >>> 0
        return { ...rest, timestampMs: timeMs }
      })
      const { bytes, types } = writeWithShortHeaders(messages, 128, omitsTimestamps)
      for (const type of types) seen.add(type)
      const received = read(bytes, step)
      expect(received).toEqual(messages.slice(0, received.length))
      // The last message may wait for bytes that show whether its timestamp lacks.
      expect(messages.length - received.length).toBeLessThanOrEqual(omitsTimestamps ? 1 : 0)
    },
  )
  fc.assert(property, { numRuns: 500 })
  expect(seen).toEqual(new Set([0, 1, 2, 3]))
})
