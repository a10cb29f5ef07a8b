/**
 * Whether a player shows pictures in their order where they come in decoding order (B-frames), by the `User-Agent` of its offer. WebKit's
 * decoders for WebRTC, on iOS those of all browsers, do not hold pictures back (WebKit pull request 24351); all others are taken to do it, as
 * Chromium does.
 */
export function reordersPictures(userAgent: string | undefined): boolean {
  if (userAgent === undefined || !userAgent.includes("AppleWebKit/")) return true
  return /Chrom(e|ium)\//.test(userAgent)
}
