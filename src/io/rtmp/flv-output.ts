import type { MediaFrame, Track } from "../../media/frame.ts"
import { serializeAmf0 } from "../../rtmp/amf0.ts"
import type { FlvBroadcasts } from "../flv-broadcast.ts"
import type { FlvOutput, SharedFlvOutput } from "../flv-subscriber.ts"
import { type RtmpMessageCache, SHARED_STREAM_ID } from "./message-cache.ts"

/** The way to the peer; `SocketOutput` is one. */
export interface RtmpOutput {
  /** Bytes that wait to be sent. */
  readonly queuedBytes: number
  /** For how long the oldest of them have been waiting. */
  readonly delayMs: number
  /** Queues bytes, which must not change afterwards, to leave at the end of the turn. */
  send(bytes: Uint8Array): void
  /** Sends them at once, after what was queued before. */
  sendNow(bytes: Uint8Array): void
}

/** Sends a feed as the messages of one message stream of an RTMP connection. */
export class RtmpFlvOutput implements FlvOutput {
  readonly #output: RtmpOutput
  readonly #messages: RtmpMessageCache
  readonly #streamId: number
  readonly shared: SharedFlvOutput | undefined

  /** With `broadcasts` it shares what others with the same message stream id and `messages` get. */
  constructor(output: RtmpOutput, messages: RtmpMessageCache, streamId: number, broadcasts?: FlvBroadcasts) {
    this.#output = output
    this.#messages = messages
    this.#streamId = streamId
    if (broadcasts !== undefined && streamId === SHARED_STREAM_ID) {
      this.shared = { broadcasts, encoder: messages, send: (bytes) => output.sendNow(bytes) }
    }
  }

  get queuedBytes(): number {
    return this.#output.queuedBytes
  }

  get delayMs(): number {
    return this.#output.delayMs
  }

  metadata(values: ReadonlyMap<string, number | boolean>): number {
    return this.#send(this.#messages.data(serializeAmf0(["onMetaData", values]), this.#streamId))
  }

  track(track: Track, timeUs: number): number {
    let bytes = 0
    for (const message of this.#messages.track(track, timeUs, this.#streamId)) bytes += this.#send(message)
    return bytes
  }

  frame(frame: MediaFrame): number {
    return this.#send(this.#messages.frame(frame, this.#streamId))
  }

  scriptData(payload: Uint8Array, timeUs: number): number {
    return this.#send(this.#messages.data(payload, this.#streamId, timeUs))
  }

  #send(bytes: Uint8Array): number {
    this.#output.send(bytes)
    return bytes.length
  }
}
