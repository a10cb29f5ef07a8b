/** An NTP timestamp as RTCP carries it: seconds since 1900 and a fraction in 1/2^32. */
export interface NtpTime {
  readonly ntpSeconds: number
  readonly ntpFraction: number
}

/** Converts to microseconds since 1900, exact to one. */
export function ntpToUs({ ntpSeconds, ntpFraction }: NtpTime): number {
  return ntpSeconds * 1_000_000 + Math.round((ntpFraction * 1_000_000) / 2 ** 32)
}

/** Converts microseconds since 1970 (as a wall clock gives them) to NTP time; seconds wrap in 2036 as RFC 5905 section 6 has it. */
export function unixUsToNtp(unixUs: number): NtpTime {
  const seconds = Math.floor(unixUs / 1_000_000)
  const fraction = Math.round(((unixUs - seconds * 1_000_000) * 2 ** 32) / 1_000_000)
  return { ntpSeconds: (seconds + SECONDS_1900_TO_1970) % 2 ** 32, ntpFraction: Math.min(fraction, 0xffffffff) }
}

/** The middle 32 bits, in 1/65536 s: what report blocks refer to a sender report by (RFC 3550 section 4). */
export function compactNtp({ ntpSeconds, ntpFraction }: NtpTime): number {
  return ((ntpSeconds << 16) | (ntpFraction >>> 16)) >>> 0
}

const SECONDS_1900_TO_1970 = 2_208_988_800
