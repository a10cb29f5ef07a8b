import { createRoute, OpenAPIHono } from "@hono/zod-openapi"
import { PullList, type PullSummary } from "./api/pull-schemas.ts"
import { Problem } from "./api/schemas.ts"
import type { ClientEnv } from "./client.ts"
import { allowMethods, bearerToken, refuseMethod } from "./requests.ts"

/** All that the routes of pulls need from the gateway. */
export interface PullService {
  pulls(): readonly PullSummary[]
  /** Throws `access.*` unless it is an administrator's token. */
  requireAdmin(token: string | undefined): Promise<void>
}

/** `/api/v1/pulls`: streams that are fetched from other servers, for administrators. */
export function pullRoutes(service: PullService): OpenAPIHono<ClientEnv> {
  const app = new OpenAPIHono<ClientEnv>()
  app.use(PATH, allowMethods(METHODS))
  app.openapi(listPulls, async (c) => {
    await service.requireAdmin(bearerToken(c))
    return c.json({ pulls: [...service.pulls()] }, 200)
  })
  app.all(PATH, () => refuseMethod(METHODS))
  return app
}

const PATH = "/api/v1/pulls"
const METHODS = "GET, HEAD, OPTIONS"

const problem = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: Problem } },
})

const listPulls = createRoute({
  method: "get",
  path: PATH,
  operationId: "listPulls",
  summary: "Streams that are fetched from other servers, always or on demand",
  tags: ["pulls"],
  security: [{ token: [] }],
  responses: {
    200: { description: "in the order of the configuration", content: { "application/json": { schema: PullList } } },
    401: problem("no token, or one that is not valid"),
    403: problem("not an administrator's token"),
  },
})
