import type { BitReader } from "./bit-reader.ts"
import { type PictureSize, readBits } from "./picture-size.ts"

/** What VP9 keyframes say of their samples. */
export interface Vp9Format {
  readonly profile: 0 | 1 | 2 | 3
  readonly bitDepth: 8 | 10 | 12
  /** Half as many chroma samples as luma samples in a row, and in a column. */
  readonly subsamplingX: boolean
  readonly subsamplingY: boolean
  readonly isFullRange: boolean
}

/**
 * Reads the beginning of a keyframe, the uncompressed header of the VP9 bitstream specification (section 6.2); undefined where it is
 * another frame or cut off.
 */
export function parseVp9Keyframe(frame: Uint8Array): (PictureSize & Vp9Format) | undefined {
  return readBits(frame, (reader) => {
    if (reader.bits(2) !== FRAME_MARKER) return undefined
    const profile = (reader.bits(1) + reader.bits(1) * 2) as Vp9Format["profile"]
    if (profile === 3) reader.skip(1)
    const showsExistingFrame = reader.flag()
    const isInterFrame = reader.flag()
    if (showsExistingFrame || isInterFrame) return undefined
    reader.skip(2) // show_frame, error_resilient_mode
    if (reader.bits(24) !== SYNC_CODE) return undefined
    const bitDepth = profile < 2 ? 8 : reader.flag() ? 12 : 10
    return { profile, bitDepth, ...readColors(reader, profile), ...readSize(reader) }
  })
}

function readColors(reader: BitReader, profile: number) {
  const isRgb = reader.bits(3) === COLOR_SPACE_RGB
  const hasSubsampling = profile === 1 || profile === 3
  const isFullRange = isRgb || reader.flag()
  const subsamplingX = !isRgb && (!hasSubsampling || reader.flag())
  const subsamplingY = !isRgb && (!hasSubsampling || reader.flag())
  if (hasSubsampling) reader.skip(1)
  return { subsamplingX, subsamplingY, isFullRange }
}

function readSize(reader: BitReader): PictureSize {
  return { widthPx: reader.bits(16) + 1, heightPx: reader.bits(16) + 1 }
}

const FRAME_MARKER = 2
const SYNC_CODE = 0x498342
const COLOR_SPACE_RGB = 7
