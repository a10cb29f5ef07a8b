import type { AccessAction, AccessControl, AccessGrant } from "./access/access.ts"
import { GatewayError } from "./errors.ts"
import { parseStreamName, type StreamName } from "./hub/stream-name.ts"
import type { Logger } from "./io/log.ts"
import { RefusalLog } from "./io/refusal-log.ts"
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
  const refusals = new RefusalLog("offer", parts)
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
