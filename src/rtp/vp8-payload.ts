import type { PictureSize } from "../media/picture-size.ts"
import { parseVp8Keyframe } from "../media/vp8.ts"

/** The size of the keyframe that begins with a payload (RFC 7741 section 4); undefined where none does. */
export function findVp8Keyframe(payload: Uint8Array): PictureSize | undefined {
  const part = readVp8Payload(payload)
  return part?.startsFrame ? parseVp8Keyframe(part.data) : undefined
}

/**
 * Takes picture id, TL0PICIDX, TID and KEYIDX out of a payload: a copy, or the payload itself where it has none of them.
 *
 * libwebrtc decides by these numbers which picture it can decode, and they begin anywhere in each simulcast layer and after each publisher's
 * restart. Where a TL0PICIDX that it has seen comes again with older picture ids, it drops the pictures after the keyframe, and the
 * viewer's picture stands still. Without them it goes by sequence numbers, as with H.264, and those run on.
 */
export function withoutVp8PictureIds(payload: Uint8Array): Uint8Array {
  const descriptor = descriptorBytes(payload)
  if (descriptor === 1 || descriptor > payload.length) return payload
  const plain = new Uint8Array(payload.length - descriptor + 1)
  plain[0] = (payload[0] as number) & ~HAS_EXTENSIONS
  plain.set(payload.subarray(descriptor), 1)
  return plain
}

/** The part of a frame in a payload; undefined where it is cut off. `startsFrame` tells the first one. */
export function readVp8Payload(payload: Uint8Array): { startsFrame: boolean; data: Uint8Array } | undefined {
  const first = payload[0] ?? 0
  const descriptor = descriptorBytes(payload)
  if (descriptor >= payload.length) return undefined
  const startsFrame = (first & STARTS_PARTITION) !== 0 && (first & PARTITION_ID) === 0
  return { startsFrame, data: payload.subarray(descriptor) }
}

/** Length of the payload descriptor, RFC 7741 section 4.2; more than that of the payload where it is cut off. */
function descriptorBytes(payload: Uint8Array): number {
  if (((payload[0] ?? 0) & HAS_EXTENSIONS) === 0) return 1
  const extensions = payload[1] ?? 0
  let length = 2
  if ((extensions & HAS_PICTURE_ID) !== 0) length += ((payload[2] ?? 0) & IS_LONG_PICTURE_ID) === 0 ? 1 : 2
  if ((extensions & HAS_TL0PICIDX) !== 0) length++
  if ((extensions & HAS_TID_OR_KEYIDX) !== 0) length++
  return length
}

const HAS_EXTENSIONS = 0x80
const STARTS_PARTITION = 0x10
const PARTITION_ID = 0x07
const HAS_PICTURE_ID = 0x80
const IS_LONG_PICTURE_ID = 0x80
const HAS_TL0PICIDX = 0x40
const HAS_TID_OR_KEYIDX = 0x30
