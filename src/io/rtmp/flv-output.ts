import { trackToFlv } from "../../bridge/frames-to-flv.ts"
import type { MediaFrame, Track } from "../../media/frame.ts"
import { serializeAmf0 } from "../../rtmp/amf0.ts"
import type { FlvOutput } from "../flv-subscriber.ts"
import type { RtmpMessageCache } from "./message-cache.ts"

/** The way to the peer; `SocketOutput` is one. */
export interface RtmpOutput {
  /** Bytes that wait to be sent. */
  readonly queuedBytes: number
  /** For how long the oldest of them have been waiting. */
  readonly delayMs: number
  /** Queues bytes, which must not change afterwards, to leave at the end of the turn. */
  send(bytes: Uint8Array): void
  /** The same for bytes that may wait some milliseconds for others. */
  sendLater(bytes: Uint8Array): void
}

/** Sends a feed as the messages of one message stream of an RTMP connection. */
export class RtmpFlvOutput implements FlvOutput {
  readonly #output: RtmpOutput
  readonly #messages: RtmpMessageCache
  readonly #streamId: number

  constructor(output: RtmpOutput, messages: RtmpMessageCache, streamId: number) {
    this.#output = output
    this.#messages = messages
    this.#streamId = streamId
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
    for (const body of trackToFlv(track, timeUs)) bytes += this.#send(this.#messages.body(body, this.#streamId))
    return bytes
  }

  /** Sound leaves with the next picture: that saves the readers of a stream more than half of the system calls. */
  frame(frame: MediaFrame): number {
    const bytes = this.#messages.frame(frame, this.#streamId)
    if (frame.track.kind === "video") this.#output.send(bytes)
    else this.#output.sendLater(bytes)
    return bytes.length
  }

  #send(bytes: Uint8Array): number {
    this.#output.send(bytes)
    return bytes.length
  }
}
