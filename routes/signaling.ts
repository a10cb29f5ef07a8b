import { type Context, Hono, type MiddlewareHandler } from "hono"
import { bodyLimit } from "hono/body-limit"
import { GatewayError } from "../src/errors.ts"

/** A WHIP or WHEP offer with all that the service decides on. */
export interface SessionRequest {
  /** `app/stream` as the client wrote it; the service checks it and throws `stream.name`. */
  readonly stream: string
  readonly offerSdp: string
  /** Of `Authorization: Bearer`, RFC 6750. */
  readonly token: string | undefined
  /** The gateway's end of the connection: an address that surely leads to it. */
  readonly localAddress: string | undefined
}

/** A session that was opened. */
export interface SessionAnswer {
  /** Unguessable, and safe in a URL path: whoever knows it can end the session. */
  readonly id: string
  readonly answerSdp: string
  /** Strong entity-tag of the ICE session, without quotes. */
  readonly etag: string
}

/** Opens a session from an offer; throws GatewayError. */
export type OpenSession = (request: SessionRequest) => SessionAnswer | Promise<SessionAnswer>

/** Limits and facts of the HTTP server that the routes need. */
export interface SignalingOptions {
  readonly maxBodyBytes: number
  /** Finds the gateway's end of the connection in the server's bindings (`c.env`). */
  readonly localAddress: (bindings: unknown) => string | undefined
}

/**
 * The endpoint that WHIP (RFC 9725 section 4.2) and WHEP (draft-ietf-wish-whep section 4) share: POST an offer, get
 * 201, the answer and the session's address. GET and HEAD answer empty, OPTIONS tells what POST takes.
 */
export function signalingRoutes(base: "/whip" | "/whep", open: OpenSession, options: SignalingOptions): Hono {
  const app = new Hono()
  const endpoint = `${base}/:app/:stream`
  app.use(`${base}/*`, allowOrigins("GET, HEAD, POST, OPTIONS", { "accept-post": SDP }))

  app.post(endpoint, limitBody(options.maxBodyBytes), async (c) => {
    requireMediaType(c, SDP)
    const session = await open({
      stream: `${c.req.param("app")}/${c.req.param("stream")}`,
      offerSdp: await c.req.text(),
      token: bearerToken(c),
      localAddress: options.localAddress(c.env),
    })
    return c.body(session.answerSdp, 201, {
      "content-type": SDP,
      // A path without query: OBS puts all of it into the path of its own URL.
      location: `/sessions/${session.id}`,
      etag: `"${session.etag}"`,
      "cache-control": "no-store",
    })
  })
  app.get(endpoint, (c) => c.body(null, 200, { "content-type": SDP }))
  app.all(endpoint, () => refuseMethod("GET, HEAD, POST and OPTIONS"))
  app.all(`${base}/*`, () => {
    throw new GatewayError("stream.name", `the address must be ${base}/{app}/{stream}, for example ${base}/live/cam1`)
  })
  return app
}

/** CORS for any origin (no cookies are used), on success and error alike; answers OPTIONS itself. */
export function allowOrigins(methods: string, extra: Readonly<Record<string, string>> = {}): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.method === "OPTIONS") {
      c.res = c.body(null, 200, {
        allow: methods,
        "access-control-allow-methods": methods,
        "access-control-allow-headers": "Authorization, Content-Type, If-Match",
        "access-control-max-age": "86400",
      })
    } else await next()
    c.header("access-control-allow-origin", "*")
    c.header("access-control-expose-headers", "Location, ETag, Link, Accept-Post, Accept-Patch, Retry-After")
    for (const [name, value] of Object.entries(extra)) c.header(name, value)
    if (c.res.status === 405) c.header("allow", methods)
  }
}

/** Refuses a body of more than `maxBodyBytes` while it is read, with or without Content-Length. */
export function limitBody(maxBodyBytes: number): MiddlewareHandler {
  return bodyLimit({
    maxSize: maxBodyBytes,
    onError: () => {
      throw new GatewayError("http.too_large", `the body has more than ${maxBodyBytes} bytes`)
    },
  })
}

/** Throws `http.media_type` unless the body is of that type, parameters aside. */
export function requireMediaType(c: Context, expected: string): void {
  const [mediaType = ""] = (c.req.header("content-type") ?? "").split(";", 1)
  if (mediaType.trim().toLowerCase() === expected) return
  throw new GatewayError("http.media_type", `the Content-Type must be ${expected}`)
}

/** Throws `http.method`. */
export function refuseMethod(allowed: string): never {
  throw new GatewayError("http.method", `this address takes ${allowed}`)
}

function bearerToken(c: Context): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1]
}

const SDP = "application/sdp"
