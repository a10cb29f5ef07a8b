import type { RtpBatch } from "../media/packet.ts"

/** A cached batch as one viewer gets it. */
export interface CatchUpStep {
  readonly batch: RtpBatch
  /** To be added to the lane's sequence numbers, 16 bits. */
  readonly sequenceOffset: number
  /** Takes the place of the batch's timestamp, on the lane's clock. */
  readonly timestamp: number
}

/** How a viewer is brought from the last keyframe to live. */
export interface CatchUpOptions {
  /** The viewer's next sequence number. */
  readonly nextSequenceNumber: number
  /** How fast cached packets are sent after the keyframe, which goes at once. */
  readonly bytesPerMs: number
  /** How far the cached pictures are put before the newest one; less than the time between two pictures. */
  readonly leadTicks: number
  /** The lane's timestamp of what the viewer got last; those of the cached pictures come after it. */
  readonly lastTimestamp?: number | undefined
}

/**
 * Brings one viewer from the last keyframe to live: the cached packets go out paced, with timestamps pressed
 * together right before the live edge. The receiver decodes them as fast as they come and has live pictures at the end, without
 * the delay that true timestamps of the past would leave behind.
 */
export class CatchUp {
  readonly #options: CatchUpOptions
  #run: readonly RtpBatch[] = []
  #index = 0
  #sequenceOffset = 0
  #nextSequenceNumber: number
  /** What the lane's timestamps of this run became, since packets may come late. */
  readonly #timestamps = new Map<number, number>()
  #timestamp: number | undefined
  #budgetBytes = 0
  #isPrimed = false
  #lastStepMs: number | undefined

  constructor(options: CatchUpOptions) {
    this.#options = options
    this.#nextSequenceNumber = options.nextSequenceNumber
    this.#timestamp = options.lastTimestamp
  }

  /** What joins this viewer to the live packets once it `isLive`. */
  get sequenceOffset(): number {
    return this.#sequenceOffset
  }

  /**
   * Returns what may be sent now. `cached` is the lane's cache as it stands: where a newer keyframe has begun a new run,
   * the viewer goes on with that one.
   */
  step(cached: readonly RtpBatch[], nowMs: number): CatchUpStep[] {
    if (cached !== this.#run) this.#begin(cached)
    this.#budgetBytes += this.#options.bytesPerMs * (nowMs - (this.#lastStepMs ?? nowMs))
    this.#lastStepMs = nowMs
    const steps: CatchUpStep[] = []
    for (let batch = cached[this.#index]; batch !== undefined; batch = cached[this.#index]) {
      if (this.#budgetBytes <= 0 && batch.timestamp !== cached[0]?.timestamp) return steps
      if (!this.#isPrimed && (batch.reorderDepth ?? 0) > 0) {
        const keyframe = cached.filter(({ timestamp }) => timestamp === batch.timestamp)
        if (!isWhole(keyframe, cached)) return steps
        for (let i = batch.reorderDepth ?? 0; i > 0; i--) this.#prime(keyframe, cached, steps)
      }
      this.#isPrimed = true
      this.#index++
      steps.push({ batch, sequenceOffset: this.#sequenceOffset, timestamp: this.#timestampFor(batch, cached) })
      this.#account(batch)
    }
    this.#budgetBytes = 0
    return steps
  }

  /** True when nothing cached is left to send; only then may the viewer join, before the next live packet. */
  isLive(cached: readonly RtpBatch[]): boolean {
    return cached === this.#run && cached.length > 0 && this.#index === cached.length
  }

  /**
   * The keyframe once more, for a decoder that gives its first picture only when it holds as many as the stream
   * reorders. Chromium takes a frame that gives no picture for a broken one and then accepts nothing but a keyframe, so
   * only keyframes can fill it.
   */
  #prime(keyframe: readonly RtpBatch[], cached: readonly RtpBatch[], steps: CatchUpStep[]): void {
    for (const batch of keyframe) {
      steps.push({ batch, sequenceOffset: this.#sequenceOffset, timestamp: this.#timestampFor(batch, cached) })
      this.#account(batch)
    }
    this.#timestamps.clear()
    this.#sequenceOffset = (this.#sequenceOffset + countNumbers(keyframe)) & 0xffff
  }

  #begin(cached: readonly RtpBatch[]): void {
    this.#run = cached
    this.#index = 0
    this.#budgetBytes = 0
    this.#timestamps.clear()
    const first = cached[0]?.packets[0]
    if (first !== undefined) this.#sequenceOffset = (this.#nextSequenceNumber - first.sequenceNumber) & 0xffff
  }

  #timestampFor(batch: RtpBatch, cached: readonly RtpBatch[]): number {
    const known = this.#timestamps.get(batch.timestamp)
    if (known !== undefined) return known
    const newest = (cached.at(-1) as RtpBatch).timestamp
    let timestamp = later(batch.timestamp, newest - this.#options.leadTicks)
    if (this.#timestamp !== undefined) timestamp = later(timestamp, this.#timestamp + 1)
    this.#timestamps.set(batch.timestamp, timestamp)
    this.#timestamp = timestamp
    return timestamp
  }

  #account(batch: RtpBatch): void {
    for (const { payload, sequenceNumber } of batch.packets) {
      this.#budgetBytes -= payload.length
      const next = (sequenceNumber + this.#sequenceOffset + 1) & 0xffff
      if (((next - this.#nextSequenceNumber) & 0xffff) < 0x8000) this.#nextSequenceNumber = next
    }
  }
}

/** The later of two 32-bit timestamps. */
function later(a: number, b: number): number {
  return (((a - b) | 0) > 0 ? a : b) >>> 0
}

/** Packets that are passed on as they come are batches of their own: the last one of a picture has the marker, or another picture has begun. */
function isWhole(picture: readonly RtpBatch[], cached: readonly RtpBatch[]): boolean {
  return cached.length > picture.length || picture.some(({ packets }) => packets.some(({ marker }) => marker))
}

/** How many sequence numbers packets take that may have come in another order, or not all. */
function countNumbers(batches: readonly RtpBatch[]): number {
  const numbers = batches.flatMap(({ packets }) => packets.map(({ sequenceNumber }) => sequenceNumber))
  const distances = numbers.map((number) => ((number - (numbers[0] ?? 0)) << 16) >> 16)
  return Math.max(...distances) - Math.min(...distances) + 1
}
