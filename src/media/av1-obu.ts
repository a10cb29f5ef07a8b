import { OBU_TYPE, obuType } from "./av1.ts"

/** Reads a number of the AV1 bitstream specification, section 4.10.5; undefined where it is cut off or longer than sizes need. */
export function readLeb128(bytes: Uint8Array, from: number): { value: number; bytes: number } | undefined {
  let value = 0
  for (let i = 0; i < MAX_LENGTH_BYTES; i++) {
    const byte = bytes[from + i]
    if (byte === undefined) return undefined
    value |= (byte & 0x7f) << (7 * i)
    if ((byte & 0x80) === 0) return { value, bytes: i + 1 }
  }
  return undefined
}

/** How many bytes `writeLeb128` takes for a number below 2^28. */
export function leb128Bytes(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  return value < 0x20_0000 ? 3 : 4
}

/** Writes a number below 2^28; returns the offset behind it. */
export function writeLeb128(bytes: Uint8Array, at: number, value: number): number {
  let left = value
  let to = at
  for (; left >= 0x80; left >>>= 7) bytes[to++] = (left & 0x7f) | 0x80
  bytes[to] = left
  return to + 1
}

/** An OBU without its size field (section 5.3.2): itself where it has none; undefined where the field does not fit. */
export function withoutObuSize(obu: Uint8Array): Uint8Array | undefined {
  const header = obu[0]
  if (header === undefined) return undefined
  if ((header & HAS_SIZE) === 0) return obu
  const headerBytes = (header & HAS_EXTENSION) === 0 ? 1 : 2
  const size = readLeb128(obu, headerBytes)
  if (size === undefined) return undefined
  const from = headerBytes + size.bytes
  if (from + size.value > obu.length) return undefined
  const plain = new Uint8Array(headerBytes + size.value)
  plain.set(obu.subarray(0, headerBytes))
  plain[0] = header & ~HAS_SIZE
  plain.set(obu.subarray(from, from + size.value), headerBytes)
  return plain
}

/**
 * True for a temporal unit at which decoding can begin: its first frame header is that of a shown keyframe (section 5.9.2), and a sequence
 * header stands before it. OBUs are without size fields.
 */
export function isAv1Keyframe(obus: readonly Uint8Array[]): boolean {
  let hasSequenceHeader = false
  for (const obu of obus) {
    const type = obuType(obu)
    if (type === OBU_TYPE.sequenceHeader) hasSequenceHeader = true
    if (type !== FRAME_HEADER && type !== FRAME) continue
    const first = obu[((obu[0] ?? 0) & HAS_EXTENSION) === 0 ? 1 : 2] ?? SHOWS_EXISTING_FRAME
    return hasSequenceHeader && (first & SHOWN_KEYFRAME_MASK) === SHOWN_KEYFRAME
  }
  return false
}

/** seq_profile of a sequence header without a size field (section 5.5.1): 0 for Main, 1 for High, 2 for Professional. */
export function av1Profile(sequenceHeader: Uint8Array): number | undefined {
  const first = sequenceHeader[((sequenceHeader[0] ?? 0) & HAS_EXTENSION) === 0 ? 1 : 2]
  return first === undefined ? undefined : first >> 5
}

const MAX_LENGTH_BYTES = 4
const HAS_EXTENSION = 0x04
const HAS_SIZE = 0x02
const FRAME_HEADER = 3
const FRAME = 6
const SHOWS_EXISTING_FRAME = 0x80
/** show_existing_frame, frame_type and show_frame; 0 is KEY_FRAME. */
const SHOWN_KEYFRAME_MASK = 0xf0
const SHOWN_KEYFRAME = 0x10
