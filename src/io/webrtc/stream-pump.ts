import type { Lane } from "../../hub/lane.ts"
import type { LiveStream } from "../../hub/live-stream.ts"
import type { RtpBatch } from "../../media/packet.ts"
import type { PacketFanout, TrackId } from "./fanout.ts"

/** Called after each batch that went to those who are live. */
export type AfterBatch = () => void

/** Feeds the fan-out with one kind of a stream's packets, while there is a viewer for them. */
export class StreamPump {
  readonly trackId: TrackId
  readonly kind: "audio" | "video"
  readonly #lane: Lane<RtpBatch>
  readonly #fanout: PacketFanout
  readonly #waiting = new Set<AfterBatch>()
  #viewers = 0
  #unsubscribe: (() => void) | undefined

  constructor(stream: LiveStream, kind: "audio" | "video", trackId: TrackId, fanout: PacketFanout) {
    this.#lane = kind === "video" ? stream.lanes.videoPackets : stream.lanes.audioPackets
    this.kind = kind
    this.trackId = trackId
    this.#fanout = fanout
  }

  /** The packets since the last keyframe; empty for sound. */
  get cached(): readonly RtpBatch[] {
    return this.kind === "video" ? this.#lane.cached : []
  }

  /** One more than the highest of the lane's numbers. */
  get nextSequenceNumber(): number {
    return ((this.#lane.last?.packets.at(-1)?.sequenceNumber ?? -1) + 1) & 0xffff
  }

  /** The lane's newest timestamp. */
  get lastTimestamp(): number | undefined {
    return this.#lane.last?.timestamp
  }

  /** Counts a viewer in; the lane is made from now on. Sound is not replayed: it would be late for the picture. */
  attach(): void {
    this.#viewers++
    if (this.#unsubscribe !== undefined) return
    this.#unsubscribe = this.#lane.subscribe((batch) => this.#pump(batch), { replay: this.kind === "video" })
  }

  detach(): void {
    this.#viewers--
    if (this.#viewers > 0) return
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
  }

  /** Calls back after every batch until told not to. */
  watch(afterBatch: AfterBatch): void {
    this.#waiting.add(afterBatch)
  }

  unwatch(afterBatch: AfterBatch): void {
    this.#waiting.delete(afterBatch)
  }

  #pump(batch: RtpBatch): void {
    try {
      this.#fanout.send(this.trackId, batch)
    } finally {
      for (const afterBatch of this.#waiting) afterBatch()
    }
  }
}
