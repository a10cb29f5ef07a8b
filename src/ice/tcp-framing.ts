import { GatewayError } from "../errors.ts"

/** Puts a datagram's length, 2 bytes, in front of a copy of it. RFC 4571 section 2. */
export function serializeFrame(datagram: Uint8Array): Uint8Array {
  const frame = new Uint8Array(LENGTH_BYTES + datagram.length)
  frame[0] = datagram.length >> 8
  frame[1] = datagram.length
  frame.set(datagram, LENGTH_BYTES)
  return frame
}

/** Cuts a byte stream into the datagrams that it carries; keeps one unfinished frame at most. RFC 4571 section 2. */
export class FrameReader {
  /** Length field and content of a frame that has not come as a whole; made when first needed. */
  #partial: Uint8Array | undefined
  #partialBytes = 0

  /**
   * Takes the next bytes, which it borrows, and returns the datagrams that are complete now, copied. Empty ones are left out. Throws
   * `stun.message` for a frame of more than `MAX_FRAME_BYTES`; nothing can be read after that.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const datagrams: Uint8Array[] = []
    let offset = this.#partialBytes > 0 ? this.#complete(chunk, datagrams) : 0
    while (offset + LENGTH_BYTES <= chunk.length) {
      const end = offset + LENGTH_BYTES + readLength(chunk, offset)
      if (end > chunk.length) break
      if (end > offset + LENGTH_BYTES) datagrams.push(new Uint8Array(chunk.subarray(offset + LENGTH_BYTES, end)))
      offset = end
    }
    if (offset < chunk.length) this.#keep(chunk.subarray(offset))
    return datagrams
  }

  /** Goes on with the frame that the chunk before left unfinished; returns where in this chunk it ends. */
  #complete(chunk: Uint8Array, datagrams: Uint8Array[]): number {
    const partial = this.#partial as Uint8Array
    let offset = 0
    if (this.#partialBytes < LENGTH_BYTES) {
      if (chunk.length === 0) return 0
      this.#keep(chunk.subarray(0, 1))
      offset = 1
    }
    const missing = LENGTH_BYTES + readLength(partial, 0) - this.#partialBytes
    const part = chunk.subarray(offset, offset + missing)
    this.#keep(part)
    if (part.length < missing) return chunk.length
    if (this.#partialBytes > LENGTH_BYTES) datagrams.push(partial.slice(LENGTH_BYTES, this.#partialBytes))
    this.#partialBytes = 0
    return offset + missing
  }

  #keep(part: Uint8Array): void {
    this.#partial ??= new Uint8Array(LENGTH_BYTES + MAX_FRAME_BYTES)
    this.#partial.set(part, this.#partialBytes)
    this.#partialBytes += part.length
  }
}

function readLength(bytes: Uint8Array, offset: number): number {
  const length = ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number)
  if (length <= MAX_FRAME_BYTES) return length
  throw new GatewayError("stun.message", `a frame of ${length} bytes; datagrams have at most ${MAX_FRAME_BYTES}`)
}

/** The longest datagram that a frame may carry: no packet of WebRTC is longer than an Ethernet frame. */
export const MAX_FRAME_BYTES = 2_048

const LENGTH_BYTES = 2
