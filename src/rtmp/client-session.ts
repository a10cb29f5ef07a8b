import type { RtmpClientEvent } from "./client-events.ts"
import type { RtmpClientOptions } from "./client-options.ts"

/**
 * The client's side of one RTMP connection that publishes or plays one stream, RTMP 1.0 section 7.2: bytes and the time go in,
 * events come out. What goes wrong comes as a last `close` event with an error; later calls give nothing. Nothing is thrown.
 */
export class RtmpClientSession {
  /** `c1Random` fills the client's handshake packet (up to 1528 bytes); `nowMs` is the time of the connection. */
  constructor(_options: RtmpClientOptions, _c1Random: Uint8Array, _nowMs: number) {}

  /** When `onTimeout` wants to be called, undefined for never; changes with every other call. */
  get nextTimeoutMs(): number | undefined {
    return undefined
  }

  /** Begins the handshake. */
  start(_nowMs: number): RtmpClientEvent[] {
    return []
  }

  /** Takes received bytes, which are borrowed until it returns. */
  push(_bytes: Uint8Array, _nowMs: number): RtmpClientEvent[] {
    return []
  }

  /** Ends the session if its time is up. */
  onTimeout(_nowMs: number): RtmpClientEvent[] {
    return []
  }

  /** Unpublishes or stops to play, and closes. */
  end(_reason: string): RtmpClientEvent[] {
    return []
  }
}
