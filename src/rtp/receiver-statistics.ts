import { unwrapU16 } from "../media/time.ts"
import { compactNtp, type NtpTime } from "./ntp.ts"
import type { ReportBlock } from "./rtcp-report.ts"

/** Counts what came in with one SSRC and makes its report blocks, RFC 3550 section 6.4.1 and appendices A.3 and A.8. */
export class ReceiverStatistics {
  readonly ssrc: number
  readonly #clockRateHz: number
  #first = 0
  #highest: number | undefined
  #received = 0
  #expectedBefore = 0
  #receivedBefore = 0
  #jitterTicks = 0
  #lastTransitTicks: number | undefined
  #lastTimestamp: number | undefined
  #lastSr: { readonly compact: number; readonly arrivalUs: number } | undefined

  constructor(ssrc: number, clockRateHz: number) {
    this.ssrc = ssrc
    this.#clockRateHz = clockRateHz
  }

  /** Interarrival jitter in ticks. */
  get jitterTicks(): number {
    return this.#jitterTicks
  }

  /** Packets that came, duplicates included. */
  get receivedPackets(): number {
    return this.#received
  }

  /** Packets lost since the beginning; duplicates count against it. */
  get lostPackets(): number {
    return this.#expected() - this.#received
  }

  /** Counts a packet; not for retransmissions with an SSRC of their own. */
  onPacket(sequenceNumber: number, timestamp: number, arrivalUs: number): void {
    if (this.#highest === undefined) {
      this.#first = sequenceNumber
      this.#highest = sequenceNumber
    }
    const extended = unwrapU16(sequenceNumber, this.#highest)
    if (Math.abs(extended - this.#highest) > MAX_DROPOUT) this.#startOver(sequenceNumber)
    else this.#highest = Math.max(this.#highest, extended)
    this.#received++
    // All packets of a frame share a timestamp but leave one after another: only the first one tells of the network.
    if (timestamp !== this.#lastTimestamp) this.#noteTransit(timestamp, arrivalUs)
    this.#lastTimestamp = timestamp
  }

  /** Notes the sender's report that the next blocks refer to. */
  onSenderReport(time: NtpTime, arrivalUs: number): void {
    this.#lastSr = { compact: compactNtp(time), arrivalUs }
  }

  /** Makes a report block over what came since the last one; undefined before the first packet. */
  report(nowUs: number): ReportBlock | undefined {
    if (this.#highest === undefined) return undefined
    const expected = this.#expected()
    const expectedNow = expected - this.#expectedBefore
    const lostNow = expectedNow - (this.#received - this.#receivedBefore)
    this.#expectedBefore = expected
    this.#receivedBefore = this.#received
    const sinceSrUs = this.#lastSr === undefined ? 0 : Math.max(nowUs - this.#lastSr.arrivalUs, 0)
    return {
      ssrc: this.ssrc,
      fractionLost: lostNow <= 0 ? 0 : Math.min(Math.floor((lostNow * 256) / expectedNow), 255),
      cumulativeLost: Math.min(Math.max(expected - this.#received, -0x800000), 0x7fffff),
      extendedHighestSequenceNumber: this.#highest >>> 0,
      jitter: Math.floor(this.#jitterTicks),
      lastSr: this.#lastSr?.compact ?? 0,
      delaySinceLastSr: Math.min(Math.round((sinceSrUs * 65_536) / 1_000_000), 0xffffffff),
    }
  }

  #expected(): number {
    return this.#highest === undefined ? 0 : this.#highest - this.#first + 1
  }

  #startOver(sequenceNumber: number): void {
    this.#first = sequenceNumber
    this.#highest = sequenceNumber
    this.#received = 0
    this.#expectedBefore = 0
    this.#receivedBefore = 0
    this.#lastTransitTicks = undefined
  }

  #noteTransit(timestamp: number, arrivalUs: number): void {
    const arrivalTicks = Math.round((arrivalUs * this.#clockRateHz) / 1_000_000)
    const transitTicks = (arrivalTicks - timestamp) | 0
    if (this.#lastTransitTicks !== undefined) {
      const difference = Math.abs((transitTicks - this.#lastTransitTicks) | 0)
      // A jump of the sender's clock is no jitter of the network.
      if (difference < this.#clockRateHz * MAX_JITTER_S) this.#jitterTicks += (difference - this.#jitterTicks) / 16
    }
    this.#lastTransitTicks = transitTicks
  }
}

const MAX_DROPOUT = 3_000
const MAX_JITTER_S = 5
