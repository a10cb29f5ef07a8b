/** How things stand with a receiver when it asks for packets again. */
export interface ResendSituation {
  readonly nowMs: number
  /** Bits per second that it is sent. */
  readonly sentBps: number
  /** Undefined until it is known. */
  readonly roundTripMs: number | undefined
}

/**
 * How much of what one receiver asks for again it gets: on average no more than half of what it is sent anyway, and no packet twice within a round
 * trip, as then the first copy may be on its way. What it asks for beyond that costs the time to look at it, up to where the budget ends.
 */
export class ResendBudget {
  /** Numbers that were asked for in vain, since the beginning. */
  refusedCount = 0
  #packets = LEAST_PER_SECOND
  #filledAtMs: number | undefined
  /** The newest packets that were sent again, by their numbers, and when. */
  readonly #numbers = new Int32Array(REMEMBERED).fill(-1)
  readonly #times = new Float64Array(REMEMBERED)

  /** Returns those of the numbers (16 bits) that are to be sent again now. */
  take(sequenceNumbers: readonly number[], situation: ResendSituation): number[] {
    const { nowMs } = situation
    this.#fill(situation)
    const againAfterMs = Math.min(situation.roundTripMs ?? LEAST_ROUND_TRIP_MS, MAX_ROUND_TRIP_MS) * ON_ITS_WAY
    const granted: number[] = []
    for (const [i, sequenceNumber] of sequenceNumbers.entries()) {
      if (this.#packets < 1) {
        this.refusedCount += sequenceNumbers.length - i
        return granted
      }
      const slot = sequenceNumber % REMEMBERED
      if (this.#numbers[slot] === sequenceNumber && nowMs - (this.#times[slot] as number) < againAfterMs) {
        this.refusedCount++
        continue
      }
      this.#numbers[slot] = sequenceNumber
      this.#times[slot] = nowMs
      this.#packets--
      granted.push(sequenceNumber)
    }
    return granted
  }

  #fill({ nowMs, sentBps }: ResendSituation): void {
    const perSecond = Math.max((sentBps * SHARE) / BITS_OF_PACKET, LEAST_PER_SECOND)
    const elapsedMs = this.#filledAtMs === undefined ? 1_000 : Math.max(nowMs - this.#filledAtMs, 0)
    this.#filledAtMs = nowMs
    this.#packets = Math.min(this.#packets + (elapsedMs * perSecond) / 1_000, perSecond)
  }
}

const SHARE = 0.5
const BITS_OF_PACKET = 8 * 1_200
/** For sound and small pictures: as many may be lost at once. */
const LEAST_PER_SECOND = 50
const REMEMBERED = 256
const LEAST_ROUND_TRIP_MS = 20
/** What is measured contains the time in queues, which may be over. */
const MAX_ROUND_TRIP_MS = 250
/** Receivers ask again after a round trip as they measure it. */
const ON_ITS_WAY = 0.8
