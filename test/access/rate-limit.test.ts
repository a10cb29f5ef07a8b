import { expect, test } from "vitest"
import { RateLimiter, rateLimitKey } from "../../src/access/rate-limit.ts"

const LIMITS = { perSecond: 2, burst: 3, maxSources: 100 }

test("a source may make a burst of requests, then as many as come in time", () => {
  const limiter = new RateLimiter(LIMITS)
  for (let request = 0; request < 3; request++) expect(limiter.take("192.0.2.1", 0)).toEqual({ ok: true })
  expect(limiter.take("192.0.2.1", 0)).toEqual({ ok: false, retryAfterMs: 500 })
  expect(limiter.take("192.0.2.1", 400)).toEqual({ ok: false, retryAfterMs: 100 })
  expect(limiter.take("192.0.2.1", 500)).toEqual({ ok: true })
  expect(limiter.take("192.0.2.1", 500)).toMatchObject({ ok: false })
})

test("asking too early does not put off the time when one may", () => {
  const limiter = new RateLimiter({ ...LIMITS, burst: 1 })
  limiter.take("192.0.2.1", 0)
  for (let atMs = 10; atMs < 500; atMs += 10) expect(limiter.take("192.0.2.1", atMs).ok).toBe(false)
  expect(limiter.take("192.0.2.1", 501).ok).toBe(true)
})

test("no pause saves up more than a burst", () => {
  const limiter = new RateLimiter(LIMITS)
  limiter.take("192.0.2.1", 0)
  const taken = [0, 1, 2, 3].map(() => limiter.take("192.0.2.1", 3_600_000).ok)
  expect(taken).toEqual([true, true, true, false])
})

test("sources do not limit one another", () => {
  const limiter = new RateLimiter({ ...LIMITS, burst: 1 })
  expect(
    ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"].map((source) => limiter.take(source, 0).ok),
  ).toEqual([true, true, true, true])
})

test("only so many sources are remembered, the ones that asked last", () => {
  const limiter = new RateLimiter({ perSecond: 1, burst: 1, maxSources: 2 })
  limiter.take("192.0.2.1", 0)
  limiter.take("192.0.2.2", 0)
  limiter.take("192.0.2.1", 0)
  limiter.take("192.0.2.3", 0)
  expect(limiter.size).toBe(2)
  expect(limiter.take("192.0.2.1", 0).ok).toBe(false)
  expect(limiter.take("192.0.2.2", 0).ok).toBe(true)
})

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::FFFF:c000:201", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:0DB8:0001:0002:ffff::", "2001:db8:1:2::/64"],
  ["2001:db8::5", "2001:db8:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["unknown", "unknown"],
])("%s is counted under %s", (source, key) => {
  expect(rateLimitKey(source)).toBe(key)
})
