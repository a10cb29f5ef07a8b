import { CatchUp } from "../../hub/catch-up.ts"
import { batchBytes } from "../../hub/stream-lanes.ts"
import { CLOCK_RATE_HZ, type RtpBatch } from "../../media/packet.ts"
import { usToTicks } from "../../media/time.ts"
import { CatchUpRate } from "../../rtp/catch-up-rate.ts"
import type { TransportFeedback } from "../../rtp/rtcp-transport-feedback.ts"
import type { ThinningLevel } from "../../whep/thinning-choice.ts"
import type { PacketFanout, TrackId, ViewerId } from "./fanout.ts"
import type { StreamPump } from "./stream-pump.ts"

/** What a viewer's video works with. */
export interface WhepVideoOptions {
  readonly fanout: PacketFanout
  /** What the viewer begins with. */
  readonly pump: StreamPump
  readonly viewerId: ViewerId
  readonly trackId: TrackId
  readonly nowMs: () => number
  /** The track has transport-wide numbers in what is sent from the cache, and the viewer reports on them. */
  readonly hasTransportFeedback: boolean
  /** How fast cached pictures are sent at most. */
  readonly catchUpBitrateBps: number
  /** An error while packets were sent, which must not reach the publisher. */
  readonly onError: (error: unknown) => void
}

/**
 * One viewer's video: first from the keyframe cache, then live; from the cache again where the viewer lost its picture or changes to another
 * layer. Its sequence numbers and timestamps run on through all of that.
 */
export class WhepVideo {
  readonly #options: WhepVideoOptions
  readonly #advance = () => this.#guarded(() => this.#step())
  readonly #considerSwitch = () => this.#guarded(() => this.#switchIfReady())
  readonly #rate: CatchUpRate
  #current: StreamPump
  #wish: StreamPump | undefined
  #thinning: ThinningLevel = "none"
  /** From the current lane's timestamps to the viewer's: those of the lane that it began with. */
  #timestampShift = 0
  #catchUp: CatchUp | undefined
  #timer: NodeJS.Timeout | undefined
  #startedMs = Number.NEGATIVE_INFINITY
  #isClosed = false

  constructor(options: WhepVideoOptions) {
    this.#options = options
    const { catchUpBitrateBps: maxBps, hasTransportFeedback } = options
    this.#rate = new CatchUpRate({ startBps: CATCH_UP_START_BPS, maxBps, hasTransportFeedback })
    this.#current = options.pump
    this.#current.attach()
    this.#start()
  }

  /** Whose pictures the viewer gets. */
  get current(): StreamPump {
    return this.#current
  }

  /** Whose pictures the viewer is to get; undefined where that is so already. */
  get wish(): StreamPump | undefined {
    return this.#wish
  }

  /** False while the viewer gets pictures whose timestamps are not those of the stream. */
  get isLive(): boolean {
    return this.#catchUp === undefined && !this.#isClosed
  }

