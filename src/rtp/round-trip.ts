import { compactNtp, unixUsToNtp } from "./ntp.ts"
import type { ReportBlock } from "./rtcp-report.ts"

/**
 * Round trip time from a report block about one of our sources, RFC 3550 section 6.4.1, or from the answer to our reference time, RFC 3611
 * section 4.5; undefined where the peer had no time of ours yet, or the numbers make no sense.
 */
export function roundTripMs(
  block: Pick<ReportBlock, "lastSr" | "delaySinceLastSr">,
  nowUnixUs: number,
): number | undefined {
  if (block.lastSr === 0) return undefined
  const units = (compactNtp(unixUsToNtp(nowUnixUs)) - block.lastSr - block.delaySinceLastSr) | 0
  // Rounding of the receiver's numbers can make a short way look negative.
  return units < -MAX_ERROR_UNITS || units > MAX_UNITS ? undefined : (Math.max(units, 0) * 1000) / 65_536
}

/**
 * What a receiver of media knows of its round trip time. Senders that answer a reference time tell it exactly; of others, the time from a NACK
 * to the retransmission does, the encoder's part included. A retransmission that was lost itself makes that too long, so short times weigh more.
 */
export class ReceiverRoundTrip {
  #answeredMs: number | undefined
  #repairMs: number | undefined

  /** In ms; undefined until something was learned. */
  get ms(): number | undefined {
    return this.#answeredMs ?? this.#repairMs
  }

  /** Takes the answer to a reference time. */
  onAnswer(answer: Pick<ReportBlock, "lastSr" | "delaySinceLastSr">, nowUnixUs: number): void {
    this.#answeredMs = roundTripMs(answer, nowUnixUs) ?? this.#answeredMs
  }

  /** A packet came so long after it was asked for first. */
  onRepair(durationMs: number): void {
    const repairMs = this.#repairMs ?? durationMs
    this.#repairMs = repairMs + (durationMs - repairMs) * (durationMs < repairMs ? SHORTER_GAIN : LONGER_GAIN)
  }
}

const SHORTER_GAIN = 1 / 2
const LONGER_GAIN = 1 / 16
const MAX_ERROR_UNITS = 655
const MAX_UNITS = 60 * 65_536
