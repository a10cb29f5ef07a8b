import { type FlvBody, frameToFlv, trackToFlv } from "../../bridge/frames-to-flv.ts"
import { FLV_TAG_TYPE, flvFileHeader, flvTag, scriptTag } from "../../flv/file-writer.ts"
import { concat } from "../../media/bytes.ts"
import type { MediaFrame, Track } from "../../media/frame.ts"
import type { FlvBroadcasts, FlvEncoder } from "../flv-broadcast.ts"
import type { FlvOutput, SharedFlvOutput } from "../flv-subscriber.ts"
import type { BodyConnection } from "../live-body.ts"

/** Serialises frames as FLV tags, once for all viewers; entries go when their frames do. */
export class FlvTagCache implements FlvEncoder {
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

  /** The tags with which a track begins. */
  track(track: Track, timeUs: number): Uint8Array[] {
    return trackToFlv(track, timeUs).map(bodyToTag)
  }
}

/** Sends a feed as one FLV file without end. Its times are those of the stream, whatever its first one is, so that all viewers have the same tags. */
export class FlvTagOutput implements FlvOutput {
  readonly shared: SharedFlvOutput
  readonly #tags: FlvTagCache
  #connection: BodyConnection | undefined

  constructor(tags: FlvTagCache, broadcasts: FlvBroadcasts) {
    this.#tags = tags
    this.shared = { broadcasts, encoder: tags, send: (bytes) => this.#connection?.sendNow(bytes) }
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
    return this.#tags.track(track, timeUs).reduce((bytes, tag) => bytes + this.#send(tag), 0)
  }

  frame(frame: MediaFrame): number {
    return this.#send(this.#tags.frame(frame))
  }

  #send(bytes: Uint8Array): number {
    this.#connection?.send(bytes)
    return bytes.length
  }
}

function bodyToTag({ kind, timestampMs, parts }: FlvBody): Uint8Array {
  return flvTag({ typeId: FLV_TAG_TYPE[kind], timestampMs, parts })
}
