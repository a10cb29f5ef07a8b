import { ByteReader } from "../media/bytes.ts"
import type { RtmpMessage } from "./message.ts"

/**
 * Takes an aggregate message apart, RTMP 1.0 section 7.1.6: it holds FLV tags, whose times are moved so that the first one has the
 * time of the message. Payloads borrow. Throws `bytes.truncated`.
 */
export function parseAggregate(message: RtmpMessage): RtmpMessage[] {
  const reader = new ByteReader(message.payload)
  const messages: RtmpMessage[] = []
  let firstMs: number | undefined
  while (reader.remaining > 0) {
    const typeId = reader.u8() & 0x1f
    const length = reader.u24()
    const lowBits = reader.u24()
    const tagMs = reader.u8() * 2 ** 24 + lowBits
    reader.skip(3) // stream id, always that of the message
    const payload = reader.take(length)
    reader.skip(Math.min(4, reader.remaining)) // length of the tag once more; some leave out the last one
    firstMs ??= tagMs
    const timestampMs = (message.timestampMs + tagMs - firstMs) >>> 0
    messages.push({ typeId, timestampMs, streamId: message.streamId, payload })
  }
  return messages
}
