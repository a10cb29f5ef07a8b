import type { ReportBlock } from "./rtcp-report.ts"
import type { TransportFeedback } from "./rtcp-transport-feedback.ts"

/** What an estimate is made from besides feedback. */
export interface LossBasedEstimateOptions {
  /** Bits per second that are sent to the viewer; feedback is a judgement on these. */
  readonly sentBps: (nowMs: number) => number
  /** What the link is taken to carry until feedback says less. */
  readonly startBps: number
  /** Share of lost packets from which on the link is taken to be full; 0.1 if left out. More where radio may lose as many. */
  readonly highLoss?: number
}

/**
 * Estimates the bitrate that a viewer's link takes, from whatever feedback the viewer gives, in order to choose a layer. After
 * draft-ietf-rmcat-gcc-02 section 6, with what an SFU knows instead of an encoder:
 *
 * - Loss above 10 % (or what is given): the link takes no more than what arrives of what is sent. Feedback cannot do more than halve the estimate, twice a second.
 * - Loss below 2 %: it takes at least what is sent, and the estimate grows by 8 % a second, up to four times of what is sent, since more
 *   than that has not been tried. In between it stays.
 * - REMB that falls or stays below 1.3 times of what is sent is a bound. Receivers do not estimate more than 1.5 times of what they get, so a higher
 *   one says only that the link is not full. One that rises is no bound either: it takes many seconds to get from a small layer's bitrate to
 *   a large one's, on a link that is wide enough all the time.
 * - After each cut the estimate does not grow for ten seconds, so that a layer that is too large is not tried again at once.
 *
 * It stays between 30 kbit/s and 1 Gbit/s whatever a viewer claims; one that lies spoils only its own picture.
 */
export class LossBasedEstimate {
  readonly #sentBps: (nowMs: number) => number
  readonly #highLoss: number
  #bps: number
  #heardAtMs = Number.NEGATIVE_INFINITY
  #grownAtMs = 0
  #cutAtMs = Number.NEGATIVE_INFINITY
  #remb: { readonly bps: number; readonly sinceMs: number } | undefined
  #feedback = { sinceMs: 0, packets: 0, lost: 0 }

  constructor({ sentBps, startBps, highLoss = HIGH_LOSS }: LossBasedEstimateOptions) {
    this.#sentBps = sentBps
    this.#highLoss = highLoss
    this.#bps = clamp(startBps)
  }

  /** Takes a REMB. One of 0 is ignored: it is what receivers say that have no estimate. */
  onRemb(bitrateBps: number, nowMs: number): void {
    if (!(bitrateBps > 0)) return
    const rembBps = clamp(bitrateBps)
    const sentBps = this.#sentBps(nowMs)
    this.#heardAtMs = nowMs
    const bps = this.#bps
    const isBound = this.#isFalling(rembBps, nowMs)
    if (rembBps < sentBps * FULL_LINK_FACTOR) {
      if (!isBound) return
      this.#bps = Math.min(bps, rembBps)
      if (rembBps < sentBps) this.#cutAtMs = nowMs
    } else if (!this.#isHeld(nowMs)) this.#bps = Math.max(bps, rembBps)
  }

  /** Takes the report block on the video, RFC 3550 section 6.4.1. */
  onReport({ fractionLost }: Pick<ReportBlock, "fractionLost">, nowMs: number): void {
    this.#onLoss(Math.min(Math.max(fractionLost / 256, 0), 1), nowMs)
  }

  /** Takes transport-wide feedback; half a second of it counts as one report. */
  onTransportFeedback({ arrivalsUs }: TransportFeedback, nowMs: number): void {
    const feedback = this.#feedback
    if (feedback.packets === 0) feedback.sinceMs = nowMs
    feedback.packets += arrivalsUs.length
    for (const arrivalUs of arrivalsUs) if (arrivalUs === undefined) feedback.lost++
    if (nowMs - feedback.sinceMs < FEEDBACK_WINDOW_MS) return
    this.#onLoss(feedback.lost / feedback.packets, nowMs)
    feedback.packets = 0
    feedback.lost = 0
  }

  /** Bits per second that the link takes; undefined before the first feedback, and where there was none for 15 s. */
  estimateBps(nowMs: number): number | undefined {
    return nowMs - this.#heardAtMs > STALE_MS ? undefined : this.#bps
  }

  /** False for the first REMB, and for one that is higher than before: the receiver is still finding out. */
  #isFalling(rembBps: number, nowMs: number): boolean {
    const before = this.#remb
    if (before === undefined || rembBps !== before.bps) this.#remb = { bps: rembBps, sinceMs: nowMs }
    if (before === undefined || rembBps > before.bps) return false
    return rembBps < before.bps || nowMs - before.sinceMs >= STEADY_MS
  }

  #onLoss(lostShare: number, nowMs: number): void {
    const sentBps = this.#sentBps(nowMs)
    this.#heardAtMs = nowMs
    if (lostShare > this.#highLoss) this.#cut(sentBps * (1 - lostShare), nowMs)
    else if (lostShare < LOW_LOSS) this.#grow(sentBps, nowMs)
  }

  #cut(arrivedBps: number, nowMs: number): void {
    if (nowMs - this.#cutAtMs < CUT_INTERVAL_MS) return
    const bps = this.#bps
    this.#bps = clamp(Math.max(Math.min(bps, arrivedBps), bps / 2))
    this.#cutAtMs = nowMs
  }

  #grow(sentBps: number, nowMs: number): void {
    const elapsedMs = Math.min(Math.max(nowMs - this.#grownAtMs, 0), MAX_GROWTH_STEP_MS)
    this.#grownAtMs = nowMs
    if (this.#isHeld(nowMs)) return
    const provenBps = Math.max(this.#bps, sentBps)
    const grownBps = provenBps * GROWTH_PER_SECOND ** (elapsedMs / 1_000)
    this.#bps = clamp(Math.min(grownBps, Math.max(provenBps, sentBps * MAX_UNTRIED_FACTOR)))
  }

  #isHeld(nowMs: number): boolean {
    return nowMs - this.#cutAtMs < HOLD_MS
  }
}

function clamp(bitrateBps: number): number {
  return Math.round(Math.min(Math.max(bitrateBps, MIN_BPS), MAX_BPS))
}

const MIN_BPS = 30_000
const MAX_BPS = 1_000_000_000
const HIGH_LOSS = 0.1
const LOW_LOSS = 0.02
const GROWTH_PER_SECOND = 1.08
const MAX_GROWTH_STEP_MS = 2_000
const MAX_UNTRIED_FACTOR = 4
/** A REMB that stays the same for so long is what the link takes. */
const STEADY_MS = 2_000
const FULL_LINK_FACTOR = 1.3
const CUT_INTERVAL_MS = 500
const HOLD_MS = 10_000
const FEEDBACK_WINDOW_MS = 500
const STALE_MS = 15_000
