import type { Lane } from "../../hub/lane.ts"
import type { RtpBatch } from "../../media/packet.ts"
import type { PacketFanout, SourceId } from "./fanout.ts"

/** Called after each batch that went to those who are live. */
export type AfterBatch = () => void

/** Feeds one source of the fan-out with the packets of one lane, while there is a viewer for them. */
export class StreamPump {
  readonly sourceId: SourceId
  readonly kind: "audio" | "video"
  readonly #lane: Lane<RtpBatch>
  readonly #fanout: PacketFanout
  readonly #waiting = new Set<AfterBatch>()
  #viewers = 0
  #unsubscribe: (() => void) | undefined

  constructor(lane: Lane<RtpBatch>, kind: "audio" | "video", sourceId: SourceId, fanout: PacketFanout) {
    this.#lane = lane
    this.kind = kind
    this.sourceId = sourceId
    this.#fanout = fanout
  }

  /** The packets since the last keyframe; empty for sound. */
  get cached(): readonly RtpBatch[] {
    return this.kind === "video" ? this.#lane.cached : []
  }

  /** The lane's newest batch. */
  get last(): RtpBatch | undefined {
    return this.#lane.last
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
      this.#fanout.send(this.sourceId, batch)
    } finally {
      for (const afterBatch of this.#waiting) afterBatch()
    }
  }
}
