/** Limits of a `RateLimiter`. */
export interface RateLimits {
  /** Requests that a source may make on average. */
  readonly perSecond: number
  /** Requests that it may make at once after a pause. */
  readonly burst: number
  /** Sources remembered; the one that was quiet for longest is forgotten first. */
  readonly maxSources: number
}

/** Whether a request may go on, and if not, when it is worth trying again. */
export type RateDecision = { readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number }

interface Bucket {
  tokens: number
  atMs: number
}

/** A token bucket for each source address; IPv6 sources are counted by their /64, which is what one customer has. */
export class RateLimiter {
  readonly #limits: RateLimits
  /** By source, the one that asked last at the end. */
  readonly #buckets = new Map<string, Bucket>()

  constructor(limits: RateLimits) {
    this.#limits = limits
  }

  /** Sources remembered at the moment. */
  get size(): number {
    return this.#buckets.size
  }

  /** Counts one request of an address. */
  take(source: string, nowMs: number): RateDecision {
    const { perSecond, burst, maxSources } = this.#limits
    const key = rateLimitKey(source)
    const bucket = this.#buckets.get(key) ?? { tokens: burst, atMs: nowMs }
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond)
    bucket.atMs = nowMs
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > maxSources) this.#forgetOldest()
    if (bucket.tokens < 1) return { ok: false, retryAfterMs: Math.ceil(((1 - bucket.tokens) / perSecond) * 1000) }
    bucket.tokens--
    return { ok: true }
  }

  #forgetOldest(): void {
    const [oldest] = this.#buckets.keys()
    if (oldest !== undefined) this.#buckets.delete(oldest)
  }
}

/** What a source is counted under: an IPv4 address, also where it is mapped into IPv6, or the /64 of an IPv6 address. */
export function rateLimitKey(source: string): string {
  const mapped = mappedIpv4(source)
  if (mapped !== undefined) return mapped
  if (!source.includes(":")) return source
  const [address = ""] = source.split("%", 1)
  const [head = "", tail] = address.toLowerCase().split("::", 2)
  const before = head === "" ? [] : head.split(":")
  const after = tail === undefined || tail === "" ? [] : tail.split(":")
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)
  const groups = [...before, ...Array<string>(zeros).fill("0"), ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}::/64`
}

/** `::ffff:192.0.2.1` as sockets say it, or `::ffff:c000:201` as a proxy may; RFC 4291 section 2.5.5.2. */
function mappedIpv4(source: string): string | undefined {
  const [, dotted, high, low] = /^::ffff:(?:(\d+\.\d+\.\d+\.\d+)|([\da-f]{1,4}):([\da-f]{1,4}))$/i.exec(source) ?? []
  if (high === undefined || low === undefined) return dotted
  const groups = [high, low].map((group) => Number.parseInt(group, 16))
  return groups.flatMap((group) => [group >> 8, group & 0xff]).join(".")
}
