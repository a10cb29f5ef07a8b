import type { Hono } from "hono"
import { type OpenSession, type SignalingOptions, signalingRoutes } from "./signaling.ts"

/** All that WHIP needs from the gateway. */
export interface WhipService {
  /** Takes the stream's name for a publisher; throws `stream.busy` where another one has it. */
  readonly publish: OpenSession
}

/** WHIP, RFC 9725: `POST /whip/{app}/{stream}`. */
export function whipRoutes(service: WhipService, options: SignalingOptions): Hono {
  return signalingRoutes("/whip", (request) => service.publish(request), options)
}
