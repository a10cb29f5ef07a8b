import { Hono } from "hono"
import { type ApiService, apiRoutes } from "./api.ts"
import { errorHandler, notFoundHandler } from "./errors.ts"
import { type HealthService, healthRoutes } from "./health.ts"
import { pageRoutes } from "./pages.ts"
import { type SessionService, sessionRoutes } from "./sessions.ts"
import type { SignalingOptions } from "./signaling.ts"
import { type WhepService, whepRoutes } from "./whep.ts"
import { type WhipService, whipRoutes } from "./whip.ts"

/** All that the HTTP side needs from the gateway. */
export interface AppServices extends WhipService, WhepService, SessionService, ApiService, HealthService {}

/** How the HTTP side is set up. */
export interface AppOptions extends Partial<SignalingOptions> {
  /** Called with every error that is not a GatewayError. */
  readonly onBug: (error: Error) => void
}

/** Composes all routes into one application, whose `fetch` is what an HTTP server serves. */
export function createApp(services: AppServices, options: AppOptions): Hono {
  const { maxBodyBytes = 64 * 1024, localAddress = () => undefined } = options
  const app = new Hono()
  app.onError(errorHandler(options.onBug))
  app.notFound(notFoundHandler)
  app.use(async (c, next) => {
    await next()
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.header(name, value)
  })
  app.route("/", whipRoutes(services, { maxBodyBytes, localAddress }))
  app.route("/", whepRoutes(services, { maxBodyBytes, localAddress }))
  app.route("/", sessionRoutes(services, { maxBodyBytes }))
  app.route("/", apiRoutes(services))
  app.route("/", healthRoutes(services))
  app.route("/", pageRoutes())
  return app
}

const SECURITY_HEADERS = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "permissions-policy": "camera=(self), microphone=(self), display-capture=(self)",
}
