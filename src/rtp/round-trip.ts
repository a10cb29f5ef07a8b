import { compactNtp, unixUsToNtp } from "./ntp.ts"
import type { ReportBlock } from "./rtcp-report.ts"

/**
 * Round trip time from a report block about one of our sources, RFC 3550 section 6.4.1; undefined where the receiver had
 * no sender report yet, or the numbers make no sense.
 */
export function roundTripMs(block: ReportBlock, nowUnixUs: number): number | undefined {
  if (block.lastSr === 0) return undefined
  const units = (compactNtp(unixUsToNtp(nowUnixUs)) - block.lastSr - block.delaySinceLastSr) | 0
  // Rounding of the receiver's numbers can make a short way look negative.
  return units < -MAX_ERROR_UNITS || units > MAX_UNITS ? undefined : (Math.max(units, 0) * 1000) / 65_536
}

const MAX_ERROR_UNITS = 655
const MAX_UNITS = 60 * 65_536
