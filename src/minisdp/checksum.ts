/**
 * XOR of all complete groups of four bytes in `[0, end)`, column by column; a group at the end that is not complete does not
 * count. Serves as checksum (SPEC section 6) and as key that a packet gives itself (section 9).
 */
export function columnXor(bytes: Uint8Array, end = bytes.length): Uint8Array {
  const columns = new Uint8Array(4)
  for (let i = 0; i < end - (end % 4); i++) columns[i & 3] = (columns[i & 3] as number) ^ (bytes[i] as number)
  return columns
}

/** CRC-32 of ITU V.42, unsigned, bit by bit: it runs over one packet per session. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return ~crc >>> 0
}
