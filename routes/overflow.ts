import type { MiddlewareHandler } from "hono"
import { GatewayError } from "../src/errors.ts"

/**
 * Sends WHIP and WHEP clients to another gateway with 307, which repeats the POST there with its body (RFC 9725 section
 * 4.5), when this one has as many sessions as it may have; an empty address leaves the 503.
 */
export function redirectOverflow(overflowUrl: string): MiddlewareHandler {
  return async (c, next) => {
    await next()
    const isFull = c.error instanceof GatewayError && c.error.code === "session.limit"
    if (!isFull || overflowUrl === "" || c.req.method !== "POST") return
    const { pathname, search } = new URL(c.req.url)
    c.res = c.body(null, 307, { location: `${overflowUrl}${pathname}${search}`, "cache-control": "no-store" })
  }
}
