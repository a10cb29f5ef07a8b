import type { PictureSize } from "./picture-size.ts"

/** Reads the beginning of a keyframe (RFC 6386 section 9.1); undefined where it is another frame or cut off. */
export function parseVp8Keyframe(frame: Uint8Array): PictureSize | undefined {
  if (frame.length < KEYFRAME_HEADER_BYTES) return undefined
  const [tag = 0, , , code0, code1, code2, width0 = 0, width1 = 0, height0 = 0, height1 = 0] = frame
  const isInterFrame = (tag & 1) === 1
  if (isInterFrame || code0 !== 0x9d || code1 !== 0x01 || code2 !== 0x2a) return undefined
  // The upper two bits of each are a scale that only displays apply.
  return { widthPx: width0 | ((width1 & 0x3f) << 8), heightPx: height0 | ((height1 & 0x3f) << 8) }
}

const KEYFRAME_HEADER_BYTES = 10
