/**
 * Colours and light of a video as a publisher describes them beside it, Enhanced RTMP v2 "Metadata Frame" (`colorInfo`). Nothing
 * here interprets the numbers; they go on as they came. Groups and numbers that did not come are left out.
 */
export type ColorInfo = {
  readonly [Group in keyof typeof COLOR_INFO_FIELDS]?: {
    readonly [Field in (typeof COLOR_INFO_FIELDS)[Group][number]]?: number
  }
}

/** The groups of `ColorInfo`, and the numbers in each. */
export const COLOR_INFO_FIELDS = {
  colorConfig: ["bitDepth", "colorPrimaries", "transferCharacteristics", "matrixCoefficients"],
  hdrCll: ["maxFall", "maxCLL"],
  hdrMdcv: [
    "redX",
    "redY",
    "greenX",
    "greenY",
    "blueX",
    "blueY",
    "whitePointX",
    "whitePointY",
    "maxLuminance",
    "minLuminance",
  ],
} as const
