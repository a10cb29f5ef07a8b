import { ByteReader, ByteWriter } from "../media/bytes.ts"
import { MESSAGE_TYPE, type RtmpMessage } from "./message.ts"

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

/** Makes one aggregate message of messages of one message stream, whose times stand in the tags; it has the time of the first one. */
export function aggregateMessage(messages: readonly RtmpMessage[]): RtmpMessage {
  const { streamId = 0, timestampMs = 0 } = messages[0] ?? {}
  const writer = new ByteWriter()
  for (const { typeId, timestampMs: tagMs, payload } of messages) {
    writer
      .u8(typeId)
      .u24(payload.length)
      .u24(tagMs & 0xff_ffff)
      .u8(tagMs >>> 24)
    writer
      .u24(streamId)
      .bytes(payload)
      .u32(TAG_HEADER_BYTES + payload.length)
  }
  return { typeId: MESSAGE_TYPE.aggregate, timestampMs, streamId, payload: writer.finish() }
}

const TAG_HEADER_BYTES = 11
