import { GatewayError } from "../errors.ts"

/** Events of webrtc-http-egress-events (wish working group): the ones that answers announce, as other names mean nothing to players. */
export const ANNOUNCED_EVENTS = ["active", "inactive", "layers", "viewercount", "reconnect"] as const
/** Events that a viewer can ask for: those, and `timedmetadata`, which is of this gateway. */
export const WHEP_EVENTS = [...ANNOUNCED_EVENTS, "timedmetadata"] as const
/** One of `WHEP_EVENTS`. */
export type WhepEventName = (typeof WHEP_EVENTS)[number]

/** An event with its data as the extension describes it. */
export interface WhepEvent {
  readonly type: WhepEventName
  readonly data: object
}

/** Who reads a feed: one HTTP response. */
export interface WhepEventSink {
  event(event: WhepEvent): void
  /** The feed is over. */
  end(): void
}

/** A feed of a session's events; what happens while nobody reads it waits, up to a bound. */
export class WhepEventFeed {
  readonly #events: ReadonlySet<WhepEventName>
  readonly #waiting: WhepEvent[] = []
  #sink: WhepEventSink | undefined
  #isEnded = false

  constructor(events: readonly WhepEventName[]) {
    this.#events = new Set(events)
  }

  wants(event: WhepEventName): boolean {
    return this.#events.has(event)
  }

  /** Hands over what waits, and every later event; a new reader takes the place of the one before. Returns the way to stop it. */
  subscribe(sink: WhepEventSink): () => void {
    this.#sink?.end()
    this.#sink = sink
    for (const event of this.#waiting.splice(0)) sink.event(event)
    if (this.#isEnded) sink.end()
    return () => {
      if (this.#sink === sink) this.#sink = undefined
    }
  }

  /** Takes an event; the feed leaves out those that were not asked for. */
  push(event: WhepEvent): void {
    if (!this.#events.has(event.type) || this.#isEnded) return
    if (this.#sink !== undefined) this.#sink.event(event)
    else {
      this.#waiting.push(event)
      if (this.#waiting.length > MAX_WAITING) this.#waiting.shift()
    }
  }

  /** Ends the feed for its reader; what still waits is dropped. */
  end(): void {
    this.#isEnded = true
    this.#waiting.length = 0
    this.#sink?.end()
    this.#sink = undefined
  }
}

/** The feeds of one session by their id. */
export class WhepEventFeeds {
  /** What can be asked for. */
  readonly available = WHEP_EVENTS
  readonly #feeds = new Map<string, WhepEventFeed>()
  readonly #createId: () => string
  readonly #greet: () => readonly WhepEvent[]
  readonly #onChange: () => void

  /**
   * `createId` gives unguessable ids; `greet` tells what a new feed begins with: how things stand. `onChange` is told when a feed was opened or
   * closed.
   */
  constructor(createId: () => string, greet: () => readonly WhepEvent[], onChange = () => {}) {
    this.#createId = createId
    this.#greet = greet
    this.#onChange = onChange
  }

  /** Whether any feed asks for such events. */
  isWanted(event: WhepEventName): boolean {
    return [...this.#feeds.values()].some((feed) => feed.wants(event))
  }

  /** Opens a feed of some kinds of events and returns its id. Throws `session.limit` at the most a session may have. */
  open(events: readonly WhepEventName[]): string {
    if (this.#feeds.size >= MAX_FEEDS) {
      throw new GatewayError("session.limit", `a session has ${MAX_FEEDS} event streams at most: delete one`)
    }
    const id = this.#createId()
    const feed = new WhepEventFeed(events)
    for (const event of this.#greet()) feed.push(event)
    this.#feeds.set(id, feed)
    this.#onChange()
    return id
  }

  find(id: string): WhepEventFeed | undefined {
    return this.#feeds.get(id)
  }

  /** Ends a feed; false where there is none. */
  close(id: string): boolean {
    this.#feeds.get(id)?.end()
    const wasThere = this.#feeds.delete(id)
    this.#onChange()
    return wasThere
  }

  push(event: WhepEvent): void {
    for (const feed of this.#feeds.values()) feed.push(event)
  }

  /** Ends all feeds: the session is over. */
  end(): void {
    for (const id of [...this.#feeds.keys()]) this.close(id)
  }
}

const MAX_FEEDS = 4
const MAX_WAITING = 64
