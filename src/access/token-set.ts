/** Tokens longer than this are refused unread. */
export const MAX_TOKEN_CHARACTERS = 8_192

/**
 * Turns secrets into digests that tell nothing of them, not even to somebody who can guess: SHA-256 over a salt that is
 * known to this process alone.
 */
export class SecretHasher {
  readonly #salt: Uint8Array

  /** The salt is random, 16 bytes or more. */
  constructor(salt: Uint8Array) {
    this.#salt = salt
  }

  /** 32 bytes. */
  async digest(secret: string): Promise<Uint8Array> {
    const text = new TextEncoder().encode(secret)
    const salted = new Uint8Array(this.#salt.length + text.length)
    salted.set(this.#salt)
    salted.set(text, this.#salt.length)
    return new Uint8Array(await crypto.subtle.digest("SHA-256", salted))
  }

  /** An identity for whoever holds the secret: the same secret gives the same identity as long as the process lives. */
  async identity(secret: string): Promise<string> {
    return `token:${toHex((await this.digest(secret)).subarray(0, 16))}`
  }
}

/** A list of secrets to compare with, in a time that depends on nothing but their number. */
export class TokenSet {
  readonly #hasher: SecretHasher
  readonly #digests: Promise<readonly Uint8Array[]>

  constructor(tokens: readonly string[], hasher: SecretHasher) {
    this.#hasher = hasher
    this.#digests = Promise.all(tokens.map((token) => hasher.digest(token)))
  }

  /** Whether a token is one of the list. */
  async has(token: string): Promise<boolean> {
    const digest = await this.#hasher.digest(token)
    let isFound = false
    for (const known of await this.#digests) isFound = equalDigests(known, digest) || isFound
    return isFound
  }
}

function equalDigests(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length
  for (let index = 0; index < a.length; index++) difference |= (a[index] ?? 0) ^ (b[index] ?? 0)
  return difference === 0
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}
