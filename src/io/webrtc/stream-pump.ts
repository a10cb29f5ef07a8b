import type { Lane } from "../../hub/lane.ts"
import { batchBytes } from "../../hub/stream-lanes.ts"
import type { RtpBatch } from "../../media/packet.ts"
import { RateMeter } from "../../media/rate-meter.ts"
import { unwrapU16 } from "../../media/time.ts"
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
  readonly #rate = new RateMeter(RATE_WINDOW_MS)
  readonly #disposableRate = new RateMeter(RATE_WINDOW_MS)
  #timeMs = 0
  #newestNumber: number | undefined
  #missingPackets = 0
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

  /** Bits per second of the last seconds, on the stream's timeline. */
  get bitrateBps(): number {
    return this.#rate.bitrateBps(this.#timeMs)
  }

  /** What of that are pictures that nothing refers to. */
  get disposableBps(): number {
    return this.#disposableRate.bitrateBps(this.#timeMs)
  }

  /** Numbers of the lane that no packet has come with, since the first one: what the publisher's network lost, and is not there yet. */
  get missingPackets(): number {
    return this.#missingPackets
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
    this.#newestNumber = undefined
  }

  /** Calls back after every batch until told not to. */
  watch(afterBatch: AfterBatch): void {
    this.#waiting.add(afterBatch)
  }

  unwatch(afterBatch: AfterBatch): void {
    this.#waiting.delete(afterBatch)
  }

  #pump(batch: RtpBatch): void {
    this.#timeMs = batch.ptsUs / 1000
    this.#rate.add(batchBytes(batch), this.#timeMs)
    for (const { sequenceNumber } of batch.packets) this.#noteNumber(sequenceNumber)
    if (batch.isDisposable) this.#disposableRate.add(batchBytes(batch), this.#timeMs)
    try {
      this.#fanout.send(this.sourceId, batch)
    } finally {
      for (const afterBatch of this.#waiting) afterBatch()
    }
  }

  #noteNumber(sequenceNumber: number): void {
    const newest = this.#newestNumber ?? sequenceNumber - 1
    const number = unwrapU16(sequenceNumber, newest)
    if (number > newest) {
      this.#missingPackets += number - newest - 1
      this.#newestNumber = number
    } else this.#missingPackets--
  }
}

/** Long enough that a keyframe does not look like a rise. */
const RATE_WINDOW_MS = 4_000
