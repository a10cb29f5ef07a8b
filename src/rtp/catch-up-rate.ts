import { LinkCapacity } from "./link-capacity.ts"
import type { TransportFeedback } from "./rtcp-transport-feedback.ts"

/** Between what a viewer's catch-up may go. */
export interface CatchUpRateOptions {
  /** What links are taken to carry of which nothing is known. */
  readonly startBps: number
  readonly maxBps: number
  /** The viewer reports when each packet arrived. */
  readonly hasTransportFeedback: boolean
}

/** What is still to be sent. */
export interface CatchUpRest {
  readonly bytes: number
  /** What goes out next is of the keyframe. */
  readonly isKeyframe: boolean
}

/**
 * How fast one viewer gets what is cached: as its link takes it, where it reports arrivals (`LinkCapacity`), the first of them 0.1 s after the first
 * packets. Until then, and for viewers without such reports: as fast as a link that is not known takes. Without reports also faster, where the
 * viewer would else not be back at live soon, and less from when it lacks many packets or tells of a full link on. That feedback is slow: Chromium's
 * first REMB comes a second after a link is full, NACKs when its queue is.
 */
export class CatchUpRate {
  readonly #options: CatchUpRateOptions
  /** During a catch-up, for viewers with reports. */
  #link: LinkCapacity | undefined
  #streamBps = 0
  #startedMs = 0
  /** What the link takes, once that is known. */
  #boundBps: number | undefined
  #boundAtMs = Number.NEGATIVE_INFINITY
  #reportedAtMs = Number.NEGATIVE_INFINITY
  #bps: number
  #sentBytes = 0
  #window = { sinceMs: 0, sent: 0, lost: 0 }

  constructor(options: CatchUpRateOptions) {
    this.#options = options
    this.#bps = options.startBps
  }

  /** A catch-up begins with a stream that has `streamBps` itself; 0 where that is not known. */
  start(nowMs: number, streamBps: number): void {
    this.#link = this.#options.hasTransportFeedback ? new LinkCapacity() : undefined
    this.#streamBps = streamBps
    this.#startedMs = nowMs
    this.#boundBps = undefined
    this.#reportedAtMs = Number.NEGATIVE_INFINITY
    this.#sentBytes = 0
    this.#window = { sinceMs: nowMs, sent: 0, lost: 0 }
  }

  /** The catch-up is over: what is known of single packets is not needed any more. */
  stop(): void {
    this.#link = undefined
  }

