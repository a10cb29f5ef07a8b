/** Keeps values for a while, and a bounded number of them: the oldest one goes first. The clock is handed in. */
export class ExpiringMap<Value> {
  readonly #ttlMs: number
  readonly #maxEntries: number
  /** Oldest first, which is also what expires first. */
  readonly #entries = new Map<string, { readonly value: Value; readonly expiresAtMs: number }>()

  constructor(ttlMs: number, maxEntries: number) {
    this.#ttlMs = ttlMs
    this.#maxEntries = maxEntries
  }

  /** Entries that are kept, expired ones among them that nobody has asked for since. */
  get size(): number {
    return this.#entries.size
  }

  get(key: string, nowMs: number): Value | undefined {
    this.#forgetExpired(nowMs)
    return this.#entries.get(key)?.value
  }

  /** A value that is set again counts as new. */
  set(key: string, value: Value, nowMs: number): void {
    this.#forgetExpired(nowMs)
    this.#entries.delete(key)
    this.#entries.set(key, { value, expiresAtMs: nowMs + this.#ttlMs })
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > this.#maxEntries && oldest !== undefined) this.#entries.delete(oldest)
  }

  #forgetExpired(nowMs: number): void {
    for (const [key, { expiresAtMs }] of this.#entries) {
      if (expiresAtMs > nowMs) return
      this.#entries.delete(key)
    }
  }
}
