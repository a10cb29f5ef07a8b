import { type IceServerService, type OpenSession, type SignalingOptions, signalingRoutes } from "./signaling.ts"

/** All that WHEP needs from the gateway. */
export interface WhepService extends IceServerService {
  /**
   * Adds a viewer; throws `stream.not_live` where nobody publishes, which becomes 409 with Retry-After (section 4.3.8),
   * and `sdp.not_acceptable` for an offer that cannot play the stream, where a counter-offer is not accepted (406).
   */
  readonly play: OpenSession
}

/** WHEP, draft-ietf-wish-whep: `POST /whep/{app}/{stream}`. */
export function whepRoutes(service: WhepService, options: SignalingOptions) {
  const { play, iceServers } = service
  return signalingRoutes({ base: "/whep", open: play, iceServers }, options)
}
