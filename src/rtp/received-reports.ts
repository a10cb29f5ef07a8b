import { roundTripMs } from "./round-trip.ts"
import type { ReportBlock } from "./rtcp-report.ts"

/** One of our sources, on which a receiver reports. */
export interface ReportedSource {
  readonly ssrc: number
  readonly clockRateHz: number
}

/** What a receiver's reports (RFC 3550 section 6.4.1) say of its link. */
export class ReceivedReports {
  readonly #sources: readonly ReportedSource[]
  readonly #lost = new Map<number, number>()
  readonly #fractionLost = new Map<number, number>()
  readonly #jitterMs = new Map<number, number>()
  #roundTripMs: number | undefined
  /** The shortest ones of the present and the former span of time, so that one that does not come again is forgotten. */
  #shortest = { sinceMs: 0, present: Number.POSITIVE_INFINITY, former: Number.POSITIVE_INFINITY }

  constructor(sources: readonly ReportedSource[]) {
    this.#sources = sources
  }

  /** The last one; undefined until a report told it. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs
  }

  /** How much longer the last round trip took than the shortest one of the last minutes: packets waited somewhere. */
  get queueingMs(): number {
    const { present, former } = this.#shortest
    return this.#roundTripMs === undefined ? 0 : this.#roundTripMs - Math.min(present, former)
  }

  /** What waits now is no queue of ours: a round trip takes as long as the last one did. */
  forgetShortest(): void {
    const tripMs = this.#roundTripMs ?? Number.POSITIVE_INFINITY
    Object.assign(this.#shortest, { present: tripMs, former: tripMs })
  }

  /** Packets lost of all sources since the beginning; such as came twice count against it. */
  get lostPackets(): number {
    return [...this.#lost.values()].reduce((sum, lost) => sum + Math.max(lost, 0), 0)
  }

  /** Share of packets lost, 0 to 1, by the last reports, of the worst source; undefined before the first one. */
  get lossRatio(): number | undefined {
    return this.#fractionLost.size === 0 ? undefined : Math.max(...this.#fractionLost.values()) / 256
  }

  /** Of the worst source; undefined before the first report. */
  get jitterMs(): number | undefined {
    return this.#jitterMs.size === 0 ? undefined : Math.max(...this.#jitterMs.values())
  }

  /** Takes a block; false where it is about none of our sources, which says nothing. */
  onBlock(block: ReportBlock, unixUs: number): boolean {
    const source = this.#sources.find(({ ssrc }) => ssrc === block.ssrc)
    if (source === undefined) return false
    this.#lost.set(block.ssrc, block.cumulativeLost)
    this.#fractionLost.set(block.ssrc, block.fractionLost)
    this.#jitterMs.set(block.ssrc, Math.min((block.jitter * 1000) / source.clockRateHz, MAX_JITTER_MS))
    const tripMs = roundTripMs(block, unixUs)
    if (tripMs !== undefined) this.#onRoundTrip(tripMs, unixUs / 1000)
    return true
  }

  #onRoundTrip(tripMs: number, atMs: number): void {
    this.#roundTripMs = tripMs
    const shortest = this.#shortest
    if (atMs - shortest.sinceMs > SHORTEST_OF_MS) {
      shortest.former = shortest.present
      shortest.present = tripMs
      shortest.sinceMs = atMs
    } else shortest.present = Math.min(shortest.present, tripMs)
  }
}

const SHORTEST_OF_MS = 60_000
/** A receiver can report whatever it likes. */
const MAX_JITTER_MS = 60_000
