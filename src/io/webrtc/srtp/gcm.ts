import { createCipheriv, createDecipheriv } from "node:crypto"

/** AES-128-GCM with one key; a nonce has 12 bytes. */
export interface Aead {
  /** Writes ciphertext and tag to `output` at `offset`. */
  seal(nonce: Uint8Array, additional: Uint8Array, plaintext: Uint8Array, output: Uint8Array, offset: number): void
  /**
   * Writes the plaintext of `sealed`, which ends with the tag, to `output` at `offset`, which may be where `sealed` lies. False where it is
   * not authentic; `output` is then of no use.
   */
  open(nonce: Uint8Array, additional: Uint8Array, sealed: Uint8Array, output: Uint8Array, offset: number): boolean
}

/** Makes the cipher for a key of 16 bytes. */
export type OpenAead = (key: Uint8Array) => Aead

/** What nonces of one key are made of, and the cipher that they are for. RFC 7714 section 8. */
export class GcmCipher {
  readonly #aead: Aead
  readonly #salt: Uint8Array
  readonly #nonce = new Uint8Array(NONCE_BYTES)

  /** `salt` has 12 bytes. */
  constructor(key: Uint8Array, salt: Uint8Array, openAead: OpenAead = nodeAead) {
    this.#aead = openAead(key)
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
    this.#aead.seal(this.#nonce, additional, plaintext, output, offset)
  }

  /** As `Aead.open`. */
  open(additional: Uint8Array, sealed: Uint8Array, output: Uint8Array, offset: number): boolean {
    return this.#aead.open(this.#nonce, additional, sealed, output, offset)
  }
}

/** A fresh cipher object for each packet, as node:crypto wants it. */
export const nodeAead: OpenAead = (key) => ({
  seal(nonce, additional, plaintext, output, offset) {
    const cipher = createCipheriv("aes-128-gcm", key, nonce)
    cipher.setAAD(additional)
    output.set(cipher.update(plaintext), offset)
    cipher.final()
    output.set(cipher.getAuthTag(), offset + plaintext.length)
  },
  open(nonce, additional, sealed, output, offset) {
    const end = sealed.length - GCM_TAG_BYTES
    const decipher = createDecipheriv("aes-128-gcm", key, nonce, { authTagLength: GCM_TAG_BYTES })
    decipher.setAAD(additional)
    decipher.setAuthTag(sealed.subarray(end))
    const plaintext = decipher.update(sealed.subarray(0, end))
    try {
      decipher.final()
    } catch {
      return false
    }
    output.set(plaintext, offset)
    return true
  },
})

/** Length of the authentication tag. */
export const GCM_TAG_BYTES = 16

const NONCE_BYTES = 12
