import type { ServerResponse } from "node:http"
import { SocketOutput } from "./rtmp/socket-output.ts"

/** The way of a response's body to its client. */
export interface BodyConnection {
  /** Bytes that wait to be sent. */
  readonly queuedBytes: number
  /** For how long the oldest of them have been waiting. */
  readonly delayMs: number
  /** Queues bytes, which must not change afterwards, to leave at the end of the turn. */
  send(bytes: Uint8Array): void
  /** Sends them at once, after what was queued before. */
  sendNow(bytes: Uint8Array): void
  /** Ends the body behind what is queued; what does not leave in time is cut. */
  end(reason: string): void
  /** Cuts the connection. */
  destroy(): void
}

/** A body that goes on while its stream lives; who has the connection sends it, once the head of the response is out. */
export interface LiveBody {
  /** Begins to send. */
  start(connection: BodyConnection): void
  /** The client is gone, or never came. Does nothing the second time. */
  stop(reason: string): void
}

/** The bindings of a request (`c.env` in Hono), in which a route leaves the body that is to follow its response. */
export interface LiveBindings {
  live?: LiveBody
}

/** Sends a response with a live body, in chunks (RFC 9112 section 7.1) or to the end of the connection where the client knows none. */
export function sendLive(outgoing: ServerResponse, { status, headers }: Response, live: LiveBody): void {
  outgoing.on("error", () => {}) // "close" follows
  if (outgoing.destroyed || outgoing.socket?.destroyed !== false) {
    live.stop(GONE)
    return
  }
  outgoing.socket.setKeepAlive(true, KEEP_ALIVE_MS)
  outgoing.once("close", () => live.stop(GONE))
  outgoing.writeHead(status, Object.fromEntries(headers))
  outgoing.flushHeaders()
  const output = new SocketOutput(outgoing, () => performance.now())
  live.start({
    get queuedBytes() {
      return output.queuedBytes
    },
    get delayMs() {
      return output.delayMs
    },
    send: (bytes) => output.send(bytes),
    sendNow: (bytes) => output.sendNow(bytes),
    end: () => {
      output.flush()
      outgoing.end()
      const cut = setTimeout(() => outgoing.destroy(), END_TIMEOUT_MS)
      outgoing.once("close", () => clearTimeout(cut))
    },
    destroy: () => outgoing.destroy(),
  })
}

/** Why a session ends whose client has left. */
export const GONE = "the viewer closed the connection"
/** How long a client may take for what was queued when its body ended. */
export const END_TIMEOUT_MS = 2_000
/** Finds clients that are gone without a word while nothing is sent to them. */
const KEEP_ALIVE_MS = 30_000
