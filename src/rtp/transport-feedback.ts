import { unwrapU16 } from "../media/time.ts"
import { MAX_DELTA_TICKS, type TransportFeedback, toDeltaTicks } from "./rtcp-transport-feedback.ts"

/** What a recorder is made for. */
export interface TransportFeedbackRecorderOptions {
  /** Our SSRC in the reports. */
  readonly senderSsrc: number
  /** Time between two reports, at least. */
  readonly intervalMs?: number
}

/**
 * Notes when a publisher's packets arrive and reports it, so that the publisher can tell what the path to us takes
 * (draft-holmer-rmcat-transport-wide-cc-extensions-01). One recorder for all sources of a transport, retransmissions included. What it
 * keeps is a fixed number of arrivals: a jump by more than that in the numbering begins anew, and nothing before it is reported.
 */
export class TransportFeedbackRecorder {
  readonly #senderSsrc: number
  readonly #intervalUs: number
  /** Extended numbers and their arrivals, by the lowest bits of the number. */
  readonly #numbers = new Float64Array(KEPT_PACKETS).fill(Number.NaN)
  readonly #arrivalsUs = new Float64Array(KEPT_PACKETS)
  /** The first number of the next report and the highest that came, both extended over wraps. */
  #next = 0
  #highest: number | undefined
  #mediaSsrc = 0
  #feedbackCount = 0
  #lastReportUs: number | undefined

  constructor({ senderSsrc, intervalMs = 50 }: TransportFeedbackRecorderOptions) {
    this.#senderSsrc = senderSsrc
    this.#intervalUs = intervalMs * 1_000
  }

  /** Notes a packet by its transport-wide sequence number; `arrivalUs` may be of any clock, `mediaSsrc` is the packet's own. */
  onPacket(transportSequenceNumber: number, arrivalUs: number, mediaSsrc: number): void {
    const highest = this.#highest
    let extended = highest === undefined ? transportSequenceNumber : unwrapU16(transportSequenceNumber, highest)
    if (highest === undefined || Math.abs(extended - highest) > MAX_GAP) {
      extended = transportSequenceNumber
      this.#startOver(extended)
    }
    const slot = slotOf(extended)
    if (this.#numbers[slot] === extended) return // the first arrival counts
    this.#numbers[slot] = extended
    this.#arrivalsUs[slot] = arrivalUs
    this.#mediaSsrc = mediaSsrc
    this.#extendReport(extended)
  }

  /**
   * Returns the report that is due, undefined where there is none: nothing came, or not enough time passed on the clock of `nowUs`. What
   * does not fit into one report is due at the next call.
   */
  poll(nowUs: number): TransportFeedback | undefined {
    const highest = this.#highest
    if (highest === undefined || this.#next > highest) return undefined
    const isTooEarly = this.#lastReportUs !== undefined && nowUs - this.#lastReportUs < this.#intervalUs
    if (isTooEarly && highest - this.#next < MAX_REPORTED_PACKETS) return undefined
    const base = this.#next
    const arrivalsUs = this.#collect(base, highest)
    this.#next = base + arrivalsUs.length
    if (this.#next > highest) this.#lastReportUs = nowUs
    const feedbackCount = this.#feedbackCount
    this.#feedbackCount = (feedbackCount + 1) & 0xff
    return {
      type: "transport_feedback",
      senderSsrc: this.#senderSsrc,
      mediaSsrc: this.#mediaSsrc,
      feedbackCount,
      baseSequenceNumber: base & 0xffff,
      arrivalsUs,
    }
  }

  #startOver(extended: number): void {
    this.#numbers.fill(Number.NaN)
    this.#highest = extended
    this.#next = extended
  }

  #extendReport(extended: number): void {
    const highest = Math.max(this.#highest ?? extended, extended)
    this.#highest = highest
    // A packet that was reported as lost has come after all: the next report begins with it and repeats what followed.
    this.#next = Math.min(this.#next, extended)
    // What has been forgotten since the last poll is not reported.
    if (highest - this.#next >= KEPT_PACKETS) this.#next = highest - MAX_GAP
  }

  /** The arrivals from `base` on, as far as one report can tell. */
  #collect(base: number, highest: number): (number | undefined)[] {
    const end = Math.min(highest + 1, base + MAX_REPORTED_PACKETS)
    const arrivalsUs: (number | undefined)[] = []
    let previousTicks: number | undefined
    for (let extended = base; extended < end; extended++) {
      const slot = slotOf(extended)
      if (this.#numbers[slot] !== extended) {
        arrivalsUs.push(undefined)
        continue
      }
      const arrivalUs = this.#arrivalsUs[slot] as number
      const ticks = toDeltaTicks(arrivalUs)
      if (previousTicks !== undefined && Math.abs(ticks - previousTicks) > MAX_DELTA_TICKS) break
      previousTicks = ticks
      arrivalsUs.push(arrivalUs)
    }
    return arrivalsUs
  }
}

function slotOf(extended: number): number {
  return extended & (KEPT_PACKETS - 1)
}

/** A power of two. */
const KEPT_PACKETS = 1_024
/** With two bytes for each packet a report still fits into 1200 bytes. */
const MAX_REPORTED_PACKETS = 500
/** Fewer than a report holds, so that each report has a packet that arrived. */
const MAX_GAP = 400
