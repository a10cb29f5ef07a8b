import { GatewayError } from "../errors.ts"

/** An encoding in a RED packet that repeats what was sent before. */
export interface RedundantBlock {
  readonly payloadType: number
  /** How far its timestamp lies before the packet's, 14 bits, in ticks of the RTP clock. */
  readonly timestampOffset: number
  /** Borrowed from the packet, at most 1023 bytes. */
  readonly payload: Uint8Array
}

/** What a RED payload holds, RFC 2198. */
export interface RedPayload {
  readonly payloadType: number
  /** The encoding of the packet's own timestamp, borrowed from the packet. */
  readonly payload: Uint8Array
  /** As in the packet; senders put the oldest first. */
  readonly redundant: readonly RedundantBlock[]
}

/** Takes a RED payload apart, RFC 2198 section 3. Throws `rtp.payload` where its lengths do not fit or it holds too many blocks. */
export function unpackRed(payload: Uint8Array): RedPayload {
  const blocks: { payloadType: number; timestampOffset: number; length: number }[] = []
  let at = 0
  for (; byteAt(payload, at) >= FOLLOWED; at += BLOCK_HEADER_BYTES) {
    if (blocks.length === MAX_BLOCKS) throw new GatewayError("rtp.payload", "too many blocks in a RED payload")
    const lengthAndOffset = (byteAt(payload, at + 1) << 16) | (byteAt(payload, at + 2) << 8) | byteAt(payload, at + 3)
    blocks.push({
      payloadType: byteAt(payload, at) & 0x7f,
      timestampOffset: lengthAndOffset >>> 10,
      length: lengthAndOffset & MAX_BLOCK_BYTES,
    })
  }
  const payloadType = byteAt(payload, at++)
  const redundant = blocks.map(({ payloadType, timestampOffset, length }) => {
    if (length > payload.length - at) throw new GatewayError("rtp.payload", "a block of a RED payload is cut off")
    at += length
    return { payloadType, timestampOffset, payload: payload.subarray(at - length, at) }
  })
  return { payloadType, payload: payload.subarray(at), redundant }
}

/** True where an encoding can be repeated in a later packet, `timestampOffset` ticks after it. */
export function fitsRed(timestampOffset: number, payloadBytes: number): boolean {
  return timestampOffset > 0 && timestampOffset <= MAX_TIMESTAMP_OFFSET && payloadBytes <= MAX_BLOCK_BYTES
}

/** Bytes of a RED payload besides what its blocks hold. */
export function redOverheadBytes(redundantBlocks: number): number {
  return redundantBlocks * BLOCK_HEADER_BYTES + 1
}

/** Puts a RED payload together, RFC 2198 section 3. Throws a RangeError for a redundant block that does not fit (`fitsRed`). */
export function packRed({ payloadType, payload, redundant }: RedPayload): Uint8Array {
  const redundantBytes = redundant.reduce((sum, block) => sum + block.payload.length, 0)
  const packed = new Uint8Array(redOverheadBytes(redundant.length) + redundantBytes + payload.length)
  let at = 0
  for (const block of redundant) {
    const { timestampOffset, payload } = block
    if (!fitsRed(timestampOffset, payload.length)) throw new RangeError(`redundant block ${timestampOffset} ticks back`)
    packed[at++] = FOLLOWED | block.payloadType
    packed[at++] = timestampOffset >>> 6
    packed[at++] = (timestampOffset << 2) | (payload.length >>> 8)
    packed[at++] = payload.length
  }
  packed[at++] = payloadType
  for (const block of redundant) {
    packed.set(block.payload, at)
    at += block.payload.length
  }
  packed.set(payload, at)
  return packed
}

function byteAt(payload: Uint8Array, at: number): number {
  const byte = payload[at]
  if (byte === undefined) throw new GatewayError("rtp.payload", "the header of a RED payload is cut off")
  return byte
}

/** Set in front of a payload type where another block follows. */
const FOLLOWED = 0x80
const BLOCK_HEADER_BYTES = 4
const MAX_TIMESTAMP_OFFSET = 0x3fff
const MAX_BLOCK_BYTES = 0x3ff
/** libwebrtc sends nine at most. */
const MAX_BLOCKS = 16
