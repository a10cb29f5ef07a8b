import { type FlvBody, flvTimestampMs, frameToFlv, trackToFlv } from "../../bridge/frames-to-flv.ts"
import type { MediaFrame, Track } from "../../media/frame.ts"
import { serializeChunks } from "../../rtmp/chunk-writer.ts"
import { MESSAGE_TYPE } from "../../rtmp/message.ts"
import type { FlvEncoder } from "../flv-broadcast.ts"

/** Serialises frames once for all readers on the usual message stream; entries go when their frames do. */
export class RtmpMessageCache implements FlvEncoder {
  readonly #chunkSizeBytes: number
  readonly #messages = new WeakMap<MediaFrame, Uint8Array>()

  constructor(chunkSizeBytes: number) {
    this.#chunkSizeBytes = chunkSizeBytes
  }

  /** A frame as RTMP chunks. The result is shared: never write to it. */
  frame(frame: MediaFrame, streamId = SHARED_STREAM_ID): Uint8Array {
    if (streamId !== SHARED_STREAM_ID) return this.body(frameToFlv(frame), streamId)
    let bytes = this.#messages.get(frame)
    if (bytes === undefined) {
      bytes = this.body(frameToFlv(frame), streamId)
      this.#messages.set(frame, bytes)
    }
    return bytes
  }

  /** The messages with which a track begins. */
  track(track: Track, timeUs: number, streamId = SHARED_STREAM_ID): Uint8Array[] {
    return trackToFlv(track, timeUs).map((body) => this.body(body, streamId))
  }

  /** Any audio or video message as RTMP chunks. */
  body({ kind, timestampMs, parts }: FlvBody, streamId: number): Uint8Array {
    return serializeChunks({ typeId: MESSAGE_TYPE[kind], timestampMs, streamId }, parts, this.#chunkSizeBytes)
  }

  /** A data message such as `onMetaData` as RTMP chunks. */
  data(payload: Uint8Array, streamId: number, timeUs = 0): Uint8Array {
    const header = { typeId: MESSAGE_TYPE.dataAmf0, timestampMs: flvTimestampMs(timeUs), streamId }
    return serializeChunks(header, [payload], this.#chunkSizeBytes)
  }
}

/** What `createStream` gives for the first stream of a connection, which is the only one for all players known. */
export const SHARED_STREAM_ID = 1
