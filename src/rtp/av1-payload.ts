import { OBU_TYPE, obuType, parseAv1SequenceHeader } from "../media/av1.ts"
import { readLeb128 } from "../media/av1-obu.ts"
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
  for (const obu of elementsOf(payload, elements)) {
    if (obu === undefined || obuType(obu) !== OBU_TYPE.temporalDelimiter) return obu
  }
  return undefined
}

/** A payload, section 4.4. */
export interface Av1Payload {
  /** Z: the first element goes on with the OBU that the packet before did not end. */
  readonly continuesObu: boolean
  /** Y: the last element is not the end of its OBU. */
  readonly leavesObuOpen: boolean
  /** N: a coded video sequence begins. */
  readonly startsSequence: boolean
  /** OBUs, and parts of them. */
  readonly elements: readonly Uint8Array[]
}

/** Reads a payload; undefined where it has no element, or lengths do not fit. */
export function readAv1Payload(payload: Uint8Array): Av1Payload | undefined {
  const aggregation = payload[0] ?? 0
  const count = (aggregation >> 4) & 3
  const elements: Uint8Array[] = []
  for (const element of elementsOf(payload, count)) {
    if (element === undefined) return undefined
    elements.push(element)
  }
  if (elements.length === 0 || (count > 0 && elements.length !== count)) return undefined
  return {
    continuesObu: (aggregation & CONTINUES_FRAGMENT) !== 0,
    leavesObuOpen: (aggregation & LEAVES_FRAGMENT_OPEN) !== 0,
    startsSequence: (aggregation & STARTS_SEQUENCE) !== 0,
    elements,
  }
}

/** The elements; undefined ends them where lengths do not fit. A length stands before each one; with a count not before the last one. */
function* elementsOf(payload: Uint8Array, count: number): Generator<Uint8Array | undefined, void> {
  let at = 1
  for (let i = 1; at < payload.length; i++) {
    const length = i === count ? { value: payload.length - at, bytes: 0 } : readLeb128(payload, at)
    const from = at + (length?.bytes ?? 0)
    at = from + (length?.value ?? 0)
    if (at === from || at > payload.length) return yield undefined
    yield payload.subarray(from, at)
  }
}

const CONTINUES_FRAGMENT = 0x80
const LEAVES_FRAGMENT_OPEN = 0x40
const STARTS_SEQUENCE = 0x08
