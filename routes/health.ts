import { Hono } from "hono"

/** How the gateway is. */
export interface Health {
  /** `closing` while a shutdown drains; load balancers then get 503. */
  readonly status: "ok" | "closing"
  readonly version: string
  readonly uptimeSeconds: number
  readonly streams: number
  readonly viewers: number
}

/** All that the health check needs from the gateway. */
export interface HealthService {
  health(): Health
}

/** `GET /health`: 200 while the gateway takes sessions, 503 while it drains. */
export function healthRoutes(service: HealthService): Hono {
  const app = new Hono()
  app.get("/health", (c) => {
    const health = service.health()
    return c.json(health, health.status === "ok" ? 200 : 503, { "cache-control": "no-store" })
  })
  return app
}
