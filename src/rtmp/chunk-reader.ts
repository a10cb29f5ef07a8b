import { GatewayError } from "../errors.ts"
import { MESSAGE_TYPE, parseControlValue, type RtmpMessage } from "./message.ts"

/** Bounds of what one connection may keep in memory while messages are incomplete. */
export interface ChunkReaderLimits {
  readonly maxMessageBytes: number
  /** For all incomplete messages of the connection together. */
  readonly maxPendingBytes: number
  readonly maxChunkStreams: number
}

/**
 * Puts messages together from a chunk stream, RTMP 1.0 section 5.3: all header types, chunk stream ids of one to three bytes,
 * extended timestamps, interleaving. Obeys Set Chunk Size and Abort itself and does not hand them on.
 *
 * Type 3 headers repeat an extended timestamp, as the specification says, or leave it out, as older librtmp and others do: the first one that
 * leaves it out shows which it is. Memory grows with what arrived, never with what a header announces. Throws `rtmp.chunk`; afterwards
 * the reader is useless.
 */
export class ChunkReader {
  #limits: ChunkReaderLimits
  readonly #streams = new Map<number, ChunkStream>()
  /** The header of the current chunk as far as it has arrived. */
  readonly #header = new Uint8Array(MAX_HEADER_BYTES)
  #headerBytes = 0
  /** Set while the payload of a chunk is being read. */
  #current: ChunkStream | undefined
  #chunkBytesLeft = 0
  #chunkSizeBytes = DEFAULT_CHUNK_BYTES
  #pendingBytes = 0
  #consumedBytes = 0
  /** True once a type 3 header came without its extended timestamp: from then on none is looked for. */
  #omitsTimestamps = false
  /** Bytes of the next chunk that were taken for a timestamp. */
  #mistaken: Uint8Array = NO_BYTES

  constructor(limits: ChunkReaderLimits) {
    this.#limits = limits
  }

  /** Bytes read from the connection so far; within `onMessage` up to the end of that message. */
  get consumedBytes(): number {
    return this.#consumedBytes
  }

  /** Changes the limits from the next message on. */
  setLimits(limits: ChunkReaderLimits): void {
    this.#limits = limits
  }

  /** Borrows the input until it returns; the payloads handed out are copies that belong to the callee. */
  push(input: Uint8Array, onMessage: (message: RtmpMessage) => void): void {
    let at = 0
    while (at < input.length) {
      const left =
        this.#current === undefined ? this.#readHeader(input, at) : this.#readPayload(input, at, this.#current)
      this.#consumedBytes += left
      at += left
      if (this.#current !== undefined && this.#chunkBytesLeft === 0) {
        const mistaken = this.#mistaken
        this.#mistaken = NO_BYTES
        this.#consumedBytes -= mistaken.length
        this.#endChunk(this.#current, onMessage)
        if (mistaken.length > 0) this.push(mistaken, onMessage)
      }
    }
  }

  /** Takes header bytes until the header is complete, then opens the chunk. Returns how many bytes it took. */
  #readHeader(input: Uint8Array, from: number): number {
    let at = from
    while (at < input.length) {
      const needed = this.#headerLength()
      const taken = Math.min(needed - this.#headerBytes, input.length - at)
      for (let i = 0; i < taken; i++) this.#header[this.#headerBytes + i] = input[at + i] as number
      this.#headerBytes += taken
      at += taken
      if (this.#headerBytes === this.#headerLength()) {
        this.#openChunk()
        break
      }
    }
    return at - from
  }

