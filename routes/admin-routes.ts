import { OpenAPIHono, z } from "@hono/zod-openapi"
import type { MiddlewareHandler } from "hono"
import { GatewayError } from "../src/errors.ts"
import type { ClientEnv } from "./client.ts"
import { allowMethods, bearerToken, limitBody, readJson, refuseMethod, requireMediaType } from "./requests.ts"

/** Who tells administrators from others. */
export interface AdminCheck {
  /** Throws `access.*` unless it is an administrator's token. */
  requireAdmin(token: string | undefined): Promise<void>
}

/** A part of the API for administrators, and what goes before its handlers. */
export interface AdminRoutes {
  readonly app: OpenAPIHono<ClientEnv>
  /** Lets administrators through. */
  readonly admin: MiddlewareHandler<ClientEnv>
  /** Lets administrators through, then takes a body of JSON of bounded size; nobody else's body is read. */
  readonly adminWithJson: MiddlewareHandler<ClientEnv>[]
  /** Refuses all other methods; call it when all handlers are there. */
  refuseOthers(): void
}

/** Opens a part of the API; `methods` has the `Allow` header of each path. What a schema refuses becomes `http.json`. */
export function openAdminRoutes(methods: Readonly<Record<string, string>>, service: AdminCheck): AdminRoutes {
  const app = new OpenAPIHono<ClientEnv>({
    defaultHook: (result) => {
      if (!result.success) throw new GatewayError("http.json", z.prettifyError(result.error))
    },
  })
  for (const [path, allowed] of Object.entries(methods)) app.use(path, allowMethods(allowed))
  const admin: MiddlewareHandler<ClientEnv> = async (c, next) => {
    await service.requireAdmin(bearerToken(c))
    await next()
  }
  const json: MiddlewareHandler<ClientEnv> = async (c, next) => {
    requireMediaType(c, "application/json")
    await readJson(c)
    await next()
  }
  return {
    app,
    admin,
    adminWithJson: [admin, limitBody(MAX_BODY_BYTES), json],
    refuseOthers: () => {
      for (const [path, allowed] of Object.entries(methods)) app.all(path, () => refuseMethod(allowed))
    },
  }
}

const MAX_BODY_BYTES = 8_192
