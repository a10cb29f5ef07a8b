import { unwrapU16 } from "../media/time.ts"

/** When and how often missing packets are asked for. */
export interface NackGeneratorOptions {
  /** Missing packets that are tracked, at most; a longer gap is not worth asking for. */
  readonly maxMissing?: number
  /** Time that a packet may just be late before it is asked for. */
  readonly reorderMs?: number
  readonly maxTries?: number
  /** Age at which a missing packet is given up; no more than receivers wait. */
  readonly giveUpMs?: number
  /** Between two wishes for a keyframe lies this time at least, whether one came or not. */
  readonly keyframeRetryMs?: number
}

/** What should be sent to the publisher now. */
export interface NackRequest {
  /** For a NACK; in order, empty where there is none to send. */
  readonly sequenceNumbers: number[]
  /** True where a PLI should go out, since something is lost for good. */
  readonly wantsKeyframe: boolean
}

/**
 * Decides which packets of one SSRC to ask for again (RFC 4585 section 6.2.1). A missing number is asked for after a moment for
 * reordering, again after each round trip, and given up in time; what is given up calls for a keyframe, until one comes. One that has begun
 * makes all that is missing before it needless.
 */
export class NackGenerator {
  readonly #maxMissing: number
  readonly #reorderMs: number
  readonly #maxTries: number
  readonly #giveUpMs: number
  readonly #keyframeRetryMs: number
  readonly #missing = new Map<number, MissingPacket>()
  #highest: number | undefined
  #keyframeWantedMs: number | undefined
  #keyframeAskedMs = Number.NEGATIVE_INFINITY

  constructor(options: NackGeneratorOptions = {}) {
    this.#maxMissing = options.maxMissing ?? 256
    this.#reorderMs = options.reorderMs ?? 5
    this.#maxTries = options.maxTries ?? 10
    this.#giveUpMs = options.giveUpMs ?? 500
    this.#keyframeRetryMs = options.keyframeRetryMs ?? 500
  }

  /** When `poll` has something to do; undefined while nothing is missing. */
  get nextTimeoutMs(): number | undefined {
    let next = this.#keyframeDueMs ?? Number.POSITIVE_INFINITY
    for (const { dueMs } of this.#missing.values()) next = Math.min(next, dueMs)
    return next === Number.POSITIVE_INFINITY ? undefined : next
  }

  /** Notes a packet, retransmitted ones included; returns for how long it had been asked for, undefined where it had not been. */
  onPacket(sequenceNumber: number, nowMs: number): number | undefined {
    if (this.#highest === undefined) {
      this.#highest = sequenceNumber
      return undefined
    }
    const extended = unwrapU16(sequenceNumber, this.#highest)
    const missing = this.#missing.get(extended)
    if (missing !== undefined) {
      this.#missing.delete(extended)
      return missing.askedMs === undefined ? undefined : nowMs - missing.askedMs
    }
    if (extended <= this.#highest - MAX_JUMP) {
      this.#startOver(extended, nowMs)
      return undefined
    }
    const gap = extended - this.#highest - 1
    if (gap > this.#maxMissing - this.#missing.size) this.#startOver(extended, nowMs)
    for (let lost = this.#highest + 1; lost < extended; lost++) {
      this.#missing.set(lost, { sinceMs: nowMs, dueMs: nowMs + this.#reorderMs, askedMs: undefined, tries: 0 })
    }
    this.#highest = Math.max(this.#highest, extended)
    return undefined
  }

  /** A keyframe begins with this packet: nothing before it is needed any more, and no other keyframe. */
  onKeyframe(sequenceNumber: number): void {
    this.#keyframeWantedMs = undefined
    const first = unwrapU16(sequenceNumber, this.#highest ?? sequenceNumber)
    for (const missing of this.#missing.keys()) if (missing < first) this.#missing.delete(missing)
  }

  /** Something that no retransmission can mend was lost elsewhere, or a viewer asks: a keyframe is needed. */
  wantKeyframe(nowMs: number): void {
    this.#keyframeWantedMs ??= nowMs
  }

  /** Returns what is due now; the round trip time paces repetitions. */
  poll(nowMs: number, roundTripMs = DEFAULT_ROUND_TRIP_MS): NackRequest {
    const sequenceNumbers: number[] = []
    const retryMs = Math.max(roundTripMs * 1.2, MIN_RETRY_MS)
    for (const [extended, packet] of this.#missing) {
      if (packet.dueMs > nowMs) continue
      if (packet.tries >= this.#maxTries || nowMs - packet.sinceMs >= this.#giveUpMs) {
        this.#missing.delete(extended)
        this.wantKeyframe(nowMs)
        continue
      }
      packet.tries++
      packet.askedMs ??= nowMs
      packet.dueMs = Math.min(nowMs + retryMs, Math.max(packet.sinceMs + this.#giveUpMs, nowMs + 1))
      sequenceNumbers.push(extended & 0xffff)
    }
    const wantsKeyframe = this.#keyframeDueMs !== undefined && this.#keyframeDueMs <= nowMs
    if (wantsKeyframe) this.#keyframeAskedMs = nowMs
    return { sequenceNumbers, wantsKeyframe }
  }

  get #keyframeDueMs(): number | undefined {
    if (this.#keyframeWantedMs === undefined) return undefined
    return Math.max(this.#keyframeWantedMs, this.#keyframeAskedMs + this.#keyframeRetryMs)
  }

  #startOver(extended: number, nowMs: number): void {
    this.#missing.clear()
    this.#highest = extended
    this.wantKeyframe(nowMs)
  }
}

interface MissingPacket {
  readonly sinceMs: number
  dueMs: number
  /** When it was asked for first. */
  askedMs: number | undefined
  tries: number
}

const MAX_JUMP = 3_000
const MIN_RETRY_MS = 20
const DEFAULT_ROUND_TRIP_MS = 100
