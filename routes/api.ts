import { Hono } from "hono"
import { allowOrigins } from "./signaling.ts"

/** A track of a live stream in a few words. */
export interface TrackSummary {
  readonly kind: "audio" | "video"
  /** `h264`, `aac`, `opus`. */
  readonly codec: string
  readonly widthPx?: number
  readonly heightPx?: number
  readonly sampleRateHz?: number
  readonly channels?: number
}

/** A live stream in the list. */
export interface StreamSummary {
  /** `app/stream`. */
  readonly name: string
  readonly publisher: { readonly protocol: "rtmp" | "whip" }
  readonly tracks: readonly TrackSummary[]
  /** Viewers and readers of every protocol. */
  readonly viewers: number
  /** Start of publishing, RFC 3339. */
  readonly since: string
}

/** All that the API needs from the gateway. */
export interface ApiService {
  streams(): readonly StreamSummary[]
  /** What a page must know to tell people where to publish. */
  info(): { readonly version: string; readonly rtmpPort: number }
}

/** `GET /api/v1/streams` lists live streams, `GET /api/v1/info` tells version and ports. */
export function apiRoutes(service: ApiService): Hono {
  const app = new Hono()
  app.use("/api/*", allowOrigins("GET, HEAD, OPTIONS"))
  app.get("/api/v1/streams", (c) => c.json({ streams: service.streams() }, 200, { "cache-control": "no-store" }))
  app.get("/api/v1/info", (c) => c.json(service.info(), 200, { "cache-control": "no-store" }))
  return app
}
