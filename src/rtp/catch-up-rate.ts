import type { TransportFeedback } from "./rtcp-transport-feedback.ts"

/** Between what a viewer's catch-up may go. */
export interface CatchUpRateOptions {
  /** What it begins with, before anything is known of the link. */
  readonly startBps: number
  readonly maxBps: number
}

/**
 * How fast one viewer gets what is cached. It begins moderately and rises while transport-wide feedback shows that all of it arrives as fast as it
 * is sent; where that is slower, the link is full, and the rate stays below what arrived. A step is judged by the packets that were sent
 * after it. Reports are not matched with packets one by one but counted, since few others (sound, repairs) are sent meanwhile;
 * nor is a step judged before as long as the first report took. Without feedback the rate stays as it is.
 */
export class CatchUpRate {
  readonly #maxBps: number
  #bps: number
  /** Set once the link was full: no more steps up in this catch-up. */
  #isBound = false
  #startedAtMs = 0
  #feedbackDelayMs: number | undefined
  /** What is reported before this moment is about an earlier rate. */
  #judgeFromMs = 0
  #sentBytes = 0
  #sentPackets = 0
  #reportedPackets = 0
  /** When the present rate began, and what had been sent then. */
  #since = { atMs: 0, sentBytes: 0, sentPackets: 0 }
  #window = { packets: 0, lost: 0, firstUs: Number.NaN, lastUs: Number.NaN }

  constructor({ startBps, maxBps }: CatchUpRateOptions) {
    this.#maxBps = maxBps
    this.#bps = Math.min(startBps, maxBps)
  }

  get bitrateBps(): number {
    return this.#bps
  }

  get bytesPerMs(): number {
    return this.#bps / 8_000
  }

  /** A catch-up begins; `leastBps` is what it needs in order to get anywhere. */
  start(nowMs: number, leastBps: number): void {
    this.#bps = Math.min(Math.max(this.#bps, leastBps), this.#maxBps)
    this.#isBound = false
    this.#startedAtMs = nowMs
    this.#reportedPackets = this.#sentPackets
    this.#begin(nowMs)
  }

  /** Notes what was sent. */
  onSent(bytes: number, packets: number): void {
    this.#sentBytes += bytes
    this.#sentPackets += packets
  }

  /** Takes feedback that comes while the viewer is catching up. */
  onFeedback({ arrivalsUs }: Pick<TransportFeedback, "arrivalsUs">, nowMs: number): void {
    this.#feedbackDelayMs ??= Math.max(nowMs - this.#startedAtMs, MIN_DELAY_MS)
    for (const arrivalUs of arrivalsUs) {
      if (++this.#reportedPackets > this.#since.sentPackets) this.#note(arrivalUs)
    }
    if (nowMs < this.#judgeFromMs || this.#sentPackets === 0) return
    const { packets, lost, firstUs, lastUs } = this.#window
    const spanMs = (lastUs - firstUs) / 1_000
    if (packets < MIN_PACKETS || !(spanMs >= MIN_SPAN_MS)) return
    const arrivedBps = ((packets - 1) * 8_000 * (this.#sentBytes / this.#sentPackets)) / spanMs
    const sentBps = ((this.#sentBytes - this.#since.sentBytes) * 8_000) / (nowMs - this.#since.atMs)
    if (lost > (packets + lost) * MAX_LOSS || arrivedBps < Math.min(this.#bps, sentBps) * FULL_SHARE) {
      this.#isBound = true
      this.#set(Math.max(Math.min(this.#bps, arrivedBps) * BELOW_FULL, MIN_BPS), nowMs)
    } else if (!this.#isBound) this.#set(Math.min(this.#bps, arrivedBps) * STEP, nowMs)
    else this.#clearWindow()
  }

  #note(arrivalUs: number | undefined): void {
    const window = this.#window
    if (arrivalUs === undefined) {
      window.lost++
      return
    }
    window.packets++
    if (!(arrivalUs >= window.firstUs)) window.firstUs = Math.min(arrivalUs, window.firstUs || arrivalUs)
    if (!(arrivalUs <= window.lastUs)) window.lastUs = arrivalUs
  }

  #set(bps: number, nowMs: number): void {
    this.#bps = Math.min(bps, this.#maxBps)
    this.#begin(nowMs)
  }

  #begin(nowMs: number): void {
    this.#since = { atMs: nowMs, sentBytes: this.#sentBytes, sentPackets: this.#sentPackets }
    this.#judgeFromMs = nowMs + (this.#feedbackDelayMs ?? 0)
    this.#clearWindow()
  }

  #clearWindow(): void {
    this.#window = { packets: 0, lost: 0, firstUs: Number.NaN, lastUs: Number.NaN }
  }
}

const STEP = 1.5
/** Arrivals that are slower than this share of the sending: they waited. */
const FULL_SHARE = 0.8
const BELOW_FULL = 0.85
const MAX_LOSS = 0.1
const MIN_BPS = 100_000
const MIN_PACKETS = 20
const MIN_SPAN_MS = 30
const MIN_DELAY_MS = 20
