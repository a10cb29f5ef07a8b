import type { LiveStream } from "../../hub/live-stream.ts"
import type { RtpBatch } from "../../media/packet.ts"
import type { PacketFanout, TrackId } from "./fanout.ts"

/** Called after each batch that went to those who are live. */
export type AfterBatch = () => void

/** Feeds the fan-out with one kind of a stream's packets, while there is a viewer for them. */
export class StreamPump {
  readonly trackId: TrackId
  readonly kind: "audio" | "video"
  readonly #stream: LiveStream
  readonly #fanout: PacketFanout
  readonly #waiting = new Set<AfterBatch>()
  #viewers = 0
  #nextSequenceNumber: number | undefined
  #unsubscribe: (() => void) | undefined

  constructor(stream: LiveStream, kind: "audio" | "video", trackId: TrackId, fanout: PacketFanout) {
    this.#stream = stream
    this.kind = kind
    this.trackId = trackId
    this.#fanout = fanout
  }

  /** The packets since the last keyframe; empty for sound. */
  get cached(): readonly RtpBatch[] {
    return this.kind === "video" ? this.#stream.lanes.videoPackets.cached : []
  }

  /** One more than the highest of the lane's numbers; packets of a WHIP publisher may come late and have lower ones. */
  get nextSequenceNumber(): number {
    return this.#nextSequenceNumber ?? 0
  }

  /** Counts a viewer in; the lane is made from now on. Sound is not replayed: it would be late for the picture. */
  attach(): void {
    this.#viewers++
    if (this.#unsubscribe !== undefined) return
    const { videoPackets, audioPackets } = this.#stream.lanes
    const lane = this.kind === "video" ? videoPackets : audioPackets
    if (lane.last !== undefined) this.#count(lane.last)
    this.#unsubscribe = lane.subscribe((batch) => this.#pump(batch), { replay: this.kind === "video" })
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

  #count({ packets }: RtpBatch): void {
    for (const { sequenceNumber } of packets) {
      const next = (sequenceNumber + 1) & 0xffff
      const isHigher = this.#nextSequenceNumber === undefined || ((next - this.#nextSequenceNumber) & 0xffff) < 0x8000
      if (isHigher) this.#nextSequenceNumber = next
    }
  }

  #pump(batch: RtpBatch): void {
    this.#count(batch)
    this.#fanout.send(this.trackId, batch)
    for (const afterBatch of this.#waiting) afterBatch()
  }
}
