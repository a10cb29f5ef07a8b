import { setTimeout as delay } from "node:timers/promises"

/** How long to wait for something, and how often to look. */
export interface WaitOptions {
  readonly timeoutMs?: number
  readonly intervalMs?: number
}

/**
 * Looks until the probe gives something other than undefined, null or false, and returns that. A probe that throws counts
 * as "not yet". Throws after `timeoutMs` (10 s by default) with `what` and the probe's last error.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  { timeoutMs = 10_000, intervalMs = 25 }: WaitOptions = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + timeoutMs
  let lastError: unknown
  for (;;) {
    try {
      const value = await probe()
      if (value !== undefined && value !== null && value !== false) return value as NonNullable<Exclude<T, false>>
    } catch (error) {
      lastError = error
    }
    if (performance.now() >= deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`, { cause: lastError })
    await delay(intervalMs)
  }
}

/** The promise's value, or an error that names `what` when it takes longer than `timeoutMs`. */
export async function within<T>(timeoutMs: number, what: string, promise: Promise<T>): Promise<T> {
  const stop = new AbortController()
  const timeout = delay(timeoutMs, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`waited ${timeoutMs} ms for ${what}`)
  })
  timeout.catch(() => {}) // the abort below rejects it once the promise has won
  try {
    return await Promise.race([promise, timeout])
  } finally {
    stop.abort()
  }
}
