import type { Protocol } from "../hub/session.ts"
import type { StreamName } from "../hub/stream-name.ts"

/** What a session wants to do with a stream. */
export type AccessAction = "publish" | "play"

/** A session that wants to begin. */
export interface AccessRequest {
  readonly action: AccessAction
  readonly stream: StreamName
  /** Bearer token, stream key or JWT as the peer gave it; never logged. */
  readonly token: string | undefined
  readonly protocol: Protocol
  /** Its short form, as in the log and the API, where it is known before the session begins. */
  readonly sessionId?: string
  readonly remoteAddress: string | undefined
}

/** How a session went. */
export interface SessionOutcome {
  /** Short form; empty where the session never got one. */
  readonly sessionId: string
  readonly reason: string
  readonly durationMs: number
  /** Media received from a publisher or sent to a viewer. */
  readonly bytes: number
}

/** Permission for one session. */
export interface AccessGrant {
  /** Who it is, made of the credentials so that it tells nothing of them; undefined for those who showed none. */
  readonly identity: string | undefined
  /** To be called when the session is over, also when it never began; only the first call counts, and it never blocks. */
  ended(outcome: SessionOutcome): void
}

/** Decides who may publish, play and administer. */
export interface AccessControl {
  /** Throws `access.required`, `access.invalid`, `access.denied` and `access.unavailable`. */
  authorize(request: AccessRequest): Promise<AccessGrant>
  /**
   * Which streams to show to the bearer as ones it may publish or play. No callback is asked, so a stream that needs one is left out; an
   * administrator sees all.
   */
  permitted(action: AccessAction, token: string | undefined): Promise<(stream: string) => boolean>
  /** Throws `access.required`, `access.invalid` and `access.denied`. */
  requireAdmin(token: string | undefined): Promise<void>
}
