import { type AppOptions, type AppServices, createApp } from "../../routes/app.ts"
import type { EventFeeds } from "../../routes/events.ts"
import type { LayerControl } from "../../routes/layers.ts"
import type { SignalingSession } from "../../routes/sessions.ts"
import type { SessionAnswer, SessionRequest } from "../../routes/signaling.ts"
import { GatewayError } from "../../src/errors.ts"
import { WhepEventFeeds } from "../../src/whep/event-feeds.ts"
import type { LayerConstraint } from "../../src/whep/layer-choice.ts"

export const ANSWER: SessionAnswer = {
  id: "k3J9vQ0xTz4mB7nLw2RdYg",
  type: "answer",
  sdp: "v=0\r\n",
  etag: "ice-1",
  iceServers: [],
  extensions: [],
}
export const SESSION_URL = `/sessions/${ANSWER.id}`
export const ADMIN_TOKEN = "admin-token"
export const SDP = { "content-type": "application/sdp" }
export const FRAGMENT = { "content-type": "application/trickle-ice-sdpfrag" }
export const JSON_BODY = { "content-type": "application/json" }

/** An application over fake services; what it was asked is in `requests`, what it took for a bug in `bugs`. */
export function fakeApp(overrides: Partial<AppServices> = {}, options: Partial<AppOptions> = {}) {
  const requests: SessionRequest[] = []
  const bugs: Error[] = []
  const ended: string[] = []
  const open = async (request: SessionRequest) => {
    requests.push(request)
    return ANSWER
  }
  const services: AppServices = {
    publish: open,
    play: open,
    iceServers: async () => [],
    playFlv: async () => ({}),
    checkFlv: async () => {},
    find: () => undefined,
    end: (id) => {
      ended.push(id)
      return id === ANSWER.id
    },
    streams: () => [],
    endStream: () => false,
    sessions: () => [],
    endSession: () => false,
    pushes: () => [],
    addPush: () => {
      throw new GatewayError("rtmp.url", "no such address")
    },
    removePush: () => false,
    metrics: () => [],
    requireMetricsAccess: async () => {},
    pulls: () => [],
    recordings: () => [],
    startRecording: () => {
      throw new GatewayError("stream.not_live", "nobody publishes it")
    },
    stopRecording: () => false,
    playFilter: async () => () => true,
    requireAdmin: async (token) => {
      if (token === undefined) throw new GatewayError("access.required", "administrators only")
      if (token !== ADMIN_TOKEN) throw new GatewayError("access.invalid", "no such token")
    },
    info: () => ({ version: "1.2.3", rtmpPort: 1935 }),
    health: () => ({ status: "ok", version: "1.2.3", uptimeSeconds: 5, streams: 0, viewers: 0 }),
    ...overrides,
  }
  const app = createApp(services, {
    onBug: (error) => bugs.push(error),
    maxBodyBytes: 1_000,
    publicUrl: "",
    overflowUrl: "",
    trustedProxies: [],
    proxyHeaders: "x-forwarded",
    connection: () => ({ localAddress: "192.0.2.1", remoteAddress: "198.51.100.7" }),
    countRequest: () => undefined,
    ...options,
  })
  return { app, requests, bugs, ended }
}

/** A session that restarts ICE for real and keeps the answers and constraints that it gets. */
export class FakeSession implements SignalingSession {
  readonly id = ANSWER.id
  readonly role: "whip" | "whep"
  readonly answers: string[] = []
  readonly constraints: LayerConstraint[] = []
  readonly feeds = new WhepEventFeeds(
    () => `feed-${++this.#feedsOpened}`,
    () => [],
  )
  readonly events: EventFeeds | undefined
  readonly layers: LayerControl | undefined
  etag = "ice-1"
  remoteUfrag = "EsAw"
  restarts: { ufrag: string; pwd: string }[] = []
  #feedsOpened = 0

  constructor(role: "whip" | "whep") {
    this.role = role
    if (role === "whip") return
    const { feeds } = this
    this.events = {
      available: ["active", "inactive", "layers", "viewercount"],
      open: (events) => feeds.open(events),
      find: (id) => feeds.find(id),
      close: (id) => feeds.close(id),
    }
    this.layers = {
      mediaId: "1",
      list: () => [
        { rid: "h", bitrate: 2_000_000, width: 1280, height: 720 },
        { rid: "l", bitrate: 200_000, width: 320, height: 180 },
      ],
      select: (constraint) => {
        if (constraint.rid === "nowhere") throw new GatewayError("sdp.unsupported", "there is no such layer")
        this.constraints.push(constraint)
      },
    }
  }

  restartIce(remote: { ufrag: string; pwd: string }): { fragment: string; etag: string } {
    if (remote.pwd.length < 22) throw new GatewayError("sdp.syntax", "the password is too short")
    this.restarts.push(remote)
    this.remoteUfrag = remote.ufrag
    this.etag = `ice-${this.restarts.length + 1}`
    return { fragment: "a=ice-ufrag:newL\r\na=ice-pwd:0123456789012345678901\r\n", etag: this.etag }
  }

  acceptAnswer(sdp: string): void {
    if (!sdp.startsWith("v=0")) throw new GatewayError("sdp.syntax", "an answer begins with v=0")
    this.answers.push(sdp)
  }
}

/** An application that has one session open. */
export function appWithSession(role: "whip" | "whep") {
  const session = new FakeSession(role)
  let isOpen = true
  const fake = fakeApp({
    find: (id) => (isOpen && id === session.id ? session : undefined),
    end: (id) => {
      if (!isOpen || id !== session.id) return false
      isOpen = false
      session.feeds.end()
      return true
    },
  })
  return { ...fake, session }
}

/** Expects a refusal with problem details (RFC 9457) and returns them. */
export async function problemOf(response: Response): Promise<{ status: number; code: string; detail: string }> {
  if (response.headers.get("content-type") !== "application/problem+json") {
    throw new Error(`${response.status} with ${response.headers.get("content-type")} is no problem`)
  }
  return (await response.json()) as { status: number; code: string; detail: string }
}
