import { Hono } from "hono"
import { GatewayError } from "../src/errors.ts"
import { parseFragment } from "../src/sdp/fragment.ts"
import { allowOrigins, limitBody, refuseMethod, requireMediaType } from "./signaling.ts"

/** What a client can do to an open session, WHIP and WHEP alike. */
export interface SessionService {
  /** The session's current entity-tag and the ufrag of its offer; `undefined` where there is no such session. */
  find(id: string): { readonly etag: string; readonly remoteUfrag: string } | undefined
  /** Ends a session at once; false where there is none. */
  end(id: string): boolean | Promise<boolean>
}

/**
 * The session's own address: DELETE ends it, PATCH takes trickled candidates (RFC 9725 section 4.3). Candidates need no
 * work: the gateway is ICE-lite and learns addresses from the checks themselves. An ICE restart is refused with 422,
 * which the RFC allows.
 */
export function sessionRoutes(service: SessionService, { maxBodyBytes }: { readonly maxBodyBytes: number }): Hono {
  const app = new Hono()
  app.use("/sessions/*", allowOrigins("GET, HEAD, PATCH, DELETE, OPTIONS", { "accept-patch": FRAGMENT }))

  app.delete("/sessions/:id", async (c) => {
    if (await service.end(c.req.param("id"))) return c.body(null, 200, { "content-length": "0" })
    throw new GatewayError("session.not_found", "there is no such session, or it has ended")
  })

  app.patch("/sessions/:id", limitBody(maxBodyBytes), async (c) => {
    requireMediaType(c, FRAGMENT)
    const session = requireSession(service, c.req.param("id"))
    const ifMatch = c.req.header("if-match")
    if (ifMatch === undefined)
      throw new GatewayError("http.precondition_required", "PATCH needs If-Match with the session's ETag")
    if (!matches(ifMatch, session.etag)) {
      throw new GatewayError("http.precondition_failed", "If-Match names another ICE session than the current one")
    }
    const { ufrag } = parseFragment(await c.req.text())
    if (ufrag === undefined || ufrag === session.remoteUfrag) return c.body(null, 204)
    throw new GatewayError("sdp.unsupported", "ICE restart is not supported: end this session and open another")
  })

  app.get("/sessions/:id", (c) => {
    requireSession(service, c.req.param("id"))
    return c.body(null, 200)
  })
  app.all("/sessions/:id", () => refuseMethod("GET, HEAD, PATCH, DELETE and OPTIONS"))
  return app
}

function requireSession(service: SessionService, id: string) {
  const session = service.find(id)
  if (session !== undefined) return session
  throw new GatewayError("session.not_found", "there is no such session, or it has ended")
}

/** RFC 9110 section 13.1.1; the example in RFC 9725 section 4.3.3 writes the asterisk in quotes. */
function matches(ifMatch: string, etag: string): boolean {
  const tags = ifMatch.split(",").map((tag) => tag.trim())
  return tags.includes("*") || tags.includes('"*"') || tags.includes(`"${etag}"`)
}

const FRAGMENT = "application/trickle-ice-sdpfrag"
