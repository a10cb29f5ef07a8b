import type { AppServices } from "../routes/app.ts"
import type { ExtensionLink } from "../routes/links.ts"
import type { OpenSession, SessionRequest } from "../routes/signaling.ts"
import type { AccessGrant } from "./access/access.ts"
import type { Config } from "./config.ts"
import { GatewayError } from "./errors.ts"
import { parseStreamName, type StreamName } from "./hub/stream-name.ts"
import type { StreamRegistry } from "./hub/stream-registry.ts"
import type { GatewayAccess } from "./io/access/create-access.ts"
import { type Logger, sessionLabel } from "./io/log.ts"
import { iceServersFor } from "./io/webrtc/turn-credentials.ts"
import type { OpenedSession, WebRtcService } from "./io/webrtc/webrtc-service.ts"
import { describeSession, describeStream } from "./stream-summary.ts"
import { VERSION } from "./version.ts"
import { WHEP_EVENTS } from "./whep/event-feeds.ts"

/** The parts of a gateway that its HTTP side works with. */
export interface AppServiceParts {
  readonly config: Config
  readonly registry: StreamRegistry
  readonly webrtc: WebRtcService
  readonly access: GatewayAccess
  readonly rtmpPort: number
  readonly logger: Logger
  readonly nowMs: () => number
  readonly isClosing: () => boolean
}

/** Joins the HTTP routes to the gateway's parts: nobody reaches a part without having been let in. */
export function createAppServices(parts: AppServiceParts): AppServices {
  const { config, registry, webrtc, access, nowMs } = parts
  // A TURN server logs its users: it learns to tell them apart, not who they are.
  const iceServers = (identity: string | undefined) =>
    iceServersFor(config.media.iceServers, Date.now(), identity === undefined ? "guest" : sessionLabel(identity))
  return {
    publish: openSession(parts, "whip", iceServers),
    play: openSession(parts, "whep", iceServers),
    iceServers: async ({ action, stream, token }) => {
      if (config.media.iceServers.length === 0) return []
      const isPermitted = await access.permitted(action, token)
      return isPermitted(requestedStream(stream)) ? iceServers(undefined) : []
    },
    find: (id) => webrtc.find(id),
    end: (id) => webrtc.end(id),
    streams: () => registry.list().map((stream) => describeStream(stream, nowMs())),
    endStream: (name) => registry.endStream(name, "ended by an administrator"),
    sessions: () => registry.sessions().map((entry) => describeSession(entry, sessionLabel(entry.session.id), nowMs())),
    endSession: (label) => {
      const entry = registry.sessions().find(({ session }) => sessionLabel(session.id) === label)
      entry?.session.end("ended by an administrator")
      return entry !== undefined
    },
    playFilter: (token) => access.permitted("play", token),
    requireAdmin: (token) => access.requireAdmin(token),
    info: () => ({ version: VERSION, rtmpPort: parts.rtmpPort }),
    health: () => ({
      status: parts.isClosing() ? "closing" : "ok",
      version: VERSION,
      uptimeSeconds: Math.round(nowMs() / 1000),
      streams: registry.list().length,
      viewers: registry.list().reduce((count, { subscribers }) => count + subscribers.size, 0),
    }),
  }
}

/** Opens WHIP or WHEP sessions, for those who may. */
function openSession(
  { webrtc, access, logger, isClosing }: AppServiceParts,
  protocol: "whip" | "whep",
  iceServers: (identity: string | undefined) => ReturnType<typeof iceServersFor>,
): OpenSession {
  const action = protocol === "whip" ? "publish" : "play"
  return async (request) => {
    let grant: AccessGrant | undefined
    try {
      const stream = requestedStream(request.stream)
      const { token, remoteAddress } = request
      grant = await access.authorize({ action, stream, token, protocol, remoteAddress })
      if (isClosing()) throw new GatewayError("gateway.closing", "the gateway is shutting down")
      const { offerSdp, localAddress, acceptsCounterOffer } = request
      const opened = webrtc[action]({ stream, offerSdp, localAddress, acceptsCounterOffer, grant })
      const { id, type, sdp, etag, validUntil } = opened
      const extensions = protocol === "whep" ? whepExtensions(opened) : []
      return {
        id,
        type,
        sdp,
        etag,
        ...(validUntil && { validUntil }),
        iceServers: iceServers(grant.identity),
        extensions,
      }
    } catch (error) {
      const reason = error instanceof GatewayError ? error.message : "internal error"
      grant?.ended({ sessionId: "", reason, durationMs: 0, bytes: 0 })
      if (error instanceof GatewayError) logRefusal(logger, protocol, request, error)
      throw error
    }
  }
}

/** Throws `stream.name`. */
function requestedStream(path: string): StreamName {
  const slash = path.indexOf("/")
  return parseStreamName(path.slice(0, slash), path.slice(slash + 1))
}

/** The links of webrtc-http-egress-events; layers need events, so that players learn which there are. */
function whepExtensions({ id, hasVideo }: OpenedSession): ExtensionLink[] {
  const prefix = "urn:ietf:params:whep:ext:core:"
  const events = {
    rel: `${prefix}server-sent-events`,
    path: `/sessions/${id}/events`,
    params: { events: WHEP_EVENTS.join(",") },
  }
  return hasVideo ? [events, { rel: `${prefix}layer`, path: `/sessions/${id}/layers` }] : [events]
}

/** Players ask again and again for a stream that is not live, which is nothing to note. */
function logRefusal(
  logger: Logger,
  protocol: "whip" | "whep",
  { stream, remoteAddress }: SessionRequest,
  { code, message }: GatewayError,
): void {
  const level = code === "stream.not_live" ? "debug" : "warn"
  const facts = { protocol, stream: stream.slice(0, MAX_LOGGED_NAME), remote: remoteAddress, code }
  logger[level](facts, `offer refused: ${message}`)
}

const MAX_LOGGED_NAME = 130
