import type { PictureSize } from "../media/picture-size.ts"
import { parseVp9Keyframe } from "../media/vp9.ts"

/** A payload descriptor of RFC 9628 section 4.2, as far as it is needed here. */
export interface Vp9Descriptor {
  /** The spatial layer; 0 for the lowest one, and where there are none. */
  readonly spatialId: number
  /** True for the first packet of a layer's frame (B) and for the last one (E). */
  readonly startsFrame: boolean
  readonly endsFrame: boolean
  /** True where it is predicted from other pictures (P). */
  readonly isPredicted: boolean
  /** The largest picture of the scalability structure, where there is one with sizes. */
  readonly largest: PictureSize | undefined
  /** More than the payload has where it is cut off. */
  readonly lengthBytes: number
}

/**
 * The size of the keyframe that begins with a payload (RFC 9628), with spatial layers that of the largest; undefined where none does. The
 * frame's own header has the last word, since some senders (FFmpeg) never set P.
 */
export function findVp9Keyframe(payload: Uint8Array): PictureSize | undefined {
  const { spatialId, startsFrame, isPredicted, largest, lengthBytes } = readVp9Descriptor(payload)
  if (!startsFrame || spatialId !== 0 || isPredicted) return undefined
  const size = parseVp9Keyframe(payload.subarray(lengthBytes))
  return size === undefined ? undefined : (largest ?? size)
}

/** Reads the payload descriptor; whatever bytes come, it gives one. */
export function readVp9Descriptor(payload: Uint8Array): Vp9Descriptor {
  const first = payload[0] ?? 0
  const has = (bit: number) => (first & bit) !== 0
  let at = 1
  if (has(HAS_PICTURE_ID)) at += ((payload[at] ?? 0) & IS_LONG_PICTURE_ID) === 0 ? 1 : 2
  const spatialId = has(HAS_LAYERS) ? ((payload[at++] ?? 0) >> 1) & 7 : 0
  if (has(HAS_LAYERS) && !has(IS_FLEXIBLE)) at++ // TL0PICIDX
  if (has(IS_FLEXIBLE) && has(IS_PREDICTED)) at = skipReferences(payload, at)
  const structure = has(HAS_STRUCTURE) ? readStructure(payload, at) : { end: at, largest: undefined }
  return {
    spatialId,
    startsFrame: has(STARTS_FRAME),
    endsFrame: has(ENDS_FRAME),
    isPredicted: has(IS_PREDICTED),
    largest: structure.largest,
    lengthBytes: structure.end,
  }
}

/** Up to three differences to pictures referred to; the lowest bit (N) says that another follows. */
function skipReferences(payload: Uint8Array, from: number): number {
  let at = from
  for (let i = 0; i < 3; i++) if (((payload[at++] ?? 0) & 1) === 0) break
  return at
}

/** Scalability structure, RFC 9628 section 4.2.1. */
function readStructure(payload: Uint8Array, from: number): { end: number; largest: PictureSize | undefined } {
  const first = payload[from] ?? 0
  const layers = (first >> 5) + 1
  let at = from + 1
  let largest: PictureSize | undefined
  if ((first & HAS_SIZES) !== 0) {
    for (let i = 0; i < layers; i++, at += 4) {
      const widthPx = ((payload[at] ?? 0) << 8) | (payload[at + 1] ?? 0)
      const heightPx = ((payload[at + 2] ?? 0) << 8) | (payload[at + 3] ?? 0)
      const isLarger = widthPx * heightPx > (largest === undefined ? 0 : largest.widthPx * largest.heightPx)
      if (isLarger) largest = { widthPx, heightPx }
    }
  }
  if ((first & HAS_GROUP) !== 0) {
    const pictures = payload[at++] ?? 0
    for (let i = 0; i < pictures; i++) at += 1 + (((payload[at] ?? 0) >> 2) & 3)
  }
  return { end: at, largest }
}

const HAS_PICTURE_ID = 0x80
const IS_LONG_PICTURE_ID = 0x80
const IS_PREDICTED = 0x40
const HAS_LAYERS = 0x20
const IS_FLEXIBLE = 0x10
const STARTS_FRAME = 0x08
const ENDS_FRAME = 0x04
const HAS_STRUCTURE = 0x02
const HAS_SIZES = 0x10
const HAS_GROUP = 0x08