  /**
   * Changes to another layer as soon as that has a keyframe which is at most a second old; until then the viewer stays with what it has, and the
   * wish is kept, however long that takes: the caller asks for a keyframe. Another wish takes the place of this one; the current pump ends it.
   */
  switchTo(pump: StreamPump): void {
    if (this.#isClosed || pump === this.#wish) return
    this.#dropWish()
    if (pump === this.#current) return
    this.#wish = pump
    pump.attach()
    pump.watch(this.#considerSwitch)
    this.#current.watch(this.#considerSwitch)
    this.#considerSwitch()
  }

  /** Leaves pictures out from now on. A viewer that had only keyframes gets more from a keyframe on: the last one, where that is a moment old. */
  thin(level: ThinningLevel): void {
    if (this.#isClosed || level === this.#thinning) return
    const { fanout, viewerId, trackId } = this.#options
    const hadKeyframesOnly = this.#thinning === "keyframes"
    this.#thinning = level
    fanout.setThinning(viewerId, trackId, level)
    if (hadKeyframesOnly && this.#isKeyframeNew()) this.restart()
  }

  /**
   * Begins again with the last keyframe, at most once a second. Where the viewer's link is full, only with one that is new: else nothing is sent
   * until the next one, as the viewer could not decode it.
   */
  restart(): void {
    if (this.#thinning === "keyframes") return
    if (this.#thinning !== "none" && !this.#isKeyframeNew()) {
      const { fanout, viewerId, trackId } = this.#options
      fanout.setThinning(viewerId, trackId, "untilKeyframe")
      fanout.setThinning(viewerId, trackId, this.#thinning)
      return
    }
    if (!this.isLive || this.#options.nowMs() - this.#startedMs < RESTART_INTERVAL_MS) return
    if (this.#current.cached.length > 0) this.#start()
  }

  /** The viewer lacks packets, some of which are sent again. */
  onNack(lacking: number, resent: number): void {
    if (this.#catchUp === undefined) return
    this.#rate.onLost(lacking, this.#options.nowMs())
    this.#catchUp.spend(resent * USUAL_PACKET_BYTES)
  }

  /** The viewer tells what its link takes. */
  onRemb(bitrateBps: number): void {
    if (this.#catchUp !== undefined) this.#rate.onRemb(bitrateBps, this.#options.nowMs())
  }

  /** The viewer tells when packets arrived. */
  onTransportFeedback(feedback: TransportFeedback): void {
    if (this.#catchUp !== undefined) this.#rate.onTransportFeedback(feedback, this.#options.nowMs())
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#endCatchUp()
    this.#dropWish()
    this.#current.detach()
  }

  #isKeyframeNew(): boolean {
    const { cached, last } = this.#current
    return (last?.ptsUs ?? 0) - (cached[0]?.ptsUs ?? Number.NEGATIVE_INFINITY) <= MAX_RETURN_US
  }

  #switchIfReady(): void {
    const former = this.#current
    const next = this.#wish
    if (next === undefined || !canSwitch(former, next)) return
    this.#endCatchUp()
    this.#timestampShift = (this.#timestampShift + clockDifference(former.last, next.last)) >>> 0
    next.attach() // before the wish for it is dropped
    this.#dropWish()
    this.#current = next
    former.detach()
    this.#start()
  }

  #dropWish(): void {
    if (this.#wish === undefined) return
    this.#current.unwatch(this.#considerSwitch)
    this.#wish.unwatch(this.#considerSwitch)
    this.#wish.detach()
    this.#wish = undefined
  }

  #start(): void {
    const { fanout, viewerId, trackId, nowMs } = this.#options
    const rate = this.#rate
    this.#startedMs = nowMs()
    rate.start(this.#startedMs, bitrateOf(this.#current.cached))
    fanout.leaveTrack(viewerId, trackId)
    const { nextSequenceNumber = 0, latestTimestamp } = fanout.stats(viewerId, trackId) ?? {}
    const lastTimestamp = latestTimestamp === undefined ? undefined : (latestTimestamp - this.#timestampShift) >>> 0
    this.#catchUp = new CatchUp({
      nextSequenceNumber,
      bytesPerMs: (bytes, isKeyframe) => rate.bitrateBps({ bytes, isKeyframe }, nowMs()) / 8_000,
      leavesOut: (bytes) => rate.isTooSlowFor(bytes, nowMs()),
      leadTicks: LEAD_TICKS,
      lastTimestamp,
    })
    this.#current.watch(this.#advance)
    this.#advance()
  }

  #step(): void {
    const catchUp = this.#catchUp
    if (catchUp === undefined) return
    const { fanout, viewerId, trackId, nowMs } = this.#options
    const { cached, sourceId } = this.#current
    const timestampShift = this.#timestampShift
    const steppedMs = nowMs()
    for (const { batch, sequenceOffset, timestamp } of catchUp.step(cached, steppedMs)) {
      const options = { sequenceOffset, timestamp: (timestamp + timestampShift) >>> 0 }
      let number = fanout.sendTo(viewerId, trackId, batch, options) - batch.packets.length
      for (const { payload } of batch.packets) this.#rate.onSent(payload.length, number++, steppedMs)
    }
    clearTimeout(this.#timer)
    if (!catchUp.isLive(cached)) {
      if (cached.length > 0) this.#timer = setTimeout(this.#advance, STEP_INTERVAL_MS)
    } else if (this.#hasTrueTime()) {
      fanout.joinTrack(viewerId, trackId, { sourceId, sequenceOffset: catchUp.sequenceOffset, timestampShift })
      this.#endCatchUp()
    }
  }

  /** False as long as the lane's own timestamps would go back: it is behind the one that the viewer had before. */
  #hasTrueTime(): boolean {
    const { fanout, viewerId, trackId } = this.#options
    const latest = fanout.stats(viewerId, trackId)?.latestTimestamp
    const { last } = this.#current
    if (latest === undefined || last === undefined) return true
    return ((last.timestamp + this.#timestampShift - latest) | 0) >= -MAX_AHEAD_TICKS
  }

  #endCatchUp(): void {
    this.#catchUp = undefined
    this.#rate.stop()
    clearTimeout(this.#timer)
    this.#current.unwatch(this.#advance)
  }

  #guarded(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.#endCatchUp()
      this.#dropWish()
      this.#options.onError(error)
    }
  }
}

/** The keyframe of the next layer is a moment old, and no picture is cut: one of the two layers is between pictures. */
function canSwitch(current: StreamPump, next: StreamPump): boolean {
  const [keyframe] = next.cached
  if (keyframe === undefined || next.last === undefined) return false
  const newestUs = Math.max(next.last.ptsUs, current.last?.ptsUs ?? 0)
  if (newestUs - keyframe.ptsUs > MAX_REPLAY_US) return false
  return endsPicture(current.last) || endsPicture(next.last)
}

function endsPicture(batch: RtpBatch | undefined): boolean {
  return batch?.packets.at(-1)?.marker !== false
}

/** Bits per second of pictures in a row; 0 for less than a second of them, of which the keyframe is too large a part. */
function bitrateOf(batches: readonly RtpBatch[]): number {
  const durationUs = (batches.at(-1)?.ptsUs ?? 0) - (batches[0]?.ptsUs ?? 0)
  if (durationUs < 1_000_000) return 0
  return (batches.reduce((bytes, batch) => bytes + batchBytes(batch), 0) * 8_000_000) / durationUs
}

/** What is to be added to the timestamps of one lane so that they name the same times as those of another. */
function clockDifference(former: RtpBatch | undefined, next: RtpBatch | undefined): number {
  if (former === undefined || next === undefined) return 0
  return former.timestamp - next.timestamp + ticksOf(next) - ticksOf(former)
}

function ticksOf({ ptsUs }: RtpBatch): number {
  return usToTicks(ptsUs, CLOCK_RATE_HZ.video)
}

const STEP_INTERVAL_MS = 5
/** What a link of 10 Mbit/s takes, with sound and headers. */
const CATCH_UP_START_BPS = 9_000_000
const USUAL_PACKET_BYTES = 1_200
const RESTART_INTERVAL_MS = 1_000
/** 20 ms: less than the time from one picture to the next. */
const LEAD_TICKS = 1_800
/** Pictures from the cache may end so far, 3 ms, after the newest one: always less than the time to the next. */
const MAX_AHEAD_TICKS = 300
const MAX_REPLAY_US = 1_000_000
/** A viewer whose link is full, or was until a moment ago, gets no more than this at once. */
const MAX_RETURN_US = 300_000
