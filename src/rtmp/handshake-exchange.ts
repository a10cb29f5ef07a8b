import { HANDSHAKE_PACKET_BYTES } from "./handshake-digest.ts"

/** What one push to a handshake gives: bytes for the peer, and once it is over what came after it. */
export interface HandshakeStep {
  readonly send: Uint8Array | undefined
  /** Set once the handshake is over: the first bytes of the chunk stream, maybe none (borrowed from the input). */
  readonly rest: Uint8Array | undefined
}

/** What the two sides of a handshake do differently. */
export interface HandshakeSide {
  /** Throws `rtmp.handshake` for a first byte that is not this protocol's. */
  checkVersion(version: number): void
  /** Makes what follows the peer's first packet, C1 or S1. */
  answer(packet: Uint8Array): Uint8Array
}

/** What either side of the handshake does, RTMP 1.0 section 5.2.1: a version and a packet come, an answer goes, a second packet ends it. */
export class HandshakeExchange {
  readonly #side: HandshakeSide
  readonly #pending = new Uint8Array(1 + HANDSHAKE_PACKET_BYTES)
  #pendingBytes = 0
  /** Of the second packet; negative before the answer to the first one. */
  #bytesLeft = -1

  constructor(side: HandshakeSide) {
    this.#side = side
  }

  push(bytes: Uint8Array): HandshakeStep {
    let input = bytes
    let send: Uint8Array | undefined
    if (this.#bytesLeft < 0) {
      input = this.#collect(input)
      if (this.#pendingBytes < this.#pending.length) return { send, rest: undefined }
      send = this.#side.answer(this.#pending.subarray(1))
      this.#bytesLeft = HANDSHAKE_PACKET_BYTES
    }
    const taken = Math.min(this.#bytesLeft, input.length)
    this.#bytesLeft -= taken
    return { send, rest: this.#bytesLeft === 0 ? input.subarray(taken) : undefined }
  }

  #collect(input: Uint8Array): Uint8Array {
    const taken = Math.min(input.length, this.#pending.length - this.#pendingBytes)
    this.#pending.set(input.subarray(0, taken), this.#pendingBytes)
    this.#pendingBytes += taken
    if (this.#pendingBytes > 0) this.#side.checkVersion(this.#pending[0] as number)
    return input.subarray(taken)
  }
}
