import { createRoute, type OpenAPIHono } from "@hono/zod-openapi"
import { GatewayError } from "../src/errors.ts"
import { type AdminCheck, openAdminRoutes } from "./admin-routes.ts"
import { PushList, PushParams, PushRequest, PushSummary } from "./api/push-schemas.ts"
import { Problem } from "./api/schemas.ts"
import type { ClientEnv } from "./client.ts"

/** All that the routes of pushes need from the gateway. */
export interface PushService extends AdminCheck {
  pushes(): readonly PushSummary[]
  /** Throws `rtmp.url` or `session.limit`. */
  addPush(request: PushRequest): PushSummary
  /** False where there is none of that id. */
  removePush(id: string): boolean
}

/** `/api/v1/pushes`: streams that go on to other servers, for administrators. */
export function pushRoutes(service: PushService): OpenAPIHono<ClientEnv> {
  const { app, admin, adminWithJson, refuseOthers } = openAdminRoutes(METHODS, service)

  app.openapi({ ...listPushes, middleware: admin }, (c) => c.json({ pushes: [...service.pushes()] }, 200))
  app.openapi({ ...addPush, middleware: adminWithJson }, (c) => {
    const push = service.addPush(c.req.valid("json"))
    return c.json(push, 201, { location: `${LIST}/${push.id}` })
  })
  app.openapi({ ...removePush, middleware: admin }, (c) => {
    if (!service.removePush(c.req.valid("param").id)) throw new GatewayError("http.not_found", "there is no such push")
    return c.body(null, 204)
  })
  refuseOthers()
  return app
}

const LIST = "/api/v1/pushes"
const METHODS = { [LIST]: "GET, HEAD, POST, OPTIONS", [`${LIST}/:id`]: "DELETE, OPTIONS" }

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
