import { CatchUp } from "../../hub/catch-up.ts"
import type { PacketFanout, ViewerId } from "./fanout.ts"
import type { StreamPump } from "./stream-pump.ts"

/** What a viewer's video works with. */
export interface WhepVideoOptions {
  readonly fanout: PacketFanout
  readonly pump: StreamPump
  readonly viewerId: ViewerId
  readonly firstSequenceNumber: number
  readonly nowMs: () => number
  /** How fast cached pictures are sent. */
  readonly catchUpBytesPerMs: number
  /** An error while packets were sent, which must not reach the publisher. */
  readonly onError: (error: unknown) => void
}

/** One viewer's video: first from the keyframe cache, then live; from the cache again where the viewer lost its picture. */
export class WhepVideo {
  readonly #options: WhepVideoOptions
  readonly #advance = () => this.#step()
  #catchUp: CatchUp | undefined
  #timer: NodeJS.Timeout | undefined
  #nextSequenceNumber: number
  #startedMs = Number.NEGATIVE_INFINITY
  /** Of the live packets. */
  #sequenceOffset = 0
  #isClosed = false

  constructor(options: WhepVideoOptions) {
    this.#options = options
    this.#nextSequenceNumber = options.firstSequenceNumber
    options.pump.attach()
    this.#start()
  }

  /** False while the viewer gets cached pictures, whose timestamps are not those of the stream. */
  get isLive(): boolean {
    return this.#catchUp === undefined && !this.#isClosed
  }

  /** Begins again with the last keyframe, at most once a second. */
  restart(): void {
    if (!this.isLive || this.#options.nowMs() - this.#startedMs < RESTART_INTERVAL_MS) return
    const { fanout, pump, viewerId } = this.#options
    if (pump.cached.length === 0) return
    fanout.leaveTrack(viewerId, pump.trackId)
    this.#nextSequenceNumber = (pump.nextSequenceNumber + this.#sequenceOffset) & 0xffff
    this.#start(pump.lastTimestamp)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#endCatchUp()
    this.#options.pump.detach()
  }

  #start(lastTimestamp?: number): void {
    const { catchUpBytesPerMs: bytesPerMs, pump, nowMs } = this.#options
    this.#startedMs = nowMs()
    const nextSequenceNumber = this.#nextSequenceNumber
    this.#catchUp = new CatchUp({ nextSequenceNumber, bytesPerMs, leadTicks: LEAD_TICKS, lastTimestamp })
    pump.watch(this.#advance)
    this.#timer = setInterval(this.#advance, STEP_INTERVAL_MS)
    this.#step()
  }

  #step(): void {
    const catchUp = this.#catchUp
    if (catchUp === undefined) return
    const { fanout, pump, viewerId, nowMs } = this.#options
    try {
      const { cached } = pump
      for (const { batch, sequenceOffset, timestamp } of catchUp.step(cached, nowMs())) {
        fanout.sendTo(viewerId, pump.trackId, batch, { sequenceOffset, timestamp })
      }
      if (!catchUp.isLive(cached)) return
      this.#sequenceOffset = catchUp.sequenceOffset
      fanout.joinTrack(viewerId, pump.trackId, catchUp.sequenceOffset)
      this.#endCatchUp()
    } catch (error) {
      this.#endCatchUp()
      this.#options.onError(error)
    }
  }

  #endCatchUp(): void {
    this.#catchUp = undefined
    clearInterval(this.#timer)
    this.#options.pump.unwatch(this.#advance)
  }
}

const STEP_INTERVAL_MS = 5
const RESTART_INTERVAL_MS = 1_000
/** 20 ms: less than the time from one picture to the next. */
const LEAD_TICKS = 1_800
