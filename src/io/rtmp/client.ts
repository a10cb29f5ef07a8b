import type { GatewayError } from "../../errors.ts"
import type { RtmpEstablished } from "../../rtmp/client-events.ts"
import type { RtmpClientLimits } from "../../rtmp/client-options.ts"
import type { RtmpMedia, RtmpMetadata } from "../../rtmp/server-events.ts"
import type { Logger } from "../log.ts"
import type { RtmpOutput } from "./flv-output.ts"

/** How to connect to an RTMP server. */
export interface RtmpConnectOptions {
  readonly action: "publish" | "play"
  readonly limits: RtmpClientLimits
  /** For the address to resolve and TCP and TLS to be there. */
  readonly connectTimeoutMs: number
  /** Certificates of private authorities to trust beside the usual ones, PEM. */
  readonly ca?: string | undefined
  readonly nowMs: () => number
  readonly logger: Logger
  readonly handlers: RtmpClientHandlers
}

/** What a connection to a server tells; nothing is told after `closed`. */
export interface RtmpClientHandlers {
  /** Called once: media may be sent to `connection.output` on the message stream, or comes on it. */
  established(facts: Omit<RtmpEstablished, "type">, connection: RtmpClientConnection): void
  metadata?(event: RtmpMetadata): void
  media?(event: RtmpMedia): void
  /** Called once. */
  closed(facts: RtmpClosed): void
}

/** How a connection ended. */
export interface RtmpClosed {
  readonly reason: string
  /** Set where it failed, also where the server ended what was flowing: `rtmp.refused`, `rtmp.unreachable`, `rtmp.timeout` … */
  readonly error?: GatewayError
  /** The server asked to come again here, in mid-stream (Enhanced RTMP); holds secrets. */
  readonly reconnectUrl?: string
}

/** A connection to a server, to publish or to play one stream. */
export interface RtmpClientConnection {
  readonly output: RtmpOutput
  /** Address and port of the server, once it is connected. */
  readonly remoteAddress: string | undefined
  /** Unpublishes and closes; `closed` follows. */
  end(reason: string): void
}

/**
 * Connects to `rtmp://` or `rtmps://HOST/APP/STREAM` and publishes or plays; follows redirects before that. Throws `rtmp.url`;
 * what goes wrong later is told to `closed`.
 */
export function connectRtmp(_url: string, _options: RtmpConnectOptions): RtmpClientConnection {
  throw new Error("not there yet")
}
