import { Hono, type MiddlewareHandler } from "hono"
import { GatewayError } from "../src/errors.ts"
import { parseFragment } from "../src/sdp/fragment.ts"
import { type EventFeeds, eventRoutes } from "./events.ts"
import { type LayerControl, layerRoutes } from "./layers.ts"
import { SDP } from "./offer-body.ts"
import { allowMethods, EMPTY, limitBody, mediaType, refuseMethod } from "./requests.ts"
import { FRAGMENT } from "./signaling.ts"

/** The credentials of one side of an ICE session, RFC 8445 section 5.3. */
export interface IceCredentials {
  readonly ufrag: string
  readonly pwd: string
}

/** An open session as the requests on its address see it. */
export interface SignalingSession {
  readonly id: string
  readonly role: "whip" | "whep"
  /** Entity-tag of the present ICE session, without quotes. */
  readonly etag: string
  /** The client's present one. */
  readonly remoteUfrag: string
  /** Begins a new ICE session; media goes on by the old one until the new one is checked. Throws `sdp.*`, and the session lives. */
  restartIce(remote: IceCredentials): { readonly fragment: string; readonly etag: string }
  /** Takes the player's answer to a counter-offer. Throws `sdp.*`, and the session lives. */
  acceptAnswer(sdp: string): void
  /** The WHEP extension for events, where the session has it. */
  readonly events?: EventFeeds | undefined
  /** The WHEP extension for layers, where the session has it. */
  readonly layers?: LayerControl | undefined
}

/** What a client can do to open sessions, WHIP and WHEP alike. */
export interface SessionService {
  find(id: string): SignalingSession | undefined
  /** Ends a session at once; false where there is none. */
  end(id: string): boolean | Promise<boolean>
}

/**
 * The session's own address: DELETE ends it, PATCH takes trickled candidates and ICE restarts (RFC 9725 section 4.3) and the answer to a
 * counter-offer (draft-ietf-wish-whep section 4.3.2). It needs no token: the address is the secret.
 */
export function sessionRoutes(service: SessionService, { maxBodyBytes }: { readonly maxBodyBytes: number }): Hono {
  const app = new Hono()
  app.use("/sessions/:id", advertisePatch(service), allowMethods("GET, HEAD, PATCH, DELETE, OPTIONS"))

  app.delete("/sessions/:id", async (c) => {
    if (await service.end(c.req.param("id"))) return c.body(null, 200, EMPTY)
    throw notFound()
  })

  app.patch("/sessions/:id", limitBody(maxBodyBytes), async (c) => {
    const session = requireSession(service, c.req.param("id"))
    const type = mediaType(c)
    if (type === SDP && session.role === "whep") {
      session.acceptAnswer(await c.req.text())
      return c.body(null, 204)
    }
    if (type !== FRAGMENT) {
      const types = session.role === "whep" ? `${FRAGMENT} or ${SDP}` : FRAGMENT
      throw new GatewayError("http.media_type", `the Content-Type must be ${types}`)
    }
    requireMatch(c.req.header("if-match"), session)
    const restart = findRestart(await c.req.text(), session)
    if (restart === undefined) return c.body(null, 204)
    const { fragment, etag } = session.restartIce(restart)
    return c.body(fragment, 200, { "content-type": FRAGMENT, etag: `"${etag}"`, "cache-control": "no-store" })
  })

  app.get("/sessions/:id", (c) => {
    requireSession(service, c.req.param("id"))
    return c.body(null, 200, { ...EMPTY, "cache-control": "no-store" })
  })
  app.all("/sessions/:id", () => refuseMethod("GET, HEAD, PATCH, DELETE and OPTIONS"))

  const find = (id: string) => requireSession(service, id)
  app.route("/", eventRoutes(find, maxBodyBytes))
  app.route("/", layerRoutes(find, maxBodyBytes))
  return app
}

/** RFC 5789 section 3.1. */
function advertisePatch(service: SessionService): MiddlewareHandler {
  return async (c, next) => {
    const role = service.find(c.req.param("id") ?? "")?.role
    await next()
    c.header("accept-patch", role === "whep" ? `${FRAGMENT}, ${SDP}` : FRAGMENT)
  }
}

function requireSession(service: SessionService, id: string): SignalingSession {
  const session = service.find(id)
  if (session !== undefined) return session
  throw notFound()
}

function notFound(): GatewayError {
  return new GatewayError("session.not_found", "there is no such session, or it has ended")
}

/** RFC 9110 section 13.1.1; the example in RFC 9725 section 4.3.3 writes the asterisk in quotes. */
function requireMatch(ifMatch: string | undefined, { etag }: SignalingSession): void {
  if (ifMatch === undefined) {
    throw new GatewayError("http.precondition_required", "PATCH needs If-Match with the session's ETag")
  }
  const tags = ifMatch.split(",").map((tag) => tag.trim())
  if (tags.includes("*") || tags.includes('"*"') || tags.includes(`"${etag}"`)) return
  throw new GatewayError("http.precondition_failed", "If-Match names another ICE session than the current one")
}

/**
 * The client's new credentials where a fragment restarts ICE, undefined where it trickles. Trickled candidates need no
 * work: the gateway is ICE-lite and learns addresses from the checks themselves.
 */
function findRestart(text: string, { remoteUfrag }: SignalingSession): IceCredentials | undefined {
  const { ufrag, pwd } = parseFragment(text)
  if (ufrag === undefined || ufrag === remoteUfrag) return undefined
  if (pwd === undefined) throw new GatewayError("sdp.syntax", "an ICE restart needs a=ice-pwd beside its a=ice-ufrag")
  return { ufrag, pwd }
}
