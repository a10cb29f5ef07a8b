import type { RtpBatch } from "../media/packet.ts"
import type { Lane } from "./lane.ts"
import { createVideoPacketLane, type LaneSetup } from "./stream-lanes.ts"

/** One simulcast layer: the same picture in another size or quality. */
export interface VideoLayer {
  /** The publisher's name for it (RFC 8851). */
  readonly rid: string
  readonly lane: Lane<RtpBatch>
  /** Of the last keyframe, where its bitstream tells. */
  readonly widthPx: number | undefined
  readonly heightPx: number | undefined
  bitrateBps(nowMs: number): number
  /** False where no packet has come for a while: encoders leave out layers that the network does not carry. */
  isActive(nowMs: number): boolean
}

/** What the layers of a stream work with. */
export interface VideoLayersOptions {
  /** The limits of the lane of all; the layers divide them among themselves. */
  readonly setup: LaneSetup
  /** Takes the packets of the best layer, joined into one numbering and one clock. */
  readonly emit: (batch: RtpBatch) => void
  readonly requestKeyframe: (rid: string, nowMs: number) => void
  /** The list, its order, a size or an activity has changed. */
  readonly onChange: () => void
}

/** The simulcast layers of a stream. */
export class VideoLayers {
  readonly #options: VideoLayersOptions

  constructor(options: VideoLayersOptions) {
    this.#options = options
  }

  get list(): readonly VideoLayer[] {
    return []
  }

  lane(_rid: string): Lane<RtpBatch> {
    return createVideoPacketLane(this.#options.setup)
  }

  best(_nowMs: number): VideoLayer | undefined {
    return undefined
  }

  push(_rid: string, batch: RtpBatch, _nowMs: number): void {
    this.#options.emit(batch)
  }

  check(_nowMs: number): void {}

  restart(_previous: RtpBatch | undefined): void {}
}