  /** Length of the header, as far as it is known from the bytes that are there. */
  #headerLength(): number {
    if (this.#headerBytes === 0) return 1
    const first = this.#header[0] as number
    const basicBytes = basicHeaderLength(first)
    if (this.#headerBytes < basicBytes) return basicBytes
    const format = first >> 6
    const messageBytes = basicBytes + (MESSAGE_HEADER_BYTES[format] as number)
    if (this.#headerBytes < messageBytes) return messageBytes
    const isExtended =
      format === 3 ? this.#repeatsTimestamp(basicBytes) : u24(this.#header, basicBytes) === EXTENDED_TIMESTAMP
    return isExtended ? messageBytes + EXTENDED_BYTES : messageBytes
  }

  #repeatsTimestamp(basicBytes: number): boolean {
    if (this.#omitsTimestamps) return false
    return this.#streams.get(chunkStreamId(this.#header, basicBytes))?.isExtended === true
  }

  #openChunk(): void {
    const header = this.#header
    const format = (header[0] as number) >> 6
    const basicBytes = basicHeaderLength(header[0] as number)
    const stream = this.#stream(chunkStreamId(header, basicBytes), format)
    const hasTimestamp = format === 3 && this.#headerBytes > basicBytes
    this.#headerBytes = 0
    if (format !== 3) {
      if (stream.isOpen) throw new GatewayError("rtmp.chunk", `new message on chunk stream ${stream.id} within another`)
      readMessageHeader(stream, format, header, basicBytes)
    }
    if (!stream.isOpen) this.#openMessage(stream, format)
    this.#current = stream
    this.#chunkBytesLeft = Math.min(this.#chunkSizeBytes, stream.messageBytes - stream.receivedBytes)
    if (hasTimestamp) this.#checkRepeatedTimestamp(stream, header.subarray(basicBytes, basicBytes + EXTENDED_BYTES))
  }

  /** Where the bytes are no timestamp, they are payload, and what follows a short payload. */
  #checkRepeatedTimestamp(stream: ChunkStream, bytes: Uint8Array): void {
    const value = u32(bytes, 0)
    if (value === stream.timestampField || value === stream.timestampMs) return
    this.#omitsTimestamps = true
    const payloadBytes = Math.min(this.#chunkBytesLeft, bytes.length)
    if (payloadBytes > 0) this.#readPayload(bytes.subarray(0, payloadBytes), 0, stream)
    this.#mistaken = new Uint8Array(bytes.subarray(payloadBytes))
  }

  #stream(id: number, format: number): ChunkStream {
    const known = this.#streams.get(id)
    if (known !== undefined) return known
    if (format !== 0 && format !== 1) {
      throw new GatewayError("rtmp.chunk", `chunk stream ${id} begins with header type ${format}`)
    }
    if (this.#streams.size >= this.#limits.maxChunkStreams)
      throw new GatewayError("rtmp.chunk", "too many chunk streams")
    const stream = new ChunkStream(id)
    this.#streams.set(id, stream)
    return stream
  }

  #openMessage(stream: ChunkStream, format: number): void {
    if (stream.messageBytes > this.#limits.maxMessageBytes) {
      throw new GatewayError("rtmp.chunk", `message of ${stream.messageBytes} bytes is too large`)
    }
    // A type 3 header that begins a message repeats the field of the one before, also where that was absolute (5.3.1.2.4).
    stream.timestampMs = (format === 0 ? stream.timestampField : stream.timestampMs + stream.timestampField) >>> 0
    stream.isOpen = true
    stream.receivedBytes = 0
  }

  #readPayload(input: Uint8Array, from: number, stream: ChunkStream): number {
    const taken = Math.min(this.#chunkBytesLeft, input.length - from)
    if (taken === stream.messageBytes) stream.buffer = new Uint8Array(input.subarray(from, from + taken))
    else {
      const grown = stream.reserve(taken)
      this.#pendingBytes += grown
      if (this.#pendingBytes > this.#limits.maxPendingBytes) {
        throw new GatewayError("rtmp.chunk", "too many bytes in incomplete messages")
      }
      stream.buffer.set(input.subarray(from, from + taken), stream.receivedBytes)
      stream.reservedBytes += grown
    }
    stream.receivedBytes += taken
    this.#chunkBytesLeft -= taken
    return taken
  }

