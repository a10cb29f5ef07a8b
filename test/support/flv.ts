/** Length of the header of a file and of the size that follows it. */
export const FLV_HEADER_BYTES = 13

/** The tags of a file, without its header, moved in time. */
export function tagsLater(tags: Uint8Array, byMs: number): Uint8Array {
  const copy = Buffer.from(tags)
  for (let at = 0; at + 11 <= copy.length; at += 15 + copy.readUIntBE(at + 1, 3)) {
    const timestampMs = copy.readUIntBE(at + 4, 3) + byMs
    copy.writeUIntBE(timestampMs & 0xff_ffff, at + 4, 3)
    copy.writeUInt8(timestampMs >>> 24, at + 7)
  }
  return copy
}
