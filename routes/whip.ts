import { type IceServerService, type OpenSession, type SignalingOptions, signalingRoutes } from "./signaling.ts"

/** All that WHIP needs from the gateway. */
export interface WhipService extends IceServerService {
  /** Takes the stream's name for a publisher; throws `stream.busy` where another one has it. */
  readonly publish: OpenSession
}

/** WHIP, RFC 9725: `POST /whip/{app}/{stream}`. */
export function whipRoutes(service: WhipService, options: SignalingOptions) {
  const { publish, iceServers } = service
  return signalingRoutes({ base: "/whip", open: publish, iceServers }, options)
}
