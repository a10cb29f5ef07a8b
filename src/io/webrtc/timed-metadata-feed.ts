import { metadataOfFrame, metadataOfScript, type TimedMetadata } from "../../bridge/timed-metadata.ts"
import type { LiveStream } from "../../hub/live-stream.ts"
import type { WhepEvent } from "../../whep/event-feeds.ts"

/** What a `TimedMetadataFeed` works with. */
export interface TimedMetadataFeedOptions {
  readonly stream: LiveStream
  readonly emit: (event: WhepEvent) => void
  /** The RTP timestamp of a point of the stream's timeline as the viewer's video has it; undefined before the first packet. */
  readonly rtpTimestamp: (ptsUs: number) => number | undefined
}

/**
 * Tells one viewer what the publisher sends beside its pictures, while the viewer wants it: only then does a WHIP publisher's video have to be
 * put together from its packets.
 */
export class TimedMetadataFeed {
  readonly #options: TimedMetadataFeedOptions
  #unsubscribe: (() => void) | undefined

  constructor(options: TimedMetadataFeedOptions) {
    this.#options = options
  }

  /** Begins or ends. */
  want(isWanted: boolean): void {
    if (isWanted === (this.#unsubscribe !== undefined)) return
    this.#unsubscribe?.()
    this.#unsubscribe = isWanted ? this.#subscribe() : undefined
  }

  /** Takes the body of a script tag, which belongs to the picture before it. */
  onScriptData(payload: Uint8Array): void {
    if (this.#unsubscribe === undefined) return
    const { videoFrames, aacFrames } = this.#options.stream.lanes
    const metadata = metadataOfScript(payload)
    if (metadata !== undefined) this.#emit(metadata, (videoFrames.last ?? aacFrames.last)?.ptsUs)
  }

  #subscribe(): () => void {
    const take = (frame: Parameters<typeof metadataOfFrame>[0]) => {
      for (const metadata of metadataOfFrame(frame)) this.#emit(metadata, frame.ptsUs)
    }
    return this.#options.stream.lanes.videoFrames.subscribe(take, { replay: false })
  }

  #emit(metadata: TimedMetadata, ptsUs: number | undefined): void {
    const rtpTimestamp = ptsUs === undefined ? undefined : this.#options.rtpTimestamp(ptsUs)
    const data = { ...metadata, ...(rtpTimestamp !== undefined && { rtpTimestamp }) }
    this.#options.emit({ type: "timedmetadata", data })
  }
}
