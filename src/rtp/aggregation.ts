/** The NAL units of an aggregation packet from an offset on, each behind its length in two bytes (RFC 6184 section 5.7.1, RFC 7798 section 4.4.2); damage ends the list. */
export function readAggregated(payload: Uint8Array, from: number): Uint8Array[] {
  const nalUnits: Uint8Array[] = []
  for (let at = from; at + 2 < payload.length; ) {
    const length = ((payload[at] as number) << 8) | (payload[at + 1] as number)
    if (length === 0 || length > payload.length - at - 2) break
    nalUnits.push(payload.subarray(at + 2, at + 2 + length))
    at += 2 + length
  }
  return nalUnits
}
