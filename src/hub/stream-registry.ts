import { GatewayError } from "../errors.ts"
import { type LaneConverters, LiveStream, type PublisherSession, type StreamLimits } from "./live-stream.ts"
import type { StreamName } from "./stream-name.ts"

/** Limits of the registry and of each stream in it. */
export interface RegistryLimits extends StreamLimits {
  readonly maxStreams: number
}

/** The live streams by name. */
export class StreamRegistry {
  readonly #streams = new Map<StreamName, LiveStream>()
  readonly #createConverters: (name: StreamName) => LaneConverters
  readonly #limits: RegistryLimits
  readonly #onSubscriberError: ((error: unknown) => void) | undefined

  /** `onSubscriberError` takes what subscribers of lanes throw; left out, their publisher gets it. */
  constructor(
    createConverters: (name: StreamName) => LaneConverters,
    limits: RegistryLimits,
    onSubscriberError?: (error: unknown) => void,
  ) {
    this.#createConverters = createConverters
    this.#limits = limits
    this.#onSubscriberError = onSubscriberError
  }

  /**
   * Makes a session the publisher of a name. A name that is live is refused with `stream.busy`, unless both sessions
   * have the same token: then the new one takes over and the viewers stay. Throws `session.limit` at the limit of streams.
   */
  publish(name: StreamName, publisher: PublisherSession, nowMs: number): LiveStream {
    const live = this.#streams.get(name)
    if (live !== undefined) return this.#takeOver(live, publisher)
    if (this.#streams.size >= this.#limits.maxStreams) {
      throw new GatewayError("session.limit", `${this.#streams.size} streams are live, the most this gateway may have`)
    }
    const converters = this.#createConverters(name)
    const stream = new LiveStream(name, publisher, nowMs, converters, this.#limits, this.#onSubscriberError)
    this.#streams.set(name, stream)
    return stream
  }

  /** Ends a publisher's stream; does nothing where another session has taken it over. */
  unpublish(stream: LiveStream, publisher: PublisherSession, reason: string): void {
    if (stream.publisher !== publisher || this.#streams.get(stream.name) !== stream) return
    this.#streams.delete(stream.name)
    stream.end(reason)
  }

  /** Finds a live stream; throws `stream.not_live`. */
  find(name: StreamName): LiveStream {
    const stream = this.#streams.get(name)
    if (stream === undefined) throw new GatewayError("stream.not_live", `nobody publishes ${name} at the moment`)
    return stream
  }

  /** All live streams, oldest first. */
  list(): LiveStream[] {
    return [...this.#streams.values()]
  }

  #takeOver(live: LiveStream, publisher: PublisherSession): LiveStream {
    const before = live.publisher
    if (before.token === undefined || publisher.token === undefined || !equalSecrets(before.token, publisher.token)) {
      throw new GatewayError(
        "stream.busy",
        `${live.name} is already live: stop its publisher, publish under another name, or use the same token to take over`,
      )
    }
    live.replacePublisher(publisher)
    before.end("another session with the same token took over")
    return live
  }
}

/** Compares two secrets in a time that does not tell where they differ. */
function equalSecrets(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i % Math.max(1, b.length))
  return difference === 0
}
