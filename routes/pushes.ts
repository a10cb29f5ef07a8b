import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi"
import type { MiddlewareHandler } from "hono"
import { GatewayError } from "../src/errors.ts"
import { PushList, PushParams, PushRequest, PushSummary } from "./api/push-schemas.ts"
import { Problem } from "./api/schemas.ts"
import type { ClientEnv } from "./client.ts"
import { allowMethods, bearerToken, limitBody, refuseMethod, requireMediaType } from "./requests.ts"

/** All that the routes of pushes need from the gateway. */
export interface PushService {
  pushes(): readonly PushSummary[]
  /** Throws `rtmp.url` or `session.limit`. */
  addPush(request: PushRequest): PushSummary
  /** False where there is none of that id. */
  removePush(id: string): boolean
  /** Throws `access.*` unless it is an administrator's token. */
  requireAdmin(token: string | undefined): Promise<void>
}

/** `/api/v1/pushes`: streams that go on to other servers, for administrators. */
export function pushRoutes(service: PushService): OpenAPIHono<ClientEnv> {
  const app = new OpenAPIHono<ClientEnv>({
    defaultHook: (result) => {
      if (!result.success) throw new GatewayError("http.json", z.prettifyError(result.error))
    },
  })
  for (const [path, methods] of Object.entries(METHODS)) app.use(path, allowMethods(methods))
  const admin: MiddlewareHandler<ClientEnv> = async (c, next) => {
    await service.requireAdmin(bearerToken(c))
    await next()
  }
  const isJson: MiddlewareHandler<ClientEnv> = async (c, next) => {
    requireMediaType(c, "application/json")
    await next()
  }

  app.openapi({ ...listPushes, middleware: admin }, (c) => c.json({ pushes: [...service.pushes()] }, 200))
  app.openapi({ ...addPush, middleware: [admin, isJson, limitBody(MAX_BODY_BYTES)] }, (c) => {
    const push = service.addPush(c.req.valid("json"))
    return c.json(push, 201, { location: `${LIST}/${push.id}` })
  })
  app.openapi({ ...removePush, middleware: admin }, (c) => {
    if (!service.removePush(c.req.valid("param").id)) throw new GatewayError("http.not_found", "there is no such push")
    return c.body(null, 204)
  })
  for (const [path, methods] of Object.entries(METHODS)) app.all(path, () => refuseMethod(methods))
  return app
}

const LIST = "/api/v1/pushes"
const METHODS = { [LIST]: "GET, HEAD, POST, OPTIONS", [`${LIST}/:id`]: "DELETE, OPTIONS" }
const MAX_BODY_BYTES = 8 * 1024

const problem = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: Problem } },
})
const security = [{ token: [] }]
const refusals = { 401: problem("no token, or one that is not valid"), 403: problem("not an administrator's token") }

const listPushes = createRoute({
  method: "get",
  path: LIST,
  operationId: "listPushes",
  summary: "Streams that go on to other servers",
  tags: ["pushes"],
  security,
  responses: {
    200: { description: "oldest first", content: { "application/json": { schema: PushList } } },
    ...refusals,
  },
})
const addPush = createRoute({
  method: "post",
  path: LIST,
  operationId: "addPush",
  summary: "Send a stream on to another server, until the push is removed or the gateway ends",
  tags: ["pushes"],
  security,
  request: { body: { required: true, content: { "application/json": { schema: PushRequest } } } },
  responses: {
    201: { description: "added", content: { "application/json": { schema: PushSummary } } },
    400: problem("the body or the address is wrong"),
    ...refusals,
    413: problem("the body is too large"),
    415: problem("the body is not JSON"),
    429: problem("too many requests"),
    503: problem("there are as many pushes as there may be"),
  },
})
const removePush = createRoute({
  method: "delete",
  path: `${LIST}/{id}`,
  operationId: "removePush",
  summary: "End a push; one of the configuration comes back when the gateway is started again",
  tags: ["pushes"],
  security,
  request: { params: PushParams },
  responses: {
    204: { description: "ended" },
    ...refusals,
    404: problem("no such push"),
    429: problem("too many requests"),
  },
})
