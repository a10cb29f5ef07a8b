import type { PictureSize } from "../media/picture-size.ts"
import { parseVp8Keyframe } from "../media/vp8.ts"
import type { PictureIdFields } from "./picture-ids.ts"

/** A payload descriptor of RFC 7741 section 4.2. */
export interface Vp8Descriptor extends PictureIdFields {
  /** True for the first packet of a frame: the beginning (S) of partition 0. */
  readonly startsFrame: boolean
  readonly lengthBytes: number
}

/** Reads the descriptor in front of a VP8 payload; undefined where it is cut off. */
export function parseVp8Descriptor(payload: Uint8Array): Vp8Descriptor | undefined {
  const first = payload[0] ?? 0
  const extensions = (first & HAS_EXTENSIONS) === 0 ? 0 : (payload[1] ?? 0)
  let at = (first & HAS_EXTENSIONS) === 0 ? 1 : 2
  const pictureIdBytes = (extensions & HAS_PICTURE_ID) === 0 ? 0 : ((payload[at] ?? 0) & 0x80) === 0 ? 1 : 2
  const pictureIdAt = at
  at += pictureIdBytes
  const tl0PicIdxAt = (extensions & HAS_TL0PICIDX) === 0 ? undefined : at++
  if ((extensions & HAS_TID_OR_KEYIDX) !== 0) at++
  if (at > payload.length) return undefined
  const startsFrame = (first & STARTS_PARTITION) !== 0 && (first & PARTITION_ID) === 0
  return { startsFrame, lengthBytes: at, pictureIdAt, pictureIdBytes, tl0PicIdxAt }
}

/** The size of the keyframe that begins with a payload; undefined where none does. */
export function findVp8Keyframe(payload: Uint8Array): PictureSize | undefined {
  const descriptor = parseVp8Descriptor(payload)
  if (descriptor?.startsFrame !== true) return undefined
  return parseVp8Keyframe(payload.subarray(descriptor.lengthBytes))
}

const HAS_EXTENSIONS = 0x80
const STARTS_PARTITION = 0x10
const PARTITION_ID = 0x07
const HAS_PICTURE_ID = 0x80
const HAS_TL0PICIDX = 0x40
const HAS_TID_OR_KEYIDX = 0x30
