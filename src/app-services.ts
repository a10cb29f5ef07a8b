import type { AppServices } from "../routes/app.ts"
import type { ExtensionLink } from "../routes/links.ts"
import type { OpenSession } from "../routes/signaling.ts"
import type { AccessControl } from "./access/access.ts"
import type { Config } from "./config.ts"
import type { GatewayMetrics } from "./gateway-metrics.ts"
import type { StreamRegistry } from "./hub/stream-registry.ts"
import type { FlvService } from "./io/flv/flv-service.ts"
import { sessionLabel } from "./io/log.ts"
import type { Pulls } from "./io/pull/pulls.ts"
import type { PushManager } from "./io/push/push-manager.ts"
import type { Recordings } from "./io/recording/recordings.ts"
import { iceServersFor } from "./io/webrtc/turn-credentials.ts"
import type { OpenedSession, WebRtcService } from "./io/webrtc/webrtc-service.ts"
import { describePush } from "./push-summary.ts"
import { requestedStream, type SessionOpener } from "./session-opener.ts"
import { describePull, describeSession, describeStream } from "./stream-summary.ts"
import { VERSION } from "./version.ts"
import { ANNOUNCED_EVENTS } from "./whep/event-feeds.ts"

/** The parts of a gateway that its HTTP side works with. */
export interface AppServiceParts {
  readonly config: Config
  readonly registry: StreamRegistry
  readonly webrtc: WebRtcService
  readonly access: AccessControl
  readonly flv: FlvService
  readonly pulls: Pulls
  readonly recordings: Recordings
  readonly pushes: PushManager
  readonly metrics: GatewayMetrics
  readonly open: SessionOpener
  readonly rtmpPort: number
  readonly rtmpsPort: number | undefined
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
    publish: openByHttp(parts.open, "whip", iceServers),
    play: openByHttp(parts.open, "whep", iceServers),
    iceServers: async ({ action, stream, token }) => {
      if (config.media.iceServers.length === 0) return []
      const isPermitted = await access.permitted(action, token)
      return isPermitted(requestedStream(stream)) ? iceServers(undefined) : []
    },
    playFlv: (request) => parts.flv.play(request),
    checkFlv: (request) => parts.flv.check(request),
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
    pulls: () => parts.pulls.list().map((pull) => describePull(pull, nowMs())),
    recordings: () => parts.recordings.list(),
    startRecording: ({ stream, ...wishes }) => parts.recordings.start(requestedStream(stream), wishes),
    stopRecording: (id) => parts.recordings.stop(id),
    pushes: () => parts.pushes.list(nowMs()).map((push) => describePush(push, nowMs())),
    addPush: (request) => describePush(parts.pushes.add(request), nowMs()),
    removePush: (id) => parts.pushes.remove(id),
    metrics: () => parts.metrics.families(),
    requireMetricsAccess: async (token) => {
      if (isAccessConfigured(config.access)) await access.requireAdmin(token)
    },
    info: () => ({
      version: VERSION,
      rtmpPort: parts.rtmpPort,
      ...(parts.rtmpsPort !== undefined && { rtmpsPort: parts.rtmpsPort }),
    }),
    health: () => ({
      status: parts.isClosing() ? "closing" : "ok",
      version: VERSION,
      uptimeSeconds: Math.round(nowMs() / 1000),
      streams: registry.list().length,
      viewers: registry.list().reduce((count, { viewerCount }) => count + viewerCount, 0),
    }),
  }
}

/** Whether anything is said about who may do what. */
function isAccessConfigured({
  publishTokens,
  playTokens,
  adminTokens,
  rules,
  jwt,
  callbacks,
}: Config["access"]): boolean {
  const hasTokens = [publishTokens, playTokens, adminTokens, rules].some(({ length }) => length > 0)
  return hasTokens || jwt !== undefined || callbacks.onPublish !== undefined || callbacks.onPlay !== undefined
}

/** Opens WHIP or WHEP sessions for requests by HTTP, and tells what their answers say beside the session description. */
function openByHttp(
  open: SessionOpener,
  protocol: "whip" | "whep",
  iceServers: (identity: string | undefined) => ReturnType<typeof iceServersFor>,
): OpenSession {
  const action = protocol === "whip" ? "publish" : "play"
  return async (request) => {
    const opened = await open({ ...request, action })
    const { id, type, sdp, etag, validUntil, identity } = opened
    const extensions = protocol === "whep" ? whepExtensions(opened) : []
    return { id, type, sdp, etag, ...(validUntil && { validUntil }), iceServers: iceServers(identity), extensions }
  }
}

/** The links of webrtc-http-egress-events; layers need events, so that players learn which there are. */
function whepExtensions({ id, hasVideo }: OpenedSession): ExtensionLink[] {
  const prefix = "urn:ietf:params:whep:ext:core:"
  const events = {
    rel: `${prefix}server-sent-events`,
    path: `/sessions/${id}/events`,
    params: { events: ANNOUNCED_EVENTS.join(",") },
  }
  return hasVideo ? [events, { rel: `${prefix}layer`, path: `/sessions/${id}/layers` }] : [events]
}