  /** The rate at which to send what remains. */
  bitrateBps({ bytes, isKeyframe }: CatchUpRest, nowMs: number): number {
    const { startBps, maxBps } = this.#options
    if (this.#isUntold(nowMs)) return this.#untoldBps(isKeyframe, nowMs)
    const goalMs = this.#isMeasured(nowMs) ? MEASURED_GOAL_MS : GOAL_MS
    const remainingBps = (bytes * 8_000) / Math.max(this.#startedMs + goalMs - nowMs, MIN_GOAL_MS)
    const wantedBps = Math.max(startBps, remainingBps + this.#streamBps, this.#streamBps * LEAST_SPEED)
    this.#bps = Math.min(wantedBps, this.#boundBps ?? maxBps, maxBps)
    if (!isKeyframe) return this.#bps
    return this.#isMeasured(nowMs)
      ? Math.min(wantedBps * KEYFRAME_HASTE, this.#boundBps ?? maxBps, maxBps)
      : this.#bps * KEYFRAME_HASTE
  }

  /** True where the link will not have taken so much in time: it is known to be too slow. */
  isTooSlowFor(remainingBytes: number, nowMs: number): boolean {
    const bps = this.#isMeasured(nowMs) ? this.#link?.capacityBps : undefined
    if (bps === undefined) return false
    const leftMs = Math.max(this.#startedMs + LATEST_MS - nowMs, 0)
    return remainingBytes * 8_000 > (bps - this.#streamBps) * leftMs
  }

  /** Notes a packet that was sent; `transportSequenceNumber` is for viewers with reports. */
  onSent(bytes: number, transportSequenceNumber: number, nowMs: number): void {
    this.#window.sent++
    this.#sentBytes += bytes
    this.#link?.onSent(transportSequenceNumber, bytes, nowMs)
  }

  /** Takes a report on when packets arrived. */
  onTransportFeedback(feedback: TransportFeedback, nowMs: number): void {
    this.#link?.onFeedback(feedback)
    const rateBps = this.#link?.rateBps
    if (rateBps === undefined) return
    this.#reportedAtMs = nowMs
    this.#boundBps = Math.max(rateBps, this.#streamBps * LEAST_SPEED_MEASURED)
  }

  /** The viewer lacks so many packets; a few in a hundred say nothing of the rate. */
  onLost(packets: number, nowMs: number): void {
    if (this.#isMeasured(nowMs)) return
    const window = this.#window
    window.lost += packets
    if (window.lost > MIN_LOST && window.lost > window.sent * MAX_LOSS) this.#bind(this.#bps * LESS, nowMs)
    if (nowMs - window.sinceMs >= WINDOW_MS) this.#window = { sinceMs: nowMs, sent: 0, lost: 0 }
  }

  /** Takes a REMB, which is below what is sent only where packets have begun to queue up. */
  onRemb(bitrateBps: number, nowMs: number): void {
    if (bitrateBps < this.#bps && !this.#isMeasured(nowMs)) this.#bind(bitrateBps, nowMs)
  }

  /** The first report is on its way, or what it is about. */
  #isUntold(nowMs: number): boolean {
    const isExpected = this.#link !== undefined && this.#reportedAtMs === Number.NEGATIVE_INFINITY
    return isExpected && nowMs - this.#startedMs < UNTOLD_MS
  }

  /** What went out at once counts: a link that is smaller than thought has a queue by now, and must not lose what comes. */
  #untoldBps(isKeyframe: boolean, nowMs: number): number {
    const { startBps } = this.#options
    if (isKeyframe && this.#sentBytes < USUAL_KEYFRAME_BYTES) return startBps * KEYFRAME_HASTE
    return this.#sentBytes * 8_000 > startBps * (nowMs - this.#startedMs) ? 0 : startBps
  }

  /** A viewer that has ceased to report is one without reports. */
  #isMeasured(nowMs: number): boolean {
    return nowMs - this.#reportedAtMs < REPORT_TIMEOUT_MS
  }

  #bind(bps: number, nowMs: number): void {
    if (nowMs - this.#boundAtMs < REACTION_MS) return
    this.#boundAtMs = nowMs
    this.#boundBps = Math.max(bps, this.#streamBps * LEAST_SPEED, MIN_BPS)
    this.#bps = Math.min(this.#bps, this.#boundBps)
    this.#window = { sinceMs: nowMs, sent: 0, lost: 0 }
  }
}

/** Back at live after so long, with room until the two seconds that a viewer should not have to wait. */
const GOAL_MS = 1_700
/** Sooner where that is no risk. */
const MEASURED_GOAL_MS = 1_200
/** Pictures are left out where all of them would take longer, so that there is room left, too. */
const LATEST_MS = 1_800
const MIN_GOAL_MS = 100
/** The first picture is what the viewer waits for. */
const KEYFRAME_HASTE = 4
/** So much, with what goes out at once, is a queue that a link of 10 Mbit/s has. */
const USUAL_KEYFRAME_BYTES = 128 * 1024
/** Round trip, queue and a tenth of a second until the receiver reports, on a long way. */
const UNTOLD_MS = 700
const REPORT_TIMEOUT_MS = 500
const WINDOW_MS = 200
const MIN_LOST = 10
const MAX_LOSS = 0.1
const LESS = 0.6
/** From a change until the viewer's feedback tells of it: a queue and a round trip. */
const REACTION_MS = 400
const MIN_BPS = 1_000_000
/** Slower, it would never end. */
const LEAST_SPEED = 1.5
/** The same where it is known that the link takes no more: the next keyframe ends it. */
const LEAST_SPEED_MEASURED = 1.1
