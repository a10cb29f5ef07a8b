/** Between what a viewer's catch-up may go. */
export interface CatchUpRateOptions {
  /** What links are taken to carry of which nothing is known. */
  readonly startBps: number
  readonly maxBps: number
}

/**
 * How fast one viewer gets what is cached: as fast as a link that is not known takes, or faster where the viewer would else not be back at live
 * soon. Where it lacks many packets or tells of a full link, less from then on. Feedback is slow: Chromium's first REMB
 * comes a second after a link is full, NACKs when its queue is.
 */
export class CatchUpRate {
  readonly #options: CatchUpRateOptions
  #streamBps = 0
  #liveAtMs = 0
  /** What the link takes, once that is known. */
  #boundBps: number | undefined
  #boundAtMs = Number.NEGATIVE_INFINITY
  #bps: number
  #window = { sinceMs: 0, sent: 0, lost: 0 }

  constructor(options: CatchUpRateOptions) {
    this.#options = options
    this.#bps = options.startBps
  }

  /** A catch-up begins with a stream that has `streamBps` itself; 0 where that is not known. */
  start(nowMs: number, streamBps: number): void {
    this.#streamBps = streamBps
    this.#liveAtMs = nowMs + GOAL_MS
    this.#boundBps = undefined
    this.#window = { sinceMs: nowMs, sent: 0, lost: 0 }
  }

  /** The rate at which to send what remains. */
  bitrateBps(remainingBytes: number, nowMs: number): number {
    const { startBps, maxBps } = this.#options
    const remainingBps = (remainingBytes * 8_000) / Math.max(this.#liveAtMs - nowMs, MIN_GOAL_MS)
    const wantedBps = Math.max(startBps, remainingBps + this.#streamBps, this.#streamBps * LEAST_SPEED)
    this.#bps = Math.min(wantedBps, this.#boundBps ?? maxBps, maxBps)
    return this.#bps
  }

  /** Notes how many packets were sent. */
  onSent(packets: number): void {
    this.#window.sent += packets
  }

  /** The viewer lacks so many packets; a few in a hundred say nothing of the rate. */
  onLost(packets: number, nowMs: number): void {
    const window = this.#window
    window.lost += packets
    if (window.lost > MIN_LOST && window.lost > window.sent * MAX_LOSS) this.#bind(this.#bps * LESS, nowMs)
    if (nowMs - window.sinceMs >= WINDOW_MS) this.#window = { sinceMs: nowMs, sent: 0, lost: 0 }
  }

  /** Takes a REMB, which is below what is sent only where packets have begun to queue up. */
  onRemb(bitrateBps: number, nowMs: number): void {
    if (bitrateBps < this.#bps) this.#bind(bitrateBps, nowMs)
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
const MIN_GOAL_MS = 100
const WINDOW_MS = 200
const MIN_LOST = 10
const MAX_LOSS = 0.1
const LESS = 0.6
/** From a change until the viewer's feedback tells of it: a queue and a round trip. */
const REACTION_MS = 400
const MIN_BPS = 1_000_000
/** Slower, it would never end. */
const LEAST_SPEED = 1.5
