import { type Context, Hono } from "hono"
import { GatewayError } from "../src/errors.ts"
import type { ClientEnv } from "./client.ts"
import { errorHandler } from "./errors.ts"
import { allowMethods, refuseMethod, requestToken } from "./requests.ts"

/** Who wants to watch what. */
export interface FlvPlayRequest {
  readonly app: string
  readonly stream: string
  /** Of `Authorization: Bearer` (RFC 6750), else of the query's `token`. */
  readonly token: string | undefined
  readonly remoteAddress: string | undefined
  /** Opus where the publisher sends it; otherwise AAC. */
  readonly wantsOpus: boolean
  /** The query's `start`: where the viewer wants to begin. */
  readonly start: string | undefined
}

/** All that HTTP-FLV needs from the gateway. */
export interface FlvService {
  /**
   * Adds a viewer and returns the body that the HTTP server sends him. Throws `stream.name`, `stream.start`, `stream.not_live`,
   * `access.*`, `session.limit` and `gateway.closing`.
   */
  playFlv(request: FlvPlayRequest): Promise<object>
  /** Throws what `playFlv` would. */
  checkFlv(request: FlvPlayRequest): Promise<void>
}

/**
 * HTTP-FLV and WebSocket-FLV: `GET /flv/{app}/{stream}.flv`, an FLV file that ends with the stream. The route decides and answers the head; the
 * body goes into the request's bindings as `live`, and the server sends it as what the client asked for: the rest of the response, or binary
 * messages of a WebSocket.
 */
export function flvRoutes(service: FlvService, onBug: (error: Error) => void) {
  const app = new Hono<ClientEnv>()
  // A player takes 404 for what it is; WHEP's 409 means an offer.
  app.onError(errorHandler(onBug, { "stream.not_live": 404 }))
  app.use("/flv/*", allowMethods("GET, HEAD, OPTIONS"))

  app.get("/flv/:app/:file{.+\\.flv}", async (c) => {
    const request = playRequest(c)
    if (c.req.method === "HEAD") await service.checkFlv(request)
    else (c.env as { live?: object }).live = await service.playFlv(request)
    return c.body(null, 200, {
      "content-type": "video/x-flv",
      "cache-control": "no-store",
      "x-accel-buffering": "no", // nginx would keep the first pictures back
    })
  })
  app.all("/flv/:app/:file{.+\\.flv}", () => refuseMethod("GET, HEAD and OPTIONS"))
  app.all("/flv/*", () => {
    throw new GatewayError("stream.name", "the address must be /flv/{app}/{stream}.flv, for example /flv/live/cam1.flv")
  })
  return app
}

function playRequest(c: Context<ClientEnv>): FlvPlayRequest {
  return {
    app: c.req.param("app") ?? "",
    stream: (c.req.param("file") ?? "").slice(0, -".flv".length),
    token: requestToken(c),
    remoteAddress: c.var.client.remoteAddress,
    wantsOpus: c.req.query("audio") === "opus",
    start: c.req.query("start"),
  }
}
