import type { PictureSize } from "../media/picture-size.ts"
import { parseVp9Keyframe } from "../media/vp9.ts"
import type { PictureIdFields } from "./picture-ids.ts"

/** A payload descriptor of RFC 9628 section 4.2. */
export interface Vp9Descriptor extends PictureIdFields {
  /** True for the first packet of a picture: the beginning (B) of its lowest spatial layer. */
  readonly startsPicture: boolean
  /** True where it is predicted from other pictures (P). */
  readonly isPredicted: boolean
  /** The largest picture of the scalability structure, where there is one with sizes. */
  readonly largest: PictureSize | undefined
  readonly lengthBytes: number
}

/** Reads the descriptor in front of a VP9 payload; undefined where it is cut off. */
export function parseVp9Descriptor(payload: Uint8Array): Vp9Descriptor | undefined {
  const first = payload[0] ?? 0
  const has = (bit: number) => (first & bit) !== 0
  let at = 1
  const pictureIdBytes = !has(HAS_PICTURE_ID) ? 0 : ((payload[at] ?? 0) & 0x80) === 0 ? 1 : 2
  const pictureIdAt = at
  at += pictureIdBytes
  const spatialId = has(HAS_LAYERS) ? ((payload[at++] ?? 0) >> 1) & 7 : 0
  const tl0PicIdxAt = has(HAS_LAYERS) && !has(IS_FLEXIBLE) ? at++ : undefined
  if (has(IS_FLEXIBLE) && has(IS_PREDICTED)) at = skipReferences(payload, at)
  const structure = has(HAS_STRUCTURE) ? readStructure(payload, at) : { end: at, largest: undefined }
  if (structure.end > payload.length || payload.length === 0) return undefined
  return {
    startsPicture: has(STARTS_FRAME) && spatialId === 0,
    isPredicted: has(IS_PREDICTED),
    largest: structure.largest,
    lengthBytes: structure.end,
    pictureIdAt,
    pictureIdBytes,
    tl0PicIdxAt,
  }
}

/**
 * The size of the keyframe that begins with a payload, with spatial layers that of the largest; undefined where none does. The frame's own header
 * decides, since some senders (FFmpeg) never set P.
 */
export function findVp9Keyframe(payload: Uint8Array): PictureSize | undefined {
  const descriptor = parseVp9Descriptor(payload)
  if (descriptor?.startsPicture !== true || descriptor.isPredicted) return undefined
  const size = parseVp9Keyframe(payload.subarray(descriptor.lengthBytes))
  return size === undefined ? undefined : (descriptor.largest ?? size)
}

/** Up to three differences to pictures referred to; the lowest bit (N) says that another follows. */
function skipReferences(payload: Uint8Array, from: number): number {
  let at = from
  for (let i = 0; i < 3; i++) if (((payload[at++] ?? 0) & 1) === 0) break
  return at
}

/** Scalability structure, RFC 9628 section 4.2.1; `end` lies behind the payload where it is cut off. */
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
const IS_PREDICTED = 0x40
const HAS_LAYERS = 0x20
const IS_FLEXIBLE = 0x10
const STARTS_FRAME = 0x08
const HAS_STRUCTURE = 0x02
const HAS_SIZES = 0x10
const HAS_GROUP = 0x08
