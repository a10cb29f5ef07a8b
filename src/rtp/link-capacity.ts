import type { TransportFeedback } from "./rtcp-transport-feedback.ts"

/**
 * What a link carries, from when packets arrived that were sent faster than that: behind a full link they come as far apart as it takes to
 * send them (Dovrolis, Ramanathan and Moore, "Packet-Dispersion Techniques and a Capacity-Estimation Methodology", 2004). The first train is what goes out at
 * once, so that one report tells; after it, packets that waited tell, and what came says at least how much there is where none waited.
 *
 * Bytes are what `onSent` counts, of these packets alone: the share of a link that others leave. A viewer that lies spoils only its own picture,
 * as what is made of it is bounded.
 */
export class LinkCapacity {
  /** By the lowest bits of the number: -1 for none, or one that was reported. */
  readonly #numbers = new Int32Array(KEPT_PACKETS).fill(-1)
  readonly #bytes = new Uint16Array(KEPT_PACKETS)
  readonly #sentMs = new Float64Array(KEPT_PACKETS)
  readonly #train = { sentMs: Number.NaN, packets: 0, bytes: 0, laterBytes: 0, firstMs: 0, lastMs: 0 }
  /** Of the packets that are not judged yet. */
  readonly #window = { packets: 0, bytes: 0, waited: 0, waitedBytes: 0, waitedMs: 0, lost: 0 }
  /** A few packets in a row. They waited as long as the one that waited least: jitter makes single ones late. */
  readonly #few = { packets: 0, bytes: 0, fromMs: 0, waitedMs: Number.POSITIVE_INFINITY }
  #windowStartMs = Number.NaN
  /** On the receiver's clock. */
  #lastArrivalMs = Number.NaN
  /** The shortest way that a packet took, between two clocks. */
  #shortestWayMs = Number.POSITIVE_INFINITY
  #bps: number | undefined
  #queuedMs = 0

  /** Bits per second that the link takes; undefined until that is known. */
  get capacityBps(): number | undefined {
    return this.#bps
  }

  /** How long packets wait in front of the link. */
  get queuedMs(): number {
    return this.#queuedMs
  }

