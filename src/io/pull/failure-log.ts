import type { GatewayError } from "../../errors.ts"
import type { Logger } from "../log.ts"

/**
 * Notes why streams of one entry of the configuration cannot be pulled. The same trouble again, of whatever stream, is worth no more than a
 * line for those who look for it: viewers can ask for thousands.
 */
export class PullFailureLog {
  #lastCode = ""

  add(logger: Logger, { code, message }: GatewayError): void {
    const level = code === this.#lastCode ? "debug" : "warn"
    this.#lastCode = code
    logger[level]({ code, reason: message }, "the stream cannot be pulled")
  }

  /** All is well: the next trouble is news. */
  clear(): void {
    this.#lastCode = ""
  }
}
