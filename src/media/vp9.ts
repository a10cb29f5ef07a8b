import { type PictureSize, readBits } from "./picture-size.ts"

/**
 * Reads the beginning of a keyframe, the uncompressed header of the VP9 bitstream specification (section 6.2); undefined where it is
 * another frame or cut off.
 */
export function parseVp9Keyframe(frame: Uint8Array): PictureSize | undefined {
  return readBits(frame, (reader) => {
    if (reader.bits(2) !== FRAME_MARKER) return undefined
    const profile = reader.bits(1) + reader.bits(1) * 2
    if (profile === 3) reader.skip(1)
    const showsExistingFrame = reader.flag()
    const isInterFrame = reader.flag()
    if (showsExistingFrame || isInterFrame) return undefined
    reader.skip(2) // show_frame, error_resilient_mode
    if (reader.bits(24) !== SYNC_CODE) return undefined
    if (profile >= 2) reader.skip(1) // ten_or_twelve_bit
    const isRgb = reader.bits(3) === COLOR_SPACE_RGB
    const hasSubsampling = profile === 1 || profile === 3
    if (!isRgb)
      reader.skip(hasSubsampling ? 4 : 1) // color_range, subsampling
    else if (hasSubsampling) reader.skip(1)
    return { widthPx: reader.bits(16) + 1, heightPx: reader.bits(16) + 1 }
  })
}

const FRAME_MARKER = 2
const SYNC_CODE = 0x498342
const COLOR_SPACE_RGB = 7
