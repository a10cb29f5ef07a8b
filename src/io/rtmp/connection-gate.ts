import type { Socket } from "node:net"
import { RateLimiter } from "../../access/rate-limit.ts"
import { GatewayError } from "../../errors.ts"
import type { Logger } from "../log.ts"

/** How many connections there may be, and how fast one address may open them. */
export interface GateLimits {
  readonly maxConnections: number
  /** Connections, and requests to publish or play on them, of one address. */
  readonly connectionsPerSecond: number
  readonly connectionBurst: number
}

/** Lets connections in, RTMP and RTMPS alike, before a byte of them was read. */
export class ConnectionGate {
  readonly #limits: GateLimits
  readonly #logger: Logger
  readonly #nowMs: () => number
  readonly #rates: RateLimiter
  #count = 0
  #refused = 0
  #loggedAtMs = Number.NEGATIVE_INFINITY

  constructor(limits: GateLimits, { logger, nowMs }: { readonly logger: Logger; readonly nowMs: () => number }) {
    this.#limits = limits
    this.#logger = logger
    this.#nowMs = nowMs
    const { connectionsPerSecond: perSecond, connectionBurst: burst } = limits
    this.#rates = new RateLimiter({ perSecond, burst, maxSources: MAX_SOURCES })
  }

  /** Counts a connection until it is closed; false: it was cut, as there are too many of all or of its address. */
  admit(socket: Socket): boolean {
    if (this.#count >= this.#limits.maxConnections) return this.#refuse(socket, "there are too many")
    if (!this.#take(socket.remoteAddress)) return this.#refuse(socket, "one address opens too many")
    this.#count++
    socket.once("close", () => this.#count--)
    return true
  }

  /** Counts a request to publish or play. Throws `session.limit`. */
  countRequest(remoteAddress: string | undefined): void {
    if (!this.#take(remoteAddress)) throw new GatewayError("session.limit", "too many requests: try again in a moment")
  }

  #take(remoteAddress: string | undefined): boolean {
    return this.#rates.take(remoteAddress ?? "", this.#nowMs()).ok
  }

  #refuse(socket: Socket, reason: string): false {
    socket.on("error", () => {}) // it is gone either way
    socket.destroy()
    this.#log(reason)
    return false
  }

  /** At most one line a second. */
  #log(reason: string): void {
    this.#refused++
    const nowMs = this.#nowMs()
    if (nowMs - this.#loggedAtMs < 1_000) return
    const facts = { protocol: "rtmp", code: "session.limit", refused: this.#refused }
    this.#logger.warn(facts, `RTMP connections refused: ${reason}`)
    this.#loggedAtMs = nowMs
    this.#refused = 0
  }
}

const MAX_SOURCES = 10_000