  /** What may be sent: what the link takes, a little more while nothing waits, and less while much does. Undefined until the capacity is known. */
  get rateBps(): number | undefined {
    if (this.#bps === undefined) return undefined
    const gain = 1 + (QUEUE_MS - this.#queuedMs) / DRAIN_MS
    return this.#bps * Math.min(Math.max(gain, MIN_GAIN), MAX_GAIN)
  }

  /** A packet with that transport-wide number was sent; packets of one moment were sent at once. */
  onSent(sequenceNumber: number, bytes: number, nowMs: number): void {
    const slot = sequenceNumber & (KEPT_PACKETS - 1)
    this.#numbers[slot] = sequenceNumber & 0xffff
    this.#bytes[slot] = bytes
    this.#sentMs[slot] = nowMs
    if (Number.isNaN(this.#train.sentMs)) this.#train.sentMs = nowMs
  }

  /** Takes a report; packets that are not known, or were reported before, are ignored. */
  onFeedback({ baseSequenceNumber, arrivalsUs }: TransportFeedback): void {
    for (let i = 0; i < arrivalsUs.length; i++) {
      const number = (baseSequenceNumber + i) & 0xffff
      const slot = number & (KEPT_PACKETS - 1)
      if (this.#numbers[slot] !== number) continue
      this.#numbers[slot] = -1
      const arrivalUs = arrivalsUs[i]
      if (arrivalUs === undefined) this.#window.lost++
      else this.#onArrival(this.#bytes[slot] as number, this.#sentMs[slot] as number, arrivalUs / 1_000)
    }
    if (this.#isTrainTold()) this.#judgeTrain()
    if (this.#isWindowTold()) this.#judgeWindow()
  }

  #onArrival(bytes: number, sentMs: number, arrivalMs: number): void {
    if (!(Math.abs(arrivalMs - this.#lastArrivalMs) < MAX_PAUSE_MS)) this.#startClock(arrivalMs)
    const wayMs = arrivalMs - sentMs
    this.#shortestWayMs = Math.min(this.#shortestWayMs, wayMs)
    this.#lastArrivalMs = Math.max(arrivalMs, this.#lastArrivalMs)
    const window = this.#window
    window.packets++
    if (this.#lastArrivalMs > this.#windowStartMs) window.bytes += bytes
    this.#noteWait(bytes, wayMs - this.#shortestWayMs)
    if (sentMs === this.#train.sentMs) this.#onTrainArrival(bytes, arrivalMs)
  }

  #noteWait(bytes: number, waitedMs: number): void {
    const few = this.#few
    few.bytes += bytes
    few.waitedMs = Math.min(few.waitedMs, waitedMs)
    if (++few.packets < FEW_PACKETS) return
    this.#queuedMs = few.waitedMs
    if (few.waitedMs > WAITED_MS) {
      const window = this.#window
      window.waited += few.packets
      window.waitedBytes += few.bytes
      window.waitedMs += this.#lastArrivalMs - few.fromMs
    }
    this.#startFew()
  }

  #startFew(): void {
    Object.assign(this.#few, { packets: 0, bytes: 0, fromMs: this.#lastArrivalMs, waitedMs: Number.POSITIVE_INFINITY })
  }

  #onTrainArrival(bytes: number, arrivalMs: number): void {
    const train = this.#train
    train.bytes += bytes
    if (train.packets++ === 0) {
      train.firstMs = arrivalMs
      train.lastMs = arrivalMs
    } else if (arrivalMs > train.firstMs) {
      train.laterBytes += bytes // what came with the first one says nothing of how long it took
      train.lastMs = Math.max(train.lastMs, arrivalMs)
    }
  }

  #isTrainTold(): boolean {
    return this.#bps === undefined && this.#train.packets >= MIN_TRAIN_PACKETS
  }

  #judgeTrain(): void {
    const { bytes, laterBytes, firstMs, lastMs } = this.#train
    const tookMs = lastMs - firstMs
    this.#bps = bound(tookMs < CLOCK_MS ? bitsPerSecond(bytes, CLOCK_MS) : bitsPerSecond(laterBytes, tookMs))
  }

  #isWindowTold(): boolean {
    return this.#window.packets >= MIN_PACKETS && this.#lastArrivalMs - this.#windowStartMs >= MIN_WINDOW_MS
  }

  #judgeWindow(): void {
    const { packets, bytes, waited, waitedBytes, waitedMs, lost } = this.#window
    const cameBps = bitsPerSecond(bytes, this.#lastArrivalMs - this.#windowStartMs)
    const bps = this.#bps
    const isFull = waited >= packets * FULL_SHARE && waitedMs >= MIN_WAITED_MS
    const lostShare = lost / (lost + packets)
    if (isFull) {
      const fullBps = bitsPerSecond(waitedBytes, waitedMs)
      this.#bps = bound((Math.min(bps ?? fullBps, fullBps * MOST_TOO_HIGH) + fullBps) / 2)
    } else if (lostShare <= LOW_LOSS) this.#bps = bound(Math.max(bps ?? 0, cameBps * UNTRIED))
    if (lostShare > HIGH_LOSS) this.#bps = bound(Math.min(this.#bps ?? cameBps, cameBps))
    this.#startWindow()
  }

  #startWindow(): void {
    Object.assign(this.#window, { packets: 0, bytes: 0, waited: 0, waitedBytes: 0, waitedMs: 0, lost: 0 })
    this.#windowStartMs = this.#lastArrivalMs
  }

  /** The receiver's clock begins, or has jumped: it wraps, and may say anything. */
  #startClock(arrivalMs: number): void {
    this.#lastArrivalMs = arrivalMs
    this.#shortestWayMs = Number.POSITIVE_INFINITY
    this.#startFew()
    this.#startWindow()
  }
}

function bitsPerSecond(bytes: number, durationMs: number): number {
  return (bytes * 8_000) / durationMs
}

function bound(bps: number): number {
  return Math.min(Math.max(bps, MIN_BPS), MAX_BPS)
}

/** A power of two: what is on its way at 50 Mbit/s for 0.4 s. */
const KEPT_PACKETS = 2_048
const MIN_BPS = 300_000
const MAX_BPS = 1_000_000_000
/** What clocks, radio and a busy receiver add to the way of a packet that does not wait. */
const WAITED_MS = 4
const FULL_SHARE = 0.6
const MIN_WAITED_MS = 10
const MIN_PACKETS = 8
const FEW_PACKETS = 8
const MIN_WINDOW_MS = 30
const MIN_TRAIN_PACKETS = 12
/** Reports count quarters of a millisecond, and receivers look at the network about once in one. */
const CLOCK_MS = 1
/** A pause of the receiver makes a link look smaller than it is, for once; a larger one must not be believed in for long. */
const MOST_TOO_HIGH = 1.2
/** More than came is tried where nothing had to wait. */
const UNTRIED = 1.15
const LOW_LOSS = 0.02
const HIGH_LOSS = 0.1
/** Enough for the link to be busy all the time, */
const QUEUE_MS = 25
/** and what is more or less is made up for within this time: three times of what a report is late. */
const DRAIN_MS = 300
const MIN_GAIN = 0.5
const MAX_GAIN = 1.1
/** Arrivals so far from one another are of no use. */
const MAX_PAUSE_MS = 5_000
