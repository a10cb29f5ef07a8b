import { randomUUID } from "node:crypto"
import type { AccessGrant } from "../../access/access.ts"
import { GatewayError } from "../../errors.ts"
import type { StreamName } from "../../hub/stream-name.ts"
import type { Logger } from "../log.ts"
import type { PullFailureLog } from "./failure-log.ts"
import { pause } from "./pause.ts"
import type { PullSource } from "./pull-source.ts"

/** What a pull does at the moment. */
export type PullState = "connecting" | "live" | "backingOff"

/** What a pull works with. */
export interface StreamPullOptions {
  /** Under which the stream appears here. */
  readonly name: StreamName
  readonly source: PullSource
  readonly logger: Logger
  readonly failureLog: PullFailureLog
  readonly nowMs: () => number
  readonly onBug: (error: unknown) => void
}

/**
 * Fetches one stream and publishes it here until it is closed: it comes again when the stream is not live, refused or lost, with
 * pauses that grow to 5 s and differ from gateway to gateway.
 */
export class StreamPull {
  readonly #options: StreamPullOptions
  readonly #logger: Logger
  readonly #closing = new AbortController()
  readonly #grant: AccessGrant = { identity: `pull ${randomUUID()}`, ended: () => undefined }
  #state: PullState = "connecting"
  #sinceMs: number
  #failure: GatewayError | undefined
  #lastError: GatewayError | undefined
  #failures = 0

  constructor(options: StreamPullOptions) {
    this.#options = options
    this.#sinceMs = options.nowMs()
    const { name, source } = options
    this.#logger = options.logger.child({ stream: name, protocol: "pull", origin: source.origin })
    void this.#run()
  }

  get state(): PullState {
    return this.#state
  }

  /** When the state began. */
  get sinceMs(): number {
    return this.#sinceMs
  }

  /** Why the last attempt failed; undefined until one did, and again once media comes. */
  get failure(): GatewayError | undefined {
    return this.#failure
  }

  /** What went wrong last, for those who look into it later. */
  get lastError(): GatewayError | undefined {
    return this.#lastError
  }

  /** Ends the connection and comes no more. */
  close(reason: string): void {
    this.#closing.abort(reason)
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      this.#enter("connecting")
      await this.#fetchOnce()
      const wasStable = this.#state === "live" && this.#options.nowMs() - this.#sinceMs >= STABLE_MS
      if (wasStable) this.#failures = 0
      this.#enter("backingOff")
      const pauseMs = Math.min(MAX_PAUSE_MS, MIN_PAUSE_MS * 2 ** Math.min(this.#failures, 10))
      this.#failures++
      await pause(pauseMs * (0.5 + Math.random() / 2), signal)
    }
  }

  async #fetchOnce(): Promise<void> {
    const { name, source, failureLog, onBug } = this.#options
    try {
      const reason = await source.fetch({
        name,
        grant: this.#grant,
        logger: this.#logger,
        signal: this.#closing.signal,
        onLive: () => this.#onLive(),
      })
      // The publisher has logged it.
      this.#onFailure(new GatewayError("stream.not_live", reason))
    } catch (error) {
      const isExpected = error instanceof GatewayError
      if (!isExpected) onBug(error)
      else if (!this.#closing.signal.aborted) failureLog.add(this.#logger, error)
      this.#onFailure(isExpected ? error : new GatewayError("stream.not_live", "internal error"))
    }
  }

  #onLive(): void {
    this.#failure = undefined
    this.#options.failureLog.clear()
    this.#enter("live")
  }

  #onFailure(error: GatewayError): void {
    if (this.#closing.signal.aborted) return
    this.#failure = error
    this.#lastError = error
  }

  #enter(state: PullState): void {
    this.#state = state
    this.#sinceMs = this.#options.nowMs()
  }
}

/** An origin that gives media for so long is well again: the pauses begin anew. */
const STABLE_MS = 5_000
const MIN_PAUSE_MS = 250
const MAX_PAUSE_MS = 5_000
