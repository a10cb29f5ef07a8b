import type { AccessAction, AccessControl, AccessGrant } from "./access/access.ts"
import { GatewayError } from "./errors.ts"
import { parseStreamName, type StreamName } from "./hub/stream-name.ts"
import type { Logger } from "./io/log.ts"
import type { OfferRequest, OpenedSession, WebRtcService } from "./io/webrtc/webrtc-service.ts"

/** An offer as it came, whatever brought it. */
export interface OpenRequest extends Omit<OfferRequest, "stream" | "grant"> {
  readonly action: AccessAction
  /** `app/stream` as the client wrote it. */
  readonly stream: string
  readonly token: string | undefined
  readonly remoteAddress: string | undefined
}

/** A session that was opened, and for whom. */
export interface OpenedFor extends OpenedSession {
  readonly identity: string | undefined
}

/** Opens a session for those who may have it. Throws `stream.name`, `access.*` and what `WebRtcService` throws. */
export type SessionOpener = (request: OpenRequest) => Promise<OpenedFor>

/** What the opener works with. */
export interface SessionOpenerParts {
  readonly webrtc: WebRtcService
  readonly access: AccessControl
  readonly logger: Logger
  readonly nowMs: () => number
  readonly isClosing: () => boolean
}

/** The one way to a WebRTC session, by HTTP as by UDP: name, access, offer, in this order. */
export function createSessionOpener(parts: SessionOpenerParts): SessionOpener {
  const { webrtc, access, isClosing } = parts
  const refusals = new RefusalLog(parts)
  return async (request) => {
    const { action, token, remoteAddress } = request
    const protocol = action === "publish" ? "whip" : "whep"
    let grant: AccessGrant | undefined
    try {
      const stream = requestedStream(request.stream)
      grant = await access.authorize({ action, stream, token, protocol, remoteAddress })
      if (isClosing()) throw new GatewayError("gateway.closing", "the gateway is shutting down")
      return { ...webrtc[action]({ ...request, stream, grant }), identity: grant.identity }
    } catch (error) {
      const reason = error instanceof GatewayError ? error.message : "internal error"
      grant?.ended({ sessionId: "", reason, durationMs: 0, bytes: 0 })
      if (error instanceof GatewayError) refusals.add({ ...request, protocol }, error)
      throw error
    }
  }
}

/** Throws `stream.name`. */
export function requestedStream(path: string): StreamName {
  const slash = path.indexOf("/")
  return parseStreamName(path.slice(0, slash), path.slice(slash + 1))
}

/** Notes offers that were refused, but not more than a person can read: by UDP, anyone can send thousands. */
class RefusalLog {
  readonly #logger: Logger
  readonly #nowMs: () => number
  #secondStartMs = Number.NEGATIVE_INFINITY
  #inSecond = 0
  #unsaid = 0

  constructor({ logger, nowMs }: Pick<SessionOpenerParts, "logger" | "nowMs">) {
    this.#logger = logger
    this.#nowMs = nowMs
  }

  add(
    request: {
      readonly protocol: "whip" | "whep"
      readonly stream: string
      readonly remoteAddress: string | undefined
    },
    { code, message }: GatewayError,
  ): void {
    const nowMs = this.#nowMs()
    if (nowMs - this.#secondStartMs >= 1_000) {
      if (this.#unsaid > 0) this.#logger.warn({ count: this.#unsaid }, "more offers were refused")
      this.#secondStartMs = nowMs
      this.#inSecond = 0
      this.#unsaid = 0
    }
    if (++this.#inSecond > MAX_LOGGED_PER_SECOND) {
      this.#unsaid++
      return
    }
    // Players ask again and again for a stream that is not live, which is nothing to note.
    const level = code === "stream.not_live" ? "debug" : "warn"
    const { protocol, stream, remoteAddress } = request
    const facts = { protocol, stream: stream.slice(0, MAX_LOGGED_NAME), remote: remoteAddress, code }
    this.#logger[level](facts, `offer refused: ${message}`)
  }
}

const MAX_LOGGED_NAME = 130
const MAX_LOGGED_PER_SECOND = 20
