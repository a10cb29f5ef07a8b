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
  /** A keyframe that does not come is asked for again after this time. */
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
 * reordering, again after each round trip, and given up in time; what is given up calls for a keyframe, until one comes.
 */
export class NackGenerator {
  readonly #maxMissing: number
  readonly #reorderMs: number
  readonly #maxTries: number
  readonly #giveUpMs: number
  readonly #keyframeRetryMs: number
  readonly #missing = new Map<number, { readonly sinceMs: number; dueMs: number; tries: number }>()
  #highest: number | undefined
  #keyframeDueMs: number | undefined

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

  /** Notes a packet, retransmitted ones included. */
  onPacket(sequenceNumber: number, nowMs: number): void {
    if (this.#highest === undefined) {
      this.#highest = sequenceNumber
      return
    }
    const extended = unwrapU16(sequenceNumber, this.#highest)
    if (this.#missing.delete(extended) || extended <= this.#highest - MAX_JUMP) {
      if (extended <= this.#highest - MAX_JUMP) this.#startOver(extended, nowMs)
      return
    }
    const gap = extended - this.#highest - 1
    if (gap > this.#maxMissing - this.#missing.size) this.#startOver(extended, nowMs)
    for (let lost = this.#highest + 1; lost < extended; lost++) {
      this.#missing.set(lost, { sinceMs: nowMs, dueMs: nowMs + this.#reorderMs, tries: 0 })
    }
    this.#highest = Math.max(this.#highest, extended)
  }

  /** A keyframe begins with this packet: nothing before it is needed any more, and no other keyframe. */
  onKeyframe(sequenceNumber: number): void {
    this.#keyframeDueMs = undefined
    const first = unwrapU16(sequenceNumber, this.#highest ?? sequenceNumber)
    for (const missing of this.#missing.keys()) if (missing < first) this.#missing.delete(missing)
  }

  /** Something that no retransmission can mend was lost elsewhere, or a viewer asks: a keyframe is needed. */
  wantKeyframe(nowMs: number): void {
    this.#keyframeDueMs ??= nowMs
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
      packet.dueMs = Math.min(nowMs + retryMs, Math.max(packet.sinceMs + this.#giveUpMs, nowMs + 1))
      sequenceNumbers.push(extended & 0xffff)
    }
    const wantsKeyframe = this.#keyframeDueMs !== undefined && this.#keyframeDueMs <= nowMs
    if (wantsKeyframe) this.#keyframeDueMs = nowMs + this.#keyframeRetryMs
    return { sequenceNumbers, wantsKeyframe }
  }

  #startOver(extended: number, nowMs: number): void {
    this.#missing.clear()
    this.#highest = extended
    this.wantKeyframe(nowMs)
  }
}

const MAX_JUMP = 3_000
const MIN_RETRY_MS = 20
const DEFAULT_ROUND_TRIP_MS = 100
