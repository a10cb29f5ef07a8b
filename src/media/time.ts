/** Converts an absolute count of clock ticks to integer microseconds; always from absolute values, so errors never add up. */
export function ticksToUs(ticks: number, clockRateHz: number): number {
  return Math.round((ticks * 1_000_000) / clockRateHz)
}

/** Converts absolute microseconds to ticks of a clock, rounded; 90 kHz and 48 kHz ticks survive the way there and back. */
export function usToTicks(timeUs: number, clockRateHz: number): number {
  return Math.round((timeUs * clockRateHz) / 1_000_000)
}

/** Extends a counter that wraps at 2^32 to the value nearest to the one before it (RTP and RTMP timestamps). */
export function unwrapU32(value: number, previous: number): number {
  return previous + (((value - previous) | 0) as number)
}

/** Extends a counter that wraps at 2^16 to the value nearest to the one before it (RTP sequence numbers). */
export function unwrapU16(value: number, previous: number): number {
  return previous + (((value - previous) << 16) >> 16)
}
