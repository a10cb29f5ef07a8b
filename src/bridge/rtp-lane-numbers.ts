import { unwrapU16 } from "../media/time.ts"

/** Where a source's packet stands in its numbering. */
export interface SourcePlace {
  /** The source's number, extended over its wraps. */
  readonly extended: number
  /** True where no later packet has come yet. */
  readonly isNewest: boolean
}

/**
 * Maps the sequence numbers of one source after another onto a single numbering without gaps of its own making. A shift holds from a source
 * number on; packets that come late from before it keep the one before, so that no number is given twice.
 */
export class LaneNumbers {
  /** Shifts by the extended source number from which they hold, rising. */
  #shifts: { from: number; shift: number }[] = []
  #newest: number | undefined
  #nextLaneNumber: number
  #suspect: number | undefined
  /** Extended numbers of packets that have come, by their lowest bits. */
  readonly #seen = new Float64Array(SEEN_PACKETS)

  /** `firstNumber` is the lane's number of the first packet. */
  constructor(firstNumber: number) {
    this.#nextLaneNumber = firstNumber
  }

  /** The packet with this number is the first one of another source. */
  startSource(sequenceNumber: number): void {
    this.#newest = undefined
    this.#suspect = undefined
    this.#seen.fill(Number.NaN)
    this.#shifts = [{ from: sequenceNumber, shift: this.#nextLaneNumber - sequenceNumber }]
  }

  /**
   * Finds the place of a packet and notes it as seen; undefined where it is from before the source's start, outside its
   * numbering, or was seen before: a number must not be given twice, since viewers' packets are encrypted by it.
   */
  place(sequenceNumber: number): SourcePlace | undefined {
    const newest = this.#newest
    let extended = newest === undefined ? sequenceNumber : unwrapU16(sequenceNumber, newest)
    if (newest !== undefined && Math.abs(extended - newest) > MAX_JUMP) {
      const isConfirmed = this.#suspect === sequenceNumber
      this.#suspect = (sequenceNumber + 1) & 0xffff
      if (!isConfirmed) return undefined
      // The source numbers anew. One number is left out, so that receivers notice that something may be missing.
      this.#nextLaneNumber++
      this.startSource(sequenceNumber)
      extended = sequenceNumber
    }
    const isNewest = this.#newest === undefined || extended > this.#newest
    if (extended < (this.#shifts[0]?.from ?? extended)) return undefined
    const slot = ((extended % SEEN_PACKETS) + SEEN_PACKETS) % SEEN_PACKETS
    if ((this.#seen[slot] as number) >= extended) return undefined // or so old that it cannot be told
    this.#seen[slot] = extended
    if (isNewest) {
      this.#newest = extended
      this.#nextLaneNumber = extended + this.#shiftAt(extended) + 1
    }
    return { extended, isNewest }
  }

  /** The lane's number of a placed packet, 16 bits. */
  numberOf({ extended }: SourcePlace): number {
    return (extended + this.#shiftAt(extended)) & 0xffff
  }

  /** Makes room for one packet in front of the newest one and returns its number. */
  insertBefore(place: SourcePlace): number {
    const shift = this.#shiftAt(place.extended)
    const last = this.#shifts.at(-1)
    if (last?.from === place.extended) this.#shifts.pop()
    this.#shifts.push({ from: place.extended, shift: shift + 1 })
    this.#nextLaneNumber = place.extended + shift + 2
    // Packets older than that are dropped for being older than the source's first one.
    if (this.#shifts.length > MAX_SHIFTS) this.#shifts.shift()
    return (place.extended + shift) & 0xffff
  }

  #shiftAt(extended: number): number {
    for (let i = this.#shifts.length - 1; i > 0; i--) {
      const entry = this.#shifts[i] as { from: number; shift: number }
      if (entry.from <= extended) return entry.shift
    }
    return this.#shifts[0]?.shift ?? 0
  }
}

/** Further is neither loss nor reordering (RFC 3550 appendix A.1). */
const MAX_JUMP = 3_000
/** More than `MAX_JUMP`, so that all packets within the numbering can be told apart. */
const SEEN_PACKETS = 4_096
const MAX_SHIFTS = 32
