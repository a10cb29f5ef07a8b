import * as crypto from "node:crypto"
import { SHA1_INITIAL, sha1Block } from "./sha1.ts"

/**
 * HMAC-SHA1 for very many messages under one key. The caller keeps 64 bytes free before the message and this writes the key's
 * inner pad there, so that the message is hashed where it lies, in one native call without an object per message.
 * RFC 2104.
 */
export class PacketHmac {
  readonly #innerPad = new Uint32Array(PAD_BYTES / 4)
  readonly #outerState = new Int32Array(5)

  constructor(key: Uint8Array) {
    const inner = new Uint8Array(this.#innerPad.buffer).fill(0x36)
    const outer = new DataView(new ArrayBuffer(PAD_BYTES))
    for (let i = 0; i < PAD_BYTES; i++) {
      outer.setUint8(i, (key[i] ?? 0) ^ 0x5c)
      inner[i] = (inner[i] as number) ^ (key[i] ?? 0)
    }
    for (let i = 0; i < 16; i++) BLOCK[i] = outer.getInt32(4 * i)
    this.#outerState.set(SHA1_INITIAL)
    sha1Block(this.#outerState, BLOCK)
  }

  /**
   * Leaves the tag in `tagWords` (five big-endian words) for the message that lies in `bytes` from `padOffset` + 64 to `end`; the
   * pad overwrites what is before it. `words` is the same memory, and `padOffset` a multiple of 4.
   */
  digest(bytes: Uint8Array, words: Uint32Array, padOffset: number, end: number): void {
    const pad = this.#innerPad
    const at = padOffset >> 2
    for (let i = 0; i < 16; i++) words[at + i] = pad[i] as number
    const inner = sha1(bytes.subarray(padOffset, end))
    for (let i = 0; i < 5; i++) {
      const c = i << 2
      BLOCK[i] =
        (inner.charCodeAt(c) << 24) |
        (inner.charCodeAt(c + 1) << 16) |
        (inner.charCodeAt(c + 2) << 8) |
        inner.charCodeAt(c + 3)
    }
    BLOCK[5] = 0x80000000
    for (let i = 6; i < 15; i++) BLOCK[i] = 0
    BLOCK[15] = (PAD_BYTES + 20) * 8
    tagWords.set(this.#outerState)
    sha1Block(tagWords, BLOCK)
  }
}

/** The result of the last `digest`: shared, as it is used at once. */
export const tagWords = new Int32Array(5)

/** Space that a message needs before it. */
export const PAD_BYTES = 64

const BLOCK = new Int32Array(16)

/** A string is what Node returns fastest: no buffer to allocate. */
const sha1: (bytes: Uint8Array) => string =
  typeof crypto.hash === "function"
    ? (bytes) => crypto.hash("sha1", bytes, "latin1")
    : (bytes) => crypto.createHash("sha1").update(bytes).digest("latin1")
