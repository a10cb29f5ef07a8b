import type { GatewayError } from "../errors.ts"
import type { PeerCapabilities } from "./peer-capabilities.ts"
import type { RtmpMedia, RtmpMetadata } from "./server-events.ts"

/** What an `RtmpClientSession` wants done (`send`, `close`) or has noticed (all others). */
export type RtmpClientEvent =
  | { readonly type: "send"; readonly bytes: Uint8Array }
  | RtmpEstablished
  | RtmpMetadata
  | RtmpMedia
  | RtmpRedirected
  | RtmpChallenged
  | { readonly type: "ended"; readonly reason: string }
  | RtmpClientClose

/** The server agreed: media may be sent on the message stream, or comes on it. */
export interface RtmpEstablished {
  readonly type: "established"
  readonly streamId: number
  /** What the server said of itself in its answer to `connect` (Enhanced RTMP). */
  readonly capabilities: PeerCapabilities
}

/**
 * The server wants the client elsewhere: a redirect instead of an answer to `connect`, or a reconnect request at any time. A `close`
 * follows.
 */
export interface RtmpRedirected {
  readonly type: "redirected"
  /** As the server wrote it, with application and maybe without stream; undefined means the same address again. */
  readonly tcUrl: string | undefined
}

/** The server wants to know the user: connect again, with this query in the options. A `close` follows. */
export interface RtmpChallenged {
  readonly type: "challenged"
  /** Holds what a password was made into. */
  readonly connectQuery: string
}

/** The session is over: send what is queued and close the connection. `error` is set where it failed. */
export interface RtmpClientClose {
  readonly type: "close"
  readonly reason: string
  readonly error?: GatewayError
}
