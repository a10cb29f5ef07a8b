import { OBU_TYPE, obuType, parseAv1SequenceHeader } from "../media/av1.ts"
import type { KeyframeStart } from "./keyframe-header-inspector.ts"

/**
 * Tells whether a coded video sequence, and with it a keyframe, begins with a payload (AV1 RTP specification section 4.4): its N bit is set, or
 * its first OBU is a sequence header, for senders that do not set N. Undefined where none begins.
 */
export function findAv1Keyframe(payload: Uint8Array): KeyframeStart | undefined {
  const aggregation = payload[0] ?? 0
  if ((aggregation & CONTINUES_FRAGMENT) !== 0) return undefined
  const sequenceHeader = firstObu(payload, (aggregation >> 4) & 3)
  const size = sequenceHeader && parseAv1SequenceHeader(sequenceHeader)
  if (size !== undefined) return size
  const isSequenceHeader = sequenceHeader !== undefined && obuType(sequenceHeader) === OBU_TYPE.sequenceHeader
  return isSequenceHeader || (aggregation & STARTS_SEQUENCE) !== 0 ? {} : undefined
}

/** The first OBU, or the one after a temporal delimiter, which should not be there; undefined where lengths do not fit. */
function firstObu(payload: Uint8Array, elements: number): Uint8Array | undefined {
  let at = 1
  for (let i = 1; at < payload.length; i++) {
    // A length stands before each element; with a count of elements not before the last one.
    const length = i === elements ? { value: payload.length - at, bytes: 0 } : readLeb128(payload, at)
    if (length === undefined) return undefined
    const from = at + length.bytes
    at = from + length.value
    if (length.value === 0 || at > payload.length) return undefined
    const obu = payload.subarray(from, at)
    if (obuType(obu) !== OBU_TYPE.temporalDelimiter) return obu
  }
  return undefined
}

/** AV1 bitstream specification section 4.10.5; undefined where it is longer than the sizes of packets need. */
function readLeb128(bytes: Uint8Array, from: number): { value: number; bytes: number } | undefined {
  let value = 0
  for (let i = 0; i < MAX_LENGTH_BYTES; i++) {
    const byte = bytes[from + i] ?? 0x80
    value |= (byte & 0x7f) << (7 * i)
    if ((byte & 0x80) === 0) return { value, bytes: i + 1 }
  }
  return undefined
}

const CONTINUES_FRAGMENT = 0x80
const STARTS_SEQUENCE = 0x08
const MAX_LENGTH_BYTES = 4
