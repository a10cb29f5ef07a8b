import { createCipheriv, createDecipheriv } from "node:crypto"

/** AES-128-GCM with one key and salt, a fresh cipher object for each packet, as node:crypto wants it. RFC 7714 section 8. */
export class GcmCipher {
  readonly #key: Uint8Array
  readonly #salt: Uint8Array
  readonly #nonce = new Uint8Array(NONCE_BYTES)

  /** `salt` has 12 bytes. */
  constructor(key: Uint8Array, salt: Uint8Array) {
    this.#key = key
    this.#salt = salt
  }

  /** Sets the nonce for an RTP packet: two zero bytes, SSRC, rollover counter, sequence number. For SRTCP: 0 and the index. */
  setNonce(ssrc: number, middle: number, last: number, lastBytes: 2 | 4): void {
    const nonce = this.#nonce
    const salt = this.#salt
    nonce[0] = salt[0] as number
    nonce[1] = salt[1] as number
    for (let i = 0; i < 4; i++) nonce[2 + i] = (salt[2 + i] as number) ^ ((ssrc >>> (24 - 8 * i)) & 0xff)
    const middleBytes = 6 - lastBytes
    for (let i = 0; i < middleBytes; i++) {
      nonce[6 + i] = (salt[6 + i] as number) ^ ((middle >>> (8 * (middleBytes - 1 - i))) & 0xff)
    }
    for (let i = 0; i < lastBytes; i++) {
      const at = NONCE_BYTES - lastBytes + i
      nonce[at] = (salt[at] as number) ^ ((last >>> (8 * (lastBytes - 1 - i))) & 0xff)
    }
  }

  /** Writes ciphertext and tag to `output` at `offset`. */
  seal(additional: Uint8Array, plaintext: Uint8Array, output: Uint8Array, offset: number): void {
    const cipher = createCipheriv("aes-128-gcm", this.#key, this.#nonce)
    cipher.setAAD(additional)
    output.set(cipher.update(plaintext), offset)
    cipher.final()
    output.set(cipher.getAuthTag(), offset + plaintext.length)
  }

  /** The plaintext of `sealed`, which ends with the tag, or undefined where it is not authentic. */
  open(additional: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    const end = sealed.length - GCM_TAG_BYTES
    const decipher = createDecipheriv("aes-128-gcm", this.#key, this.#nonce, { authTagLength: GCM_TAG_BYTES })
    decipher.setAAD(additional)
    decipher.setAuthTag(sealed.subarray(end))
    const plaintext = decipher.update(sealed.subarray(0, end))
    try {
      decipher.final()
    } catch {
      return undefined
    }
    return plaintext
  }
}

/** Length of the authentication tag. */
export const GCM_TAG_BYTES = 16

const NONCE_BYTES = 12
