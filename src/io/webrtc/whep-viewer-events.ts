import { randomBytes } from "node:crypto"
import type { LiveStream } from "../../hub/live-stream.ts"
import type { StreamEvent } from "../../hub/session.ts"
import { type WhepEvent, WhepEventFeeds } from "../../whep/event-feeds.ts"
import { TimedMetadataFeed } from "./timed-metadata-feed.ts"
import type { WhepLayers } from "./whep-layers.ts"

/** What a `WhepViewerEvents` works with. */
export interface WhepViewerEventsOptions {
  readonly stream: LiveStream
  readonly layers: WhepLayers
  /** See `TimedMetadataFeed`. */
  readonly rtpTimestamp: (ptsUs: number) => number | undefined
}

/** What one viewer is told of its stream, in the words of WHEP's events. */
export class WhepViewerEvents {
  readonly feeds = new WhepEventFeeds(
    () => randomBytes(18).toString("base64url"),
    () => this.#greeting(),
    () => this.#metadata.want(this.feeds.isWanted("timedmetadata")),
  )
  readonly #options: WhepViewerEventsOptions
  readonly #metadata: TimedMetadataFeed

  constructor(options: WhepViewerEventsOptions) {
    this.#options = options
    this.#metadata = new TimedMetadataFeed({ ...options, emit: (event) => this.feeds.push(event) })
  }

  onStreamEvent(event: StreamEvent): void {
    if (event.type === "active" || event.type === "inactive") this.feeds.push({ type: event.type, data: {} })
    else if (event.type === "layers") this.feeds.push(this.#layersEvent())
    else if (event.type === "viewers") this.feeds.push(viewerCount(event.count))
    else if (event.type === "scriptData") this.#metadata.onScriptData(event.payload)
  }

  /** The session is about to end, and a new one may be opened. */
  reconnect(): void {
    this.feeds.push({ type: "reconnect", data: {} })
  }

  /** The session is over. */
  end(): void {
    this.feeds.end()
  }

  /** What a new feed of events begins with: how things stand. */
  #greeting(): WhepEvent[] {
    const { stream } = this.#options
    const active: WhepEvent[] = stream.publisher === undefined ? [] : [{ type: "active", data: {} }]
    return [...active, this.#layersEvent(), viewerCount(stream.viewerCount)]
  }

  #layersEvent(): WhepEvent {
    const { layers } = this.#options
    return { type: "layers", data: { [layers.mediaId]: layers.list() } }
  }
}

function viewerCount(viewercount: number): WhepEvent {
  return { type: "viewercount", data: { viewercount } }
}
