import type { MiddlewareHandler } from "hono"
import { GatewayError } from "../src/errors.ts"
import type { ClientEnv } from "./client.ts"

/** Counts a request of an address; undefined where it may go on, else the time after which it is worth trying again, in ms. */
export type CountRequest = (remoteAddress: string) => number | undefined

/**
 * Limits the requests that change something (RFC 9725 section 5): POST, PATCH and DELETE, or those of `methods`. Throws
 * `http.rate_limited` with Retry-After.
 */
export function limitRate(
  countRequest: CountRequest,
  methods: readonly string[] = ["POST", "PATCH", "DELETE"],
): MiddlewareHandler<ClientEnv> {
  return async (c, next) => {
    if (methods.includes(c.req.method)) {
      // Only a server that does not know its peers has no address; then all are counted together.
      const retryAfterMs = countRequest(c.var.client.remoteAddress ?? "unknown")
      if (retryAfterMs !== undefined) {
        c.header("retry-after", String(Math.ceil(retryAfterMs / 1_000)))
        throw new GatewayError(
          "http.rate_limited",
          "too many requests from your address: wait as long as Retry-After says",
        )
      }
    }
    await next()
  }
}