  #endChunk(stream: ChunkStream, onMessage: (message: RtmpMessage) => void): void {
    this.#current = undefined
    if (stream.receivedBytes < stream.messageBytes) return
    const { typeId, timestampMs, streamId } = stream
    const payload = stream.buffer.subarray(0, stream.messageBytes)
    this.#discard(stream)
    if (typeId === MESSAGE_TYPE.setChunkSize) this.#setChunkSize(parseControlValue(payload))
    else if (typeId === MESSAGE_TYPE.abort) this.#abort(parseControlValue(payload))
    else onMessage({ typeId, timestampMs, streamId, payload })
  }

  #discard(stream: ChunkStream): void {
    this.#pendingBytes -= stream.reservedBytes
    stream.reservedBytes = 0
    stream.buffer = NO_BYTES
    stream.isOpen = false
  }

  #setChunkSize(bytes: number): void {
    if (bytes < 1 || bytes > 0x7fff_ffff) throw new GatewayError("rtmp.chunk", `chunk size ${bytes}`)
    this.#chunkSizeBytes = bytes // no message is longer than 0xffffff, so that larger ones mean the same
  }

  #abort(id: number): void {
    const stream = this.#streams.get(id)
    if (stream?.isOpen) this.#discard(stream)
  }
}

/** What is remembered of one chunk stream: the last header, and the message that is being put together. */
class ChunkStream {
  readonly id: number
  typeId = 0
  streamId = 0
  messageBytes = 0
  timestampMs = 0
  /** Timestamp or delta as the last header of type 0, 1 or 2 had it, the extended one if there was one. */
  timestampField = 0
  isExtended = false
  isOpen = false
  receivedBytes = 0
  reservedBytes = 0
  buffer: Uint8Array = NO_BYTES

  constructor(id: number) {
    this.id = id
  }

  /** Makes room for more bytes by doubling, at most up to the length of the message. Returns by how much it grew. */
  reserve(bytes: number): number {
    const needed = this.receivedBytes + bytes
    const before = this.buffer.length
    if (needed <= before) return 0
    const grown = new Uint8Array(Math.min(this.messageBytes, Math.max(needed, before * 2, MIN_BUFFER_BYTES)))
    grown.set(this.buffer.subarray(0, this.receivedBytes))
    this.buffer = grown
    return grown.length - before
  }
}

function readMessageHeader(stream: ChunkStream, format: number, header: Uint8Array, at: number): void {
  const timestamp = u24(header, at)
  if (format <= 1) {
    stream.messageBytes = u24(header, at + 3)
    stream.typeId = header[at + 6] as number
  }
  if (format === 0) stream.streamId = u32le(header, at + 7)
  stream.isExtended = timestamp === EXTENDED_TIMESTAMP
  stream.timestampField = stream.isExtended ? u32(header, at + (MESSAGE_HEADER_BYTES[format] as number)) : timestamp
}

function basicHeaderLength(firstByte: number): number {
  const id = firstByte & 0x3f
  return id === 0 ? 2 : id === 1 ? 3 : 1
}

function chunkStreamId(header: Uint8Array, basicBytes: number): number {
  if (basicBytes === 1) return (header[0] as number) & 0x3f
  if (basicBytes === 2) return 64 + (header[1] as number)
  return 64 + (header[1] as number) + (header[2] as number) * 256
}

function u24(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number)
}

function u32(bytes: Uint8Array, at: number): number {
  return (u24(bytes, at) * 256 + (bytes[at + 3] as number)) >>> 0
}

/** The message stream id is the only number of RTMP with its lowest byte first. */
function u32le(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) +
    (bytes[at + 1] as number) * 2 ** 8 +
    (bytes[at + 2] as number) * 2 ** 16 +
    (bytes[at + 3] as number) * 2 ** 24
  )
}

const NO_BYTES = new Uint8Array(0)
/** Chunk size of both sides before Set Chunk Size, RTMP 1.0 section 5.4.1. */
export const DEFAULT_CHUNK_BYTES = 128
const MIN_BUFFER_BYTES = 1_024
const EXTENDED_BYTES = 4
const MAX_HEADER_BYTES = 3 + 11 + EXTENDED_BYTES
const MESSAGE_HEADER_BYTES = [11, 7, 3, 0] as const
const EXTENDED_TIMESTAMP = 0xff_ffff
