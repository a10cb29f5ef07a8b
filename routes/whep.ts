import type { Hono } from "hono"
import { type OpenSession, type SignalingOptions, signalingRoutes } from "./signaling.ts"

/** All that WHEP needs from the gateway. */
export interface WhepService {
  /**
   * Adds a viewer; throws `stream.not_live` where nobody publishes, which becomes 409 with Retry-After (section 4.3.8).
   */
  readonly play: OpenSession
}

/** WHEP, draft-ietf-wish-whep: `POST /whep/{app}/{stream}`. */
export function whepRoutes(service: WhepService, options: SignalingOptions): Hono {
  return signalingRoutes("/whep", (request) => service.play(request), options)
}
