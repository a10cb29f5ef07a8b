import { Hono } from "hono"
import { METRICS_MEDIA_TYPE, type MetricFamily, serializeMetrics } from "../src/metrics/exposition.ts"
import { allowMethods, bearerToken, refuseMethod } from "./requests.ts"

/** All that the metrics need from the gateway. */
export interface MetricsService {
  metrics(): readonly MetricFamily[]
  /** Throws `access.*` where access control is configured and it is not an administrator's token. */
  requireMetricsAccess(token: string | undefined): Promise<void>
}

/** `GET /metrics`: how the gateway does, for Prometheus. */
export function metricsRoutes(service: MetricsService): Hono {
  const app = new Hono()
  app.use("/metrics", allowMethods(METHODS))
  app.get("/metrics", async (c) => {
    await service.requireMetricsAccess(bearerToken(c))
    const headers = { "content-type": METRICS_MEDIA_TYPE, "cache-control": "no-store" }
    return c.body(serializeMetrics(service.metrics()), 200, headers)
  })
  app.all("/metrics", () => refuseMethod(METHODS))
  return app
}

const METHODS = "GET, HEAD, OPTIONS"
