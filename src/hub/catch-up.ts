import type { LanePacket, RtpBatch } from "../media/packet.ts"

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
  /** How fast cached packets are sent, by how much is left and whether the next one is of the keyframe; the first of them go at once. */
  readonly bytesPerMs: (remainingBytes: number, isKeyframe: boolean) => number
  /** True where pictures to which no other refers are to be left out, by how much is left; never if left out. */
  readonly leavesOut?: (remainingBytes: number) => boolean
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
  /** Of the next cached batch to stage. */
  #index = 0
  /** What goes out next, in this order; the first may have gone out in part. */
  #staged: CatchUpStep[] = []
  #packetsSent = 0
  /** The lane's timestamp of a picture of which the last packet has not gone out yet. */
  #openTimestamp: number | undefined
  /** How many cached batches are counted in `#remainingBytes`. */
  #counted = 0
  #remainingBytes = 0
  #sequenceOffset = 0
  #nextSequenceNumber: number
  /** What the lane's timestamps of this run became, since packets may come late. */
  readonly #timestamps = new Map<number, number>()
  #timestamp: number | undefined
  #budgetBytes = BURST_BYTES
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
    this.#earn(cached, nowMs)
    const steps: CatchUpStep[] = []
    while (this.#staged.length > 0 || this.#stage(cached)) {
      const sent = this.#takeAffordable()
      if (sent === undefined) return steps
      steps.push(sent)
    }
    return steps
  }

  /** Something else was sent to this viewer, which its link has to take as well. */
  spend(bytes: number): void {
    this.#budgetBytes -= bytes
  }

  /** True when nothing cached is left to send; only then may the viewer join, before the next live packet. */
  isLive(cached: readonly RtpBatch[]): boolean {
    return cached === this.#run && cached.length > 0 && this.#index === cached.length && this.#staged.length === 0
  }

  #begin(cached: readonly RtpBatch[]): void {
    const rest = this.#restOfPicture()
    if (this.#staged.length > rest.length) this.#isPrimed = false // some of the same keyframe did not go out
    if (rest[0] !== this.#staged[0]) this.#packetsSent = 0
    this.#staged = rest
    this.#run = cached
    this.#index = 0
    this.#counted = 0
    this.#remainingBytes = rest.reduce((bytes, { batch }) => bytes + bytesOf(batch.packets), 0)
    this.#timestamps.clear()
    let next = this.#nextSequenceNumber
    for (const step of rest)
      for (const packet of step.batch.packets) next = laterNumber(next, numberAfter(packet, step))
    const first = cached[0]?.packets[0]
    if (first !== undefined) this.#sequenceOffset = (next - first.sequenceNumber) & 0xffff
  }

  /** What the run still has of a picture that has gone out in part. */
  #restOfPicture(): CatchUpStep[] {
    const timestamp = this.#openTimestamp
    if (timestamp === undefined) return []
    const [staged] = this.#staged
    if (staged !== undefined && staged.batch.timestamp !== timestamp) return []
    const rest = staged === undefined ? [] : [staged]
    if (this.#staged.length > 1) return rest
    const others = this.#run.slice(this.#index).filter((batch) => batch.timestamp === timestamp)
    return [...rest, ...others.map((batch) => this.#place(batch, this.#run))]
  }

  #earn(cached: readonly RtpBatch[], nowMs: number): void {
    for (; this.#counted < cached.length; this.#counted++) {
      this.#remainingBytes += bytesOf((cached[this.#counted] as RtpBatch).packets)
    }
    const isKeyframe = this.#staged[0]?.batch.timestamp === cached[0]?.timestamp
    const bytesPerMs = this.#options.bytesPerMs(this.#remainingBytes, isKeyframe)
    const earned = this.#budgetBytes + bytesPerMs * (nowMs - (this.#lastStepMs ?? nowMs))
    this.#budgetBytes = Math.min(earned, Math.max(BURST_BYTES, bytesPerMs * MAX_PAUSE_MS))
    this.#lastStepMs = nowMs
  }

  /** Makes the next cached batch ready to go out; false where there is none yet. */
  #stage(cached: readonly RtpBatch[]): boolean {
    while (this.#isPrimed && this.#leaveOut(cached));
    const batch = cached[this.#index]
    if (batch === undefined) return false
    if (!this.#isPrimed && (batch.reorderDepth ?? 0) > 0) {
      const keyframe = cached.filter(({ timestamp }) => timestamp === batch.timestamp)
      if (!isWhole(keyframe, cached)) return false
      for (let i = batch.reorderDepth ?? 0; i > 0; i--) this.#prime(keyframe, cached)
    }
    this.#isPrimed = true
    this.#index++
    this.#staged.push(this.#place(batch, cached))
    return true
  }

  /** Passes over the next picture where it is not wanted, and nothing can tell: all of it is here, and numbers run on behind it. */
  #leaveOut(cached: readonly RtpBatch[]): boolean {
    const { leavesOut } = this.#options
    if (cached[this.#index]?.isDisposable !== true || leavesOut?.(this.#remainingBytes) !== true) return false
    const before = cached[this.#index - 1]?.packets.at(-1)
    if (before?.marker !== true) return false
    const { timestamp } = cached[this.#index] as RtpBatch
    let end = this.#index
    let next = before.sequenceNumber
    let bytes = 0
    for (; cached[end]?.timestamp === timestamp; end++) {
      for (const packet of (cached[end] as RtpBatch).packets) {
        next = (next + 1) & 0xffff
        if (packet.sequenceNumber !== next) return false
        bytes += packet.payload.length
      }
    }
    if (cached[end - 1]?.packets.at(-1)?.marker !== true) return false
    this.#sequenceOffset = (this.#sequenceOffset - (next - before.sequenceNumber)) & 0xffff
    this.#remainingBytes -= bytes
    this.#index = end
    return true
  }

  /**
   * The keyframe once more, for a decoder that gives its first picture only when it holds as many as the stream
   * reorders. Chromium takes a frame that gives no picture for a broken one and then accepts nothing but a keyframe, so
   * only keyframes can fill it.
   */
  #prime(keyframe: readonly RtpBatch[], cached: readonly RtpBatch[]): void {
    for (const batch of keyframe) {
      this.#staged.push(this.#place(batch, cached))
      this.#remainingBytes += bytesOf(batch.packets)
    }
    this.#timestamps.clear()
    this.#sequenceOffset = (this.#sequenceOffset + countNumbers(keyframe)) & 0xffff
  }

  #place(batch: RtpBatch, cached: readonly RtpBatch[]): CatchUpStep {
    return { batch, sequenceOffset: this.#sequenceOffset, timestamp: this.#timestampFor(batch, cached) }
  }

  /** As many packets of what is staged first as the budget has room for; undefined for none. */
  #takeAffordable(): CatchUpStep | undefined {
    const [step] = this.#staged
    if (step === undefined) return undefined
    const { packets } = step.batch
    const from = this.#packetsSent
    let end = from
    for (; end < packets.length && this.#budgetBytes > 0; end++) this.#account(packets[end] as LanePacket, step)
    if (end < packets.length) {
      this.#packetsSent = end
      if (end === from) return undefined
    } else {
      this.#staged.shift()
      this.#packetsSent = 0
    }
    return end - from === packets.length
      ? step
      : { ...step, batch: { ...step.batch, packets: packets.slice(from, end) } }
  }

  #account(packet: LanePacket, step: CatchUpStep): void {
    const { payload } = packet
    this.#budgetBytes -= payload.length
    this.#remainingBytes -= payload.length
    this.#openTimestamp = packet.marker ? undefined : step.batch.timestamp
    this.#nextSequenceNumber = laterNumber(this.#nextSequenceNumber, numberAfter(packet, step))
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
}

function bytesOf(packets: readonly LanePacket[]): number {
  let bytes = 0
  for (const { payload } of packets) bytes += payload.length
  return bytes
}

function numberAfter({ sequenceNumber }: LanePacket, { sequenceOffset }: CatchUpStep): number {
  return (sequenceNumber + sequenceOffset + 1) & 0xffff
}

/** The later of two 16-bit sequence numbers. */
function laterNumber(a: number, b: number): number {
  return ((b - a) & 0xffff) < 0x8000 ? b : a
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

/** A queue that every link has; most keyframes fit in. */
const BURST_BYTES = 64 * 1024
/** What was not sent in a longer pause of the event loop is not made up for at once. */
const MAX_PAUSE_MS = 50
