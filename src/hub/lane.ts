/** What a lane needs to know of an item to cache it. */
export interface LaneItemFacts {
  /** A subscriber can begin with this item. */
  readonly startsHere: boolean
  readonly ptsUs: number
  readonly sizeBytes: number
}

/**
 * What a lane keeps for new subscribers. `fromStart`: all since the last start point (video); a run that outgrows the limits
 * is dropped whole, as its tail is of no use without its head. `window`: the newest within the limits (audio).
 */
export interface CachePolicy {
  readonly keep: "fromStart" | "window"
  readonly maxBytes: number
  readonly maxDurationUs: number
}

/** Turns the items of one lane into those of another; `close` is the end of it. */
export interface Converter<In> {
  push(item: In): void
  close(): void
}

/** How a subscription begins. */
export interface SubscribeOptions {
  /** True hands the cached items over first; false starts with the next one. */
  readonly replay: boolean
}

/** What a lane may be told besides. */
export interface LaneOptions<T> {
  /** False for an item that comes late and belongs before the last one; left out, all come in order. */
  follows?(item: T, last: T): boolean
  /**
   * Takes what a subscriber throws, so that neither the publisher nor another subscriber sees it; left out, `push` throws it. Of each
   * subscription only the first errors are told, since one that throws at every item would fill the log.
   */
  onSubscriberError?(error: unknown): void
}

/**
 * One form of one kind of media in a stream, for example «video as RTP packets». Items come from a publisher (`push`) or
 * from another lane through a converter (`deriveFrom`), which runs only while this lane has subscribers. The lane
 * keeps what came since the last start point, so that a new subscriber has a picture at once.
 */
export class Lane<T> {
  readonly #factsOf: (item: T) => LaneItemFacts
  readonly #policy: CachePolicy
  readonly #follows: (item: T, last: T) => boolean
  readonly #onSubscriberError: ((error: unknown) => void) | undefined
  readonly #sinks = new Set<Sink<T>>()
  #cache: T[] = []
  #cacheBytes = 0
  #isCaching: boolean
  #last: T | undefined
  #derivation: Derivation | undefined

  constructor(factsOf: (item: T) => LaneItemFacts, policy: CachePolicy, options: LaneOptions<T> = {}) {
    this.#factsOf = factsOf
    this.#policy = policy
    this.#follows = options.follows ?? (() => true)
    this.#onSubscriberError = options.onSubscriberError
    this.#isCaching = policy.keep === "window"
  }

  get hasSubscribers(): boolean {
    return this.#sinks.size > 0
  }

  /** The items since the last start point, oldest first; empty until there was one, or where it outgrew the limits. */
  get cached(): readonly T[] {
    return this.#cache
  }

  /** The newest item, not a late one, also after the lane's source is gone. */
  get last(): T | undefined {
    return this.#last
  }

  push(item: T): void {
    if (this.#last === undefined || this.#follows(item, this.#last)) this.#last = item
    this.#remember(item)
    for (const sink of this.#sinks) {
      try {
        sink.take(item)
      } catch (error) {
        if (this.#onSubscriberError === undefined) throw error
        if (++sink.failures <= MAX_TOLD_FAILURES) this.#onSubscriberError(error)
      }
    }
  }

  /** Sends every further item to `take`, after the cached ones if asked; returns the way to stop it. */
  subscribe(take: (item: T) => void, { replay }: SubscribeOptions): () => void {
    const isFirst = this.#sinks.size === 0
    if (isFirst) this.#derivation?.start(replay)
    if (replay) for (const item of [...this.#cache]) take(item)
    const sink = { take, failures: 0 }
    this.#sinks.add(sink)
    return () => {
      if (this.#sinks.delete(sink) && this.#sinks.size === 0) this.#stopDerivation()
    }
  }

  /** Makes this lane's items from another lane's, while somebody subscribes to this one. */
  deriveFrom<In>(source: Lane<In>, open: (emit: (item: T) => void, previous: T | undefined) => Converter<In>): void {
    this.detach()
    this.#derivation = new Derivation((replay) => {
      const converter = open((item) => this.push(item), this.#last)
      const unsubscribe = source.subscribe((item) => converter.push(item), { replay })
      return () => {
        unsubscribe()
        converter.close()
      }
    })
    if (this.hasSubscribers) this.#derivation.start(false)
  }

  /** Cuts the lane off from its source and forgets what is cached; subscribers stay for the next source. */
  detach(): void {
    this.#stopDerivation()
    this.#derivation = undefined
    this.#forget()
  }

  /** Drops cached items from before a point in time: sound from before the picture that a new subscriber starts with. */
  trimBefore(ptsUs: number): void {
    let count = 0
    for (const item of this.#cache) {
      if (this.#factsOf(item).ptsUs >= ptsUs) break
      count++
    }
    this.#dropOldest(count)
  }

  #stopDerivation(): void {
    if (this.#derivation === undefined) return
    this.#derivation.stop()
    this.#forget()
  }

  #remember(item: T): void {
    const facts = this.#factsOf(item)
    const isStart = this.#policy.keep === "fromStart" && facts.startsHere
    const overtaking = isStart ? this.#cache.filter((cached) => !this.#follows(item, cached)) : []
    if (isStart) {
      this.#forget()
      this.#isCaching = true
    }
    if (!this.#isCaching) return
    this.#cache.push(item, ...overtaking)
    this.#cacheBytes += facts.sizeBytes
    for (const cached of overtaking) this.#cacheBytes += this.#factsOf(cached).sizeBytes
    if (!this.#isOverLimit(facts.ptsUs)) return
    if (this.#policy.keep === "fromStart") this.#forget()
    else while (this.#isOverLimit(facts.ptsUs)) this.#dropOldest(1)
  }

  #isOverLimit(newestUs: number): boolean {
    const oldest = this.#cache[0]
    if (oldest === undefined) return false
    return (
      this.#cacheBytes > this.#policy.maxBytes || newestUs - this.#factsOf(oldest).ptsUs > this.#policy.maxDurationUs
    )
  }

  #dropOldest(count: number): void {
    for (const item of this.#cache.splice(0, count)) this.#cacheBytes -= this.#factsOf(item).sizeBytes
  }

  #forget(): void {
    this.#cache = []
    this.#cacheBytes = 0
    this.#isCaching = this.#policy.keep === "window"
  }
}

/** One subscription. */
interface Sink<T> {
  readonly take: (item: T) => void
  /** How many items it has thrown at. */
  failures: number
}

const MAX_TOLD_FAILURES = 10

/** A converter that is there only between `start` and `stop`. */
class Derivation {
  readonly #open: (replay: boolean) => () => void
  #close: (() => void) | undefined

  constructor(open: (replay: boolean) => () => void) {
    this.#open = open
  }

  start(replay: boolean): void {
    this.#close ??= this.#open(replay)
  }

  stop(): void {
    this.#close?.()
    this.#close = undefined
  }
}
