import { createRoute, OpenAPIHono } from "@hono/zod-openapi"
import { GatewayError } from "../src/errors.ts"
import {
  Info,
  Problem,
  SessionList,
  SessionParams,
  SessionSummary,
  StreamList,
  StreamParams,
  StreamSummary,
} from "./api/schemas.ts"
import type { ClientEnv } from "./client.ts"
import { type PullService, pullRoutes } from "./pulls.ts"
import { type PushService, pushRoutes } from "./pushes.ts"
import { type RecordingService, recordingRoutes } from "./recordings.ts"
import { allowMethods, bearerToken, refuseMethod } from "./requests.ts"

/** All that the API needs from the gateway. */
export interface ApiService extends PullService, RecordingService, PushService {
  streams(): readonly StreamSummary[]
  /** Ends a stream's publisher; false where the stream is not live. */
  endStream(name: string): boolean
  /** Publishers, viewers and readers. */
  sessions(): readonly SessionSummary[]
  /** Ends a session by its public id; false where there is none. */
  endSession(publicId: string): boolean
  info(): Info
  /** Tells which streams the bearer of a token may play. */
  playFilter(token: string | undefined): Promise<(stream: string) => boolean>
  /** Throws `access.*` unless it is an administrator's token. */
  requireAdmin(token: string | undefined): Promise<void>
}

/**
 * The API under `/api/v1`: live streams for those who may play them, sessions for administrators, and its own
 * description at `/api/v1/openapi.json`.
 */
export function apiRoutes(service: ApiService): OpenAPIHono<ClientEnv> {
  const app = new OpenAPIHono<ClientEnv>()
  for (const [path, methods] of Object.entries(METHODS)) app.use(path, allowMethods(methods))
  app.use("/api/*", async (c, next) => {
    await next()
    c.header("cache-control", "no-store")
  })
  app.openAPIRegistry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" })

  const findStream = (name: string) => service.streams().find((stream) => stream.name === name)
  const findSession = (id: string) => service.sessions().find((session) => session.id === id)

  app.openapi(listStreams, async (c) => {
    const mayPlay = await service.playFilter(bearerToken(c))
    return c.json({ streams: service.streams().filter(({ name }) => mayPlay(name)) }, 200)
  })
  app.openapi(getStream, async (c) => {
    const { app, stream } = c.req.valid("param")
    const name = `${app}/${stream}`
    const mayPlay = await service.playFilter(bearerToken(c))
    // The same answer for what is not there and what is not to be known.
    const found = mayPlay(name) ? findStream(name) : undefined
    if (found === undefined) throw notLive()
    return c.json(found, 200)
  })
  app.openapi(endStream, async (c) => {
    await service.requireAdmin(bearerToken(c))
    const { app, stream } = c.req.valid("param")
    if (!service.endStream(`${app}/${stream}`)) throw notLive()
    return c.body(null, 204)
  })
  app.openapi(listSessions, async (c) => {
    await service.requireAdmin(bearerToken(c))
    return c.json({ sessions: [...service.sessions()] }, 200)
  })
  app.openapi(getSession, async (c) => {
    await service.requireAdmin(bearerToken(c))
    const session = findSession(c.req.valid("param").id)
    if (session === undefined) throw noSession()
    return c.json(session, 200)
  })
  app.openapi(endSession, async (c) => {
    await service.requireAdmin(bearerToken(c))
    if (!service.endSession(c.req.valid("param").id)) throw noSession()
    return c.body(null, 204)
  })
  app.openapi(getInfo, (c) => c.json(service.info(), 200))

  app.route("/", pullRoutes(service))
  app.route("/", recordingRoutes(service))
  app.route("/", pushRoutes(service))

  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Whipstitch",
      version: service.info().version,
      description: "Live streams and sessions of the gateway. WHIP (RFC 9725) and WHEP have their own addresses.",
    },
    servers: [{ url: "/" }],
    tags: [
      { name: "streams" },
      { name: "sessions" },
      { name: "pulls" },
      { name: "recordings" },
      { name: "pushes" },
      { name: "gateway" },
    ],
  })
  app.get("/api/v1/openapi.json", (c) => c.json(document, 200))
  for (const [path, methods] of Object.entries(METHODS)) app.all(path, () => refuseMethod(methods))
  return app
}

const READ = "GET, HEAD, OPTIONS"
const READ_AND_END = "GET, HEAD, DELETE, OPTIONS"
const METHODS = {
  "/api/v1/streams": READ,
  "/api/v1/streams/:app/:stream": READ_AND_END,
  "/api/v1/sessions": READ,
  "/api/v1/sessions/:id": READ_AND_END,
  "/api/v1/info": READ,
  "/api/v1/openapi.json": READ,
}

function notLive(): GatewayError {
  return new GatewayError("http.not_found", "there is no such live stream, or it is not for you to play")
}

function noSession(): GatewayError {
  return new GatewayError("http.not_found", "there is no such session, or it has ended")
}

const problem = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: Problem } },
})
const json = <Schema>(description: string, schema: Schema) => ({
  description,
  content: { "application/json": { schema } },
})
const admin = { security: [{ token: [] }] }
const refusals = {
  401: problem("no token, or one that is not valid"),
  403: problem("not an administrator's token"),
  429: problem("too many requests"),
}

const listStreams = createRoute({
  method: "get",
  path: "/api/v1/streams",
  operationId: "listStreams",
  summary: "Live streams that you may play",
  tags: ["streams"],
  security: [{}, { token: [] }],
  responses: { 200: json("oldest first", StreamList), 401: refusals[401] },
})
const getStream = createRoute({
  method: "get",
  path: "/api/v1/streams/{app}/{stream}",
  operationId: "getStream",
  summary: "One live stream",
  tags: ["streams"],
  security: [{}, { token: [] }],
  request: { params: StreamParams },
  responses: { 200: json("the stream", StreamSummary), 401: refusals[401], 404: problem("not live, or not for you") },
})
const endStream = createRoute({
  method: "delete",
  path: "/api/v1/streams/{app}/{stream}",
  operationId: "endStream",
  summary: "End a stream's publisher, and so the stream",
  tags: ["streams"],
  ...admin,
  request: { params: StreamParams },
  responses: { 204: { description: "ended" }, ...refusals, 404: problem("not live") },
})
const listSessions = createRoute({
  method: "get",
  path: "/api/v1/sessions",
  operationId: "listSessions",
  summary: "Publishers, viewers and readers",
  tags: ["sessions"],
  ...admin,
  responses: { 200: json("all sessions", SessionList), 401: refusals[401], 403: refusals[403] },
})
const getSession = createRoute({
  method: "get",
  path: "/api/v1/sessions/{id}",
  operationId: "getSession",
  summary: "One session",
  tags: ["sessions"],
  ...admin,
  request: { params: SessionParams },
  responses: {
    200: json("the session", SessionSummary),
    401: refusals[401],
    403: refusals[403],
    404: problem("no such session"),
  },
})
const endSession = createRoute({
  method: "delete",
  path: "/api/v1/sessions/{id}",
  operationId: "endSession",
  summary: "End a session",
  tags: ["sessions"],
  ...admin,
  request: { params: SessionParams },
  responses: { 204: { description: "ended" }, ...refusals, 404: problem("no such session") },
})
const getInfo = createRoute({
  method: "get",
  path: "/api/v1/info",
  operationId: "getInfo",
  summary: "Version and ports",
  tags: ["gateway"],
  responses: { 200: json("the gateway", Info) },
})
