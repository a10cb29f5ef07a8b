import { GatewayError } from "../errors.ts"
import { concat } from "../media/bytes.ts"

/** What one push to a handshake gives: bytes for the peer, and once it is over what came after it. */
export interface HandshakeStep {
  readonly send: Uint8Array | undefined
  /** Set once the handshake is over: the first bytes of the chunk stream, maybe none (borrowed from the input). */
  readonly rest: Uint8Array | undefined
}

/**
 * The server's side of the simple handshake, RTMP 1.0 section 5.2: C0 and C1 come in, S0 S1 S2 go out, C2 ends it.
 *
 * The content of C2 is not compared with S1, as clients that speak the digest form echo something else. Throws `rtmp.handshake`
 * for another version than 3.
 */
export class ServerHandshake {
  readonly #s1Random: Uint8Array
  readonly #pending = new Uint8Array(1 + PACKET_BYTES)
  #pendingBytes = 0
  #c2BytesLeft = -1

  /** Takes the random part of S1; the caller makes it, since pure code has no randomness. Shorter input is repeated. */
  constructor(s1Random: Uint8Array) {
    this.#s1Random = s1Random
  }

  push(bytes: Uint8Array): HandshakeStep {
    let input = bytes
    let send: Uint8Array | undefined
    if (this.#c2BytesLeft < 0) {
      input = this.#collectC0C1(input)
      if (this.#pendingBytes < this.#pending.length) return { send, rest: undefined }
      send = this.#answer(this.#pending.subarray(1))
      this.#c2BytesLeft = PACKET_BYTES
    }
    const taken = Math.min(this.#c2BytesLeft, input.length)
    this.#c2BytesLeft -= taken
    return { send, rest: this.#c2BytesLeft === 0 ? input.subarray(taken) : undefined }
  }

  #collectC0C1(input: Uint8Array): Uint8Array {
    const taken = Math.min(input.length, this.#pending.length - this.#pendingBytes)
    this.#pending.set(input.subarray(0, taken), this.#pendingBytes)
    this.#pendingBytes += taken
    // 6 and 8 are the encrypted forms; anything above 31 is another protocol, HTTP or TLS as a rule.
    if (this.#pendingBytes > 0 && this.#pending[0] !== VERSION) {
      throw new GatewayError("rtmp.handshake", `RTMP version ${this.#pending[0]} is not supported`)
    }
    return input.subarray(taken)
  }

  #answer(c1: Uint8Array): Uint8Array {
    const s1 = new Uint8Array(PACKET_BYTES) // time and version stay zero: zero version means the simple form
    for (let at = 8; at < PACKET_BYTES && this.#s1Random.length > 0; at += this.#s1Random.length) {
      s1.set(this.#s1Random.subarray(0, PACKET_BYTES - at), at)
    }
    return concat([Uint8Array.of(VERSION), s1, c1])
  }
}

const VERSION = 3
const PACKET_BYTES = 1_536
