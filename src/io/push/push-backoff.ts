/** Bounds of the pauses between attempts. */
export interface PushBackoffLimits {
  /** For a target that is away. */
  readonly maxRetryMs: number
  /** For one that refuses. */
  readonly refusedMaxRetryMs: number
}

/**
 * How long to wait before the next attempt: exponential backoff with full jitter, so that gateways whose target was away do not come
 * back at the same moment. A refusal is tried again more slowly, but not much later at first: servers hold a key that was in use for some seconds.
 */
export class PushBackoff {
  readonly #limits: PushBackoffLimits
  readonly #random: () => number
  #failures = 0

  /** `random` gives numbers from 0 up to 1. */
  constructor(limits: PushBackoffLimits, random: () => number) {
    this.#limits = limits
    this.#random = random
  }

  /** The pause after one more failure. */
  nextMs(isRefusal: boolean): number {
    const { maxRetryMs, refusedMaxRetryMs } = this.#limits
    const [baseMs, maxMs] = isRefusal ? [REFUSED_BASE_MS, refusedMaxRetryMs] : [BASE_MS, maxRetryMs]
    const boundMs = Math.min(maxMs, baseMs * 2 ** Math.min(this.#failures++, MAX_EXPONENT))
    return Math.round(Math.max(Math.min(MIN_MS, boundMs), boundMs * this.#random()))
  }

  /** It went well for long enough to begin with short pauses again. */
  reset(): void {
    this.#failures = 0
  }
}

const BASE_MS = 500
const REFUSED_BASE_MS = 4_000
const MIN_MS = 100
const MAX_EXPONENT = 20
