import type { PictureSize } from "./picture-size.ts"
import type { Vp9Format } from "./vp9.ts"

/** The only format of VP8. */
export const VP8_FORMAT: Vp9Format = {
  profile: 0,
  bitDepth: 8,
  subsamplingX: true,
  subsamplingY: true,
  isFullRange: false,
}

/**
 * Writes a VPCodecConfigurationRecord (VP Codec ISO Media File Format Binding) behind version and flags of its box, as ffmpeg does in FLV,
 * though the specification of Enhanced RTMP does not ask for them: readers know either form. Level by the size of the picture alone;
 * colours are not specified, and 4:4:0, which the record cannot say, is 4:2:0.
 */
export function serializeVpConfig(format: Vp9Format, size: PictureSize): Uint8Array {
  const samples = (format.bitDepth << 4) | (subsamplingOf(format) << 1) | Number(format.isFullRange)
  const record = [format.profile, levelOf(size), samples, UNSPECIFIED, UNSPECIFIED, UNSPECIFIED, 0, 0]
  return Uint8Array.of(...BOX_HEADER, ...record)
}

function subsamplingOf({ subsamplingX, subsamplingY }: Vp9Format): number {
  if (!subsamplingX && !subsamplingY) return SUBSAMPLING_444
  return subsamplingY ? SUBSAMPLING_420 : SUBSAMPLING_422
}

function levelOf({ widthPx, heightPx }: PictureSize): number {
  const lumaSamples = widthPx * heightPx
  return LEVELS.find(([, maxLumaSamples]) => lumaSamples <= maxLumaSamples)?.[0] ?? 62
}

/** Version 1, no flags. */
const BOX_HEADER: readonly number[] = [1, 0, 0, 0]
/** Between luma samples in the vertical is 0, on them 1; encoders of browsers and ffmpeg say 1. */
const SUBSAMPLING_420 = 1
const SUBSAMPLING_422 = 2
const SUBSAMPLING_444 = 3
/** Colour primaries, transfer characteristics and matrix coefficients, ITU-T H.273. */
const UNSPECIFIED = 2
/** Levels of VP9 and the most luma samples of a picture in each. */
const LEVELS: readonly (readonly [level: number, maxLumaSamples: number])[] = [
  [10, 36_864],
  [11, 73_728],
  [20, 122_880],
  [21, 245_760],
  [30, 552_960],
  [31, 983_040],
  [40, 2_228_224],
  [50, 8_912_896],
  [60, 35_651_584],
]
