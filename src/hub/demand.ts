import { GatewayError } from "../errors.ts"
import type { LiveStream } from "./live-stream.ts"
import type { StreamName } from "./stream-name.ts"

/** Brings streams that are fetched only while somebody watches them. */
export interface StreamDemand {
  /**
   * Somebody who may watch a stream wants to; comes after the authorisation and before `StreamRegistry.find`, which `wakingAccess` sees to. Resolves when the stream has
   * media, or at once where nobody offers to fetch it. Throws `stream.not_live` where it cannot be fetched, `session.limit` where
   * too many are already.
   */
  wake(name: StreamName): Promise<void>
}

/** A fetch that goes on until it is closed, in as many attempts as it takes. */
export interface StreamFetch {
  /** Why the last attempt failed; undefined until one did, and again once media comes. */
  readonly failure: GatewayError | undefined
  /** It ends when nobody has watched for so long. */
  readonly idleTimeoutMs: number
  close(reason: string): void
}

/** What `OnDemandStreams` works with. */
export interface OnDemandOptions {
  readonly registry: { get(name: StreamName): LiveStream | undefined }
  /** The way to begin a fetch; undefined where nobody offers the stream. */
  readonly offer: (name: StreamName) => (() => StreamFetch) | undefined
  /** A viewer waits at most so long for the first media. */
  readonly startTimeoutMs: number
  /** Fetches at once. */
  readonly maxFetches: number
  readonly nowMs: () => number
}

/**
 * Starts a fetch for the first viewer of a stream and ends it some time after the last one. All who come in between share it. After a
 * failure the origin is left alone for `RETRY_AFTER_MS`: who comes meanwhile gets the same answer. Recordings and pushes go along
 * with a stream, but do not keep it.
 */
export class OnDemandStreams implements StreamDemand {
  readonly #options: OnDemandOptions
  readonly #fetches = new Map<StreamName, Demand>()
  /** When each name may be tried again, oldest first. */
  readonly #failures = new Map<StreamName, Failure>()

  constructor(options: OnDemandOptions) {
    this.#options = options
  }

  /** Whether `sweep` has anything to do. */
  get isBusy(): boolean {
    return this.#fetches.size > 0
  }

  /** Names whose fetch failed a moment ago, with what the log and administrators may know of it. */
  failures(): ReadonlyMap<StreamName, { readonly error: GatewayError }> {
    this.#forgetFailures(this.#options.nowMs())
    return this.#failures
  }

  async wake(name: StreamName): Promise<void> {
    const nowMs = this.#options.nowMs()
    const stream = this.#options.registry.get(name)
    let demand = this.#fetches.get(name)
    if (demand === undefined) {
      // A publisher that came by itself has the name.
      if (stream !== undefined) return
      demand = this.#start(name, nowMs)
      if (demand === undefined) return
    }
    demand.wantedAtMs = nowMs
    if (isReady(stream, nowMs)) return
    demand.waiting ??= { ...Promise.withResolvers<void>(), untilMs: nowMs + this.#options.startTimeoutMs }
    await demand.waiting.promise
  }

  /** Lets viewers in whose stream has come, turns those away whose stream has not, and ends what nobody watches. Call it often while `isBusy`. */
  sweep(nowMs: number): void {
    for (const [name, demand] of this.#fetches) {
      const stream = this.#options.registry.get(name)
      const isWatched = stream !== undefined && hasViewer(stream)
      if (isWatched || demand.waiting !== undefined) demand.wantedAtMs = nowMs
      if (demand.waiting !== undefined) this.#settle(name, demand, stream, nowMs)
      else if (nowMs - demand.wantedAtMs >= demand.fetch.idleTimeoutMs) this.#stop(name, demand, "nobody watches")
    }
  }

  /** Ends all fetches; viewers that wait are turned away. */
  close(reason: string): void {
    for (const [name, demand] of this.#fetches) {
      this.#stop(name, demand, reason)
      demand.waiting?.reject(new GatewayError("gateway.closing", reason))
    }
  }

  #start(name: StreamName, nowMs: number): Demand | undefined {
    const begin = this.#options.offer(name)
    if (begin === undefined) return undefined
    this.#forgetFailures(nowMs)
    if (this.#failures.has(name)) throw notFetched(name)
    if (this.#fetches.size >= this.#options.maxFetches) {
      throw new GatewayError(
        "session.limit",
        `${this.#fetches.size} streams are being fetched, the most this gateway may fetch on demand at once`,
      )
    }
    const demand = { fetch: begin(), wantedAtMs: nowMs, waiting: undefined }
    this.#fetches.set(name, demand)
    return demand
  }

  #settle(name: StreamName, demand: Demand, stream: LiveStream | undefined, nowMs: number): void {
    const { waiting, fetch } = demand
    if (waiting === undefined) return
    const isLate = nowMs >= waiting.untilMs
    if (isReady(stream, nowMs)) waiting.resolve()
    else if (fetch.failure !== undefined || isLate) {
      waiting.reject(notFetched(name))
      // Those who watched before the origin was lost have a moment until it comes back.
      if (stream === undefined || !hasViewer(stream)) {
        this.#stop(name, demand, "it cannot be fetched")
        const error = fetch.failure ?? new GatewayError("stream.not_live", "the origin sends nothing")
        this.#failures.set(name, { error, untilMs: nowMs + RETRY_AFTER_MS })
      }
    } else return
    demand.waiting = undefined
  }

  #stop(name: StreamName, { fetch }: Demand, reason: string): void {
    this.#fetches.delete(name)
    fetch.close(reason)
  }

  #forgetFailures(nowMs: number): void {
    for (const [name, { untilMs }] of this.#failures) {
      if (untilMs > nowMs && this.#failures.size <= MAX_FAILURES) return
      this.#failures.delete(name)
    }
  }
}

interface Demand {
  readonly fetch: StreamFetch
  /** When somebody watched it or asked for it last. */
  wantedAtMs: number
  /** Shared by all who wait. */
  waiting: (PromiseWithResolvers<void> & { readonly untilMs: number }) | undefined
}

interface Failure {
  readonly error: GatewayError
  readonly untilMs: number
}

/** Whether a viewer can be told what there is: the picture's codec is known, or there is none but sound. */
function isReady(stream: LiveStream | undefined, nowMs: number): boolean {
  if (stream?.publisher === undefined) return false
  const { videoFrames, videoPackets, ...sound } = stream.lanes
  if (stream.sources.video !== undefined && (videoFrames.last ?? videoPackets.last) !== undefined) return true
  return stream.isSettled(nowMs) && Object.values(sound).some(({ last }) => last !== undefined)
}

function hasViewer({ subscribers }: LiveStream): boolean {
  for (const { protocol } of subscribers) if (protocol !== "recording" && protocol !== "push") return true
  return false
}

/** What went wrong may tell of addresses that are not for viewers to know. */
function notFetched(name: StreamName): GatewayError {
  return new GatewayError(
    "stream.not_live",
    `${name} cannot be fetched from its origin at the moment: try again in some seconds`,
  )
}

const RETRY_AFTER_MS = 2_000
const MAX_FAILURES = 1_000
