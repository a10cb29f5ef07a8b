import { GatewayError } from "../errors.ts"
import { LiveStream, type StreamLimits } from "./live-stream.ts"
import type { PublisherSession, SubscriberSession } from "./session.ts"
import type { LaneConverters } from "./stream-lanes.ts"
import type { StreamName } from "./stream-name.ts"

/** Limits of the registry and of each stream in it. */
export interface RegistryLimits extends StreamLimits {
  readonly maxStreams: number
  /** For how long a stream waits for a publisher that was lost. */
  readonly graceMs: number
  /** Where neither side says who it is, a publisher that has been silent for so long may be replaced. */
  readonly silentTakeoverMs: number
}

/** How a publisher went. */
export interface Departure {
  /** True where its connection was lost; false where it said that it is done, or was told to go. */
  readonly mayReturn: boolean
  readonly nowMs: number
}

/** A session with its part in a stream. */
export type SessionEntry =
  | { readonly role: "publisher"; readonly stream: StreamName; readonly session: PublisherSession }
  | { readonly role: "subscriber"; readonly stream: StreamName; readonly session: SubscriberSession }

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
   * Makes a session the publisher of a name. A name that is live is refused with `stream.busy`, unless both sessions are of the same
   * identity, or neither has one and the live one has fallen silent: then the new one takes over and the viewers stay. The name of a
   * stream that waits for its publisher is for the same identity, or for anybody where the publisher had none.
   * Throws `session.limit` at the limit of streams.
   */
  publish(name: StreamName, publisher: PublisherSession, nowMs: number): LiveStream {
    const stream = this.#streams.get(name)
    if (stream !== undefined && !this.#endIfOverdue(stream, nowMs)) return this.#takeOver(stream, publisher, nowMs)
    if (this.#streams.size >= this.#limits.maxStreams) {
      throw new GatewayError("session.limit", `${this.#streams.size} streams are live, the most this gateway may have`)
    }
    const converters = this.#createConverters(name)
    const started = new LiveStream(name, publisher, nowMs, converters, this.#limits, this.#onSubscriberError)
    this.#streams.set(name, started)
    return started
  }

  /**
   * A publisher is gone: ends its stream, or lets it wait for `graceMs` where the publisher may return. Does nothing
   * where another session has taken the stream over.
   */
  unpublish(stream: LiveStream, publisher: PublisherSession, reason: string, { mayReturn, nowMs }: Departure): void {
    if (stream.publisher !== publisher || this.#streams.get(stream.name) !== stream) return
    if (mayReturn && this.#limits.graceMs > 0) stream.awaitPublisher(nowMs + this.#limits.graceMs)
    else this.#end(stream, reason)
  }

  /** Finds a stream that has its publisher; throws `stream.not_live`. */
  find(name: StreamName): LiveStream {
    const stream = this.#streams.get(name)
    if (stream?.publisher !== undefined) return stream
    const message =
      stream === undefined
        ? `nobody publishes ${name} at the moment`
        : `the publisher of ${name} has lost its connection: try again in some seconds`
    throw new GatewayError("stream.not_live", message)
  }

  /** The stream of a name, also one that waits for its publisher; undefined where there is none. */
  get(name: StreamName): LiveStream | undefined {
    return this.#streams.get(name)
  }

  /** All streams, oldest first, those included that wait for their publisher. */
  list(): LiveStream[] {
    return [...this.#streams.values()]
  }

  /** All publishers and subscribers, stream by stream. */
  sessions(): SessionEntry[] {
    return this.list().flatMap(({ name, publisher, subscribers }): SessionEntry[] => [
      ...(publisher === undefined ? [] : [{ role: "publisher", stream: name, session: publisher } as const]),
      ...[...subscribers].map((session) => ({ role: "subscriber", stream: name, session }) as const),
    ])
  }

  /** Ends a session; false where there is none of that id. */
  end(id: string, reason: string): boolean {
    const entry = this.sessions().find(({ session }) => session.id === id)
    entry?.session.end(reason)
    return entry !== undefined
  }

  /** Ends a stream with all its sessions, also one that waits for its publisher; false where there is none of that name. */
  endStream(name: string, reason: string): boolean {
    const stream = this.list().find((live) => live.name === name)
    if (stream !== undefined) this.#endWithPublisher(stream, reason)
    return stream !== undefined
  }

  /** Ends what has waited too long and lets each stream do what is due. Call it some times a second. */
  sweep(nowMs: number): void {
    for (const stream of this.list()) if (!this.#endIfOverdue(stream, nowMs)) stream.sweep(nowMs)
  }

  /** Ends all streams with their sessions. */
  close(reason: string): void {
    for (const stream of this.list()) this.#endWithPublisher(stream, reason)
  }

  #endWithPublisher(stream: LiveStream, reason: string): void {
    stream.publisher?.end(reason)
    if (this.#streams.get(stream.name) === stream) this.#end(stream, reason)
  }

  #endIfOverdue(stream: LiveStream, nowMs: number): boolean {
    const isOverdue = stream.awaited !== undefined && nowMs >= stream.awaited.untilMs
    if (isOverdue) this.#end(stream, "the publisher did not return")
    return isOverdue
  }

  #end(stream: LiveStream, reason: string): void {
    this.#streams.delete(stream.name)
    stream.end(reason)
  }

  #takeOver(stream: LiveStream, publisher: PublisherSession, nowMs: number): LiveStream {
    const before = stream.publisher
    if (!this.#mayTakeOver(stream, publisher, nowMs)) throw busy(stream, nowMs)
    stream.replacePublisher(publisher)
    before?.end(
      before.identity === undefined
        ? "another publisher took over after a silence"
        : "another session of the same publisher took over",
    )
    return stream
  }

  #mayTakeOver({ publisher: before, awaited }: LiveStream, { identity }: PublisherSession, nowMs: number): boolean {
    const holder = before?.identity ?? awaited?.identity
    if (holder !== undefined) return identity !== undefined && equalSecrets(holder, identity)
    if (before === undefined) return true
    return identity === undefined && nowMs - before.lastMediaMs >= this.#limits.silentTakeoverMs
  }
}

function busy({ name, awaited }: LiveStream, nowMs: number): GatewayError {
  const advice = "publish under another name, or with the token of its publisher to take over"
  const message =
    awaited === undefined
      ? `${name} is already live: stop its publisher, ${advice}`
      : `${name} is kept for its publisher, who lost the connection: wait ${Math.ceil((awaited.untilMs - nowMs) / 1000)} s, ${advice}`
  return new GatewayError("stream.busy", message)
}

/** Compares two secrets in a time that does not tell where they differ. */
function equalSecrets(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i % Math.max(1, b.length))
  return difference === 0
}
