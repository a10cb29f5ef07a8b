import type { AccessGrant } from "../../access/access.ts"
import type { StreamName } from "../../hub/stream-name.ts"
import type { Logger } from "../log.ts"

/** Where a stream is fetched from. */
export interface PullSource {
  /** The address without user and query, fit for logs and lists. */
  readonly origin: string
  /**
   * Fetches and publishes until the connection is over, and says why it is. Throws a `GatewayError` where no media came.
   */
  fetch(attempt: PullAttempt): Promise<string>
}

/** One attempt to fetch a stream. */
export interface PullAttempt {
  /** Under which it is published here. */
  readonly name: StreamName
  /** Of all attempts of a pull, so that the next one may take the stream over from one that is not yet known to be lost. */
  readonly grant: AccessGrant
  /** Has the stream's name and its origin. */
  readonly logger: Logger
  /** Ends the attempt; its reason is a sentence. */
  readonly signal: AbortSignal
  /** To be called when there is media. */
  readonly onLive: () => void
}
