import { type FlvBody, frameToFlv, trackToFlv } from "../../bridge/frames-to-flv.ts"
import { FLV_TAG_TYPE, flvFileHeader, flvTag, scriptTag } from "../../flv/file-writer.ts"
import { concat } from "../../media/bytes.ts"
import type { MediaFrame, Track } from "../../media/frame.ts"
import type { FlvOutput } from "../flv-subscriber.ts"
import type { BodyConnection } from "../live-body.ts"

/** Serialises frames as FLV tags, once for all viewers; entries go when their frames do. */
export class FlvTagCache {
  readonly #tags = new WeakMap<MediaFrame, Uint8Array>()

  /** A frame as a tag with its size behind it. The result is shared: never write to it. */
  frame(frame: MediaFrame): Uint8Array {
    let tag = this.#tags.get(frame)
    if (tag === undefined) {
      tag = bodyToTag(frameToFlv(frame))
      this.#tags.set(frame, tag)
    }
    return tag
  }
}

/** Sends a feed as one FLV file without end. Its times are those of the stream, whatever its first one is, so that all viewers have the same tags. */
export class FlvTagOutput implements FlvOutput {
  readonly #tags: FlvTagCache
  #connection: BodyConnection | undefined

  constructor(tags: FlvTagCache) {
    this.#tags = tags
  }

  /** Says where it goes, before anything is sent. */
  attach(connection: BodyConnection): void {
    this.#connection = connection
  }

  get queuedBytes(): number {
    return this.#connection?.queuedBytes ?? 0
  }

  get delayMs(): number {
    return this.#connection?.delayMs ?? 0
  }

  metadata(values: ReadonlyMap<string, number | boolean>): number {
    // Players wait for what the header announces, and some for nothing else. FFmpeg takes metadata of another time than 0 for a track.
    const has = { hasVideo: values.has("videocodecid"), hasAudio: values.has("audiocodecid") }
    return this.#send(concat([flvFileHeader(has), scriptTag("onMetaData", values, 0)]))
  }

  track(track: Track, timeUs: number): number {
    let bytes = 0
    for (const body of trackToFlv(track, timeUs)) bytes += this.#send(bodyToTag(body))
    return bytes
  }

  /** Sound leaves with the next picture. */
  frame(frame: MediaFrame): number {
    const tag = this.#tags.frame(frame)
    if (frame.track.kind === "video") return this.#send(tag)
    this.#connection?.sendLater(tag)
    return tag.length
  }

  #send(bytes: Uint8Array): number {
    this.#connection?.send(bytes)
    return bytes.length
  }
}

function bodyToTag({ kind, timestampMs, parts }: FlvBody): Uint8Array {
  return flvTag({ typeId: FLV_TAG_TYPE[kind], timestampMs, parts })
}
