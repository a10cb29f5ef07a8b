/** How things stand with a receiver when it asks for packets again. */
export interface ResendSituation {
  readonly nowMs: number
  /** Bits per second that it is sent. */
  readonly sentBps: number
  /** Its link is full: what was lost was too much, and sending it again makes that worse. */
  readonly isCongested?: boolean
  /** Undefined until it is known. */
  readonly roundTripMs: number | undefined
}

/**
 * How much of what one receiver asks for again it gets: on average no more than half of what it is sent anyway, and no packet twice within a round
 * trip, as then the first copy may be on its way; much less while its link is full. What it asks for beyond that costs the time to look at it, up to where the budget ends.
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

  #fill({ nowMs, sentBps, isCongested = false }: ResendSituation): void {
    const least = isCongested ? LEAST_OF_CONGESTED : LEAST_PER_SECOND
    const perSecond = Math.max((sentBps * (isCongested ? SHARE_OF_CONGESTED : SHARE)) / BITS_OF_PACKET, least)
    const elapsedMs = this.#filledAtMs === undefined ? 1_000 : Math.max(nowMs - this.#filledAtMs, 0)
    this.#filledAtMs = nowMs
    this.#packets = Math.min(this.#packets + (elapsedMs * perSecond) / 1_000, perSecond)
  }
}

const SHARE = 0.5
const SHARE_OF_CONGESTED = 0.1
const BITS_OF_PACKET = 8 * 1_200
/** For sound and small pictures: as many may be lost at once. */
const LEAST_PER_SECOND = 50
const LEAST_OF_CONGESTED = 10
const REMEMBERED = 256
const LEAST_ROUND_TRIP_MS = 20
/** What is measured contains the time in queues, which may be over. */
const MAX_ROUND_TRIP_MS = 250
/** Receivers ask again after a round trip as they measure it. */
const ON_ITS_WAY = 0.8
