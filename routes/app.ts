import { Hono } from "hono"
import { type ApiService, apiRoutes } from "./api.ts"
import { type ClientEnv, type ClientOptions, identifyClient } from "./client.ts"
import { errorHandler, notFoundHandler } from "./errors.ts"
import { type FlvService, flvRoutes } from "./flv.ts"
import { type HealthService, healthRoutes } from "./health.ts"
import { type MetricsService, metricsRoutes } from "./metrics.ts"
import { redirectOverflow } from "./overflow.ts"
import { pageRoutes } from "./pages.ts"
import { type CountRequest, limitRate } from "./rate-limit.ts"
import { allowOrigins } from "./requests.ts"
import { type SessionService, sessionRoutes } from "./sessions.ts"
import type { SignalingOptions } from "./signaling.ts"
import { type WhepService, whepRoutes } from "./whep.ts"
import { type WhipService, whipRoutes } from "./whip.ts"

/** All that the HTTP side needs from the gateway. */
export interface AppServices
  extends WhipService,
    WhepService,
    FlvService,
    SessionService,
    ApiService,
    HealthService,
    MetricsService {}

/** How the HTTP side is set up. */
export interface AppOptions extends SignalingOptions, ClientOptions {
  readonly countRequest: CountRequest
  /** Another gateway, for sessions that this one has no room for; empty where there is none. */
  readonly overflowUrl: string
  /** Called with every error that is not a GatewayError. */
  readonly onBug: (error: Error) => void
}

/** Composes all routes into one application, whose `fetch` is what an HTTP server serves. */
export function createApp(services: AppServices, options: AppOptions): Hono<ClientEnv> {
  const { maxBodyBytes } = options
  const app = new Hono<ClientEnv>()
  app.onError(errorHandler(options.onBug))
  app.notFound(notFoundHandler)
  app.use(async (c, next) => {
    await next()
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.header(name, value)
  })
  app.use(identifyClient(options))
  for (const path of OPEN_TO_PROGRAMS) app.use(path, allowOrigins, limitRate(options.countRequest))
  app.use("/flv/*", allowOrigins, limitRate(options.countRequest, ["GET", "HEAD"]))
  for (const path of ["/whip/*", "/whep/*"]) app.use(path, redirectOverflow(options.overflowUrl))
  app.route("/", whipRoutes(services, { maxBodyBytes }))
  app.route("/", whepRoutes(services, { maxBodyBytes }))
  app.route("/", flvRoutes(services, options.onBug))
  app.route("/", sessionRoutes(services, { maxBodyBytes }))
  app.route("/", apiRoutes(services))
  app.route("/", healthRoutes(services))
  app.route("/", metricsRoutes(services))
  app.route("/", pageRoutes())
  return app
}

/** What programs and pages of other sites use. */
const OPEN_TO_PROGRAMS = ["/whip/*", "/whep/*", "/sessions/*", "/api/*"]

const SECURITY_HEADERS = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "permissions-policy": "camera=(self), microphone=(self), display-capture=(self)",
}
