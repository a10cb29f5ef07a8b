import { ByteWriter } from "../media/bytes.ts"
import { CHUNK_STREAM, MESSAGE_TYPE, type RtmpMessage } from "./message.ts"

/**
 * Writes a message as chunks, RTMP 1.0 section 5.3.1: a type 0 header, then type 3 headers.
 *
 * The bytes depend on nothing sent before, so one serialisation serves every peer with the same chunk size.
 */
export function serializeMessage(message: RtmpMessage, chunkSizeBytes: number): Uint8Array {
  return serializeChunks(message, [message.payload], chunkSizeBytes)
}

/** As `serializeMessage` for a payload in several parts, which are copied once; the payload of `header` is not looked at. */
export function serializeChunks(
  header: Omit<RtmpMessage, "payload">,
  parts: readonly Uint8Array[],
  chunkSizeBytes: number,
): Uint8Array {
  const timestampMs = header.timestampMs >>> 0
  const isExtended = timestampMs >= EXTENDED_TIMESTAMP
  const chunkStreamId = chunkStreamOf(header.typeId)
  let length = 0
  for (const part of parts) length += part.length
  const chunks = Math.max(1, Math.ceil(length / chunkSizeBytes))
  const writer = new ByteWriter(12 + length + (chunks - 1) + (isExtended ? chunks * 4 : 0))
  writer.u8(chunkStreamId).u24(isExtended ? EXTENDED_TIMESTAMP : timestampMs)
  writer.u24(length).u8(header.typeId).u32le(header.streamId)
  if (isExtended) writer.u32(timestampMs)
  let room = chunkSizeBytes
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      if (room === 0) {
        writer.u8(0xc0 | chunkStreamId)
        if (isExtended) writer.u32(timestampMs)
        room = chunkSizeBytes
      }
      const taken = Math.min(room, part.length - at)
      writer.bytes(part.subarray(at, at + taken))
      at += taken
      room -= taken
    }
  }
  return writer.finish()
}

function chunkStreamOf(typeId: number): number {
  switch (typeId) {
    case MESSAGE_TYPE.audio:
      return CHUNK_STREAM.audio
    case MESSAGE_TYPE.video:
      return CHUNK_STREAM.video
    case MESSAGE_TYPE.dataAmf0:
      return CHUNK_STREAM.data
    case MESSAGE_TYPE.commandAmf0:
      return CHUNK_STREAM.command
    default:
      return CHUNK_STREAM.control
  }
}

const EXTENDED_TIMESTAMP = 0xff_ffff
