import { GatewayError } from "../errors.ts"
import { ByteWriter } from "../media/bytes.ts"
import { CHUNK_STREAM, MESSAGE_TYPE, type RtmpMessage } from "./message.ts"

/**
 * Writes a message as chunks, RTMP 1.0 section 5.3.1: a type 0 header, then type 3 headers, which repeat an extended timestamp.
 *
 * The bytes depend on nothing sent before, so one serialisation serves every peer with the same chunk size: that is worth more than the
 * four to eight bytes of a message which type 1 and 2 headers would save. Throws `rtmp.chunk` for messages of 16 MiB and more.
 */
export function serializeMessage(message: RtmpMessage, chunkSizeBytes: number, chunkStreamId?: number): Uint8Array {
  return serializeChunks(message, [message.payload], chunkSizeBytes, chunkStreamId)
}

/**
 * As `serializeMessage` for a payload in several parts, which are copied once; the payload of `header` is not looked at.
 *
 * `chunkStreamId` is 2 to 65599; by default each kind of message has its own. Messages on different ones may be interleaved.
 */
export function serializeChunks(
  header: Omit<RtmpMessage, "payload">,
  parts: readonly Uint8Array[],
  chunkSizeBytes: number,
  chunkStreamId = chunkStreamOf(header.typeId),
): Uint8Array {
  const timestampMs = header.timestampMs >>> 0
  const isExtended = timestampMs >= EXTENDED_TIMESTAMP
  let length = 0
  for (const part of parts) length += part.length
  if (length > MAX_MESSAGE_BYTES)
    throw new GatewayError("rtmp.chunk", `a message of ${length} bytes is too long for RTMP`)
  const chunks = Math.max(1, Math.ceil(length / chunkSizeBytes))
  const basicBytes = chunkStreamId < 64 ? 1 : chunkStreamId < 320 ? 2 : 3
  const writer = new ByteWriter(basicBytes * chunks + 11 + length + (isExtended ? chunks * 4 : 0))
  writeBasicHeader(writer, 0, chunkStreamId)
  writer.u24(isExtended ? EXTENDED_TIMESTAMP : timestampMs)
  writer.u24(length).u8(header.typeId).u32le(header.streamId)
  if (isExtended) writer.u32(timestampMs)
  let room = chunkSizeBytes
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      if (room === 0) {
        writeBasicHeader(writer, 3, chunkStreamId)
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

/** RTMP 1.0 section 5.3.1.1. */
function writeBasicHeader(writer: ByteWriter, format: number, chunkStreamId: number): void {
  const first = format << 6
  if (chunkStreamId < 64) writer.u8(first | chunkStreamId)
  else if (chunkStreamId < 320) writer.u8(first).u8(chunkStreamId - 64)
  else
    writer
      .u8(first | 1)
      .u8((chunkStreamId - 64) & 0xff)
      .u8((chunkStreamId - 64) >> 8)
}

function chunkStreamOf(typeId: number): number {
  switch (typeId) {
    case MESSAGE_TYPE.audio:
      return CHUNK_STREAM.audio
    case MESSAGE_TYPE.video:
    case MESSAGE_TYPE.aggregate:
      return CHUNK_STREAM.video
    case MESSAGE_TYPE.dataAmf0:
    case MESSAGE_TYPE.dataAmf3:
      return CHUNK_STREAM.data
    case MESSAGE_TYPE.commandAmf0:
    case MESSAGE_TYPE.commandAmf3:
    case MESSAGE_TYPE.sharedObjectAmf0:
    case MESSAGE_TYPE.sharedObjectAmf3:
      return CHUNK_STREAM.command
    default:
      return CHUNK_STREAM.control
  }
}

const EXTENDED_TIMESTAMP = 0xff_ffff
const MAX_MESSAGE_BYTES = 0xff_ffff
