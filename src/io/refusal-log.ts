import type { GatewayError } from "../errors.ts"
import type { Protocol } from "../hub/session.ts"
import type { Logger } from "./log.ts"

/** What was refused. */
export interface Refusal {
  readonly protocol: Protocol
  /** As the client wrote it. */
  readonly stream: string
  readonly remoteAddress: string | undefined
}

/** Notes requests that were refused, but not more than a person can read: anyone can send thousands. */
export class RefusalLog {
  readonly #logger: Logger
  readonly #nowMs: () => number
  readonly #what: string
  #secondStartMs = Number.NEGATIVE_INFINITY
  #inSecond = 0
  #unsaid = 0

  /** `what` is refused, for example an offer. */
  constructor(what: string, { logger, nowMs }: { readonly logger: Logger; readonly nowMs: () => number }) {
    this.#what = what
    this.#logger = logger
    this.#nowMs = nowMs
  }

  /** Notes one. */
  add({ protocol, stream, remoteAddress }: Refusal, { code, message }: GatewayError): void {
    const nowMs = this.#nowMs()
    if (nowMs - this.#secondStartMs >= 1_000) {
      if (this.#unsaid > 0) this.#logger.warn({ count: this.#unsaid }, `more ${this.#what}s were refused`)
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
    const facts = { protocol, stream: stream.slice(0, MAX_LOGGED_NAME), remote: remoteAddress, code }
    this.#logger[level](facts, `${this.#what} refused: ${message}`)
  }
}

const MAX_LOGGED_NAME = 130
const MAX_LOGGED_PER_SECOND = 20
