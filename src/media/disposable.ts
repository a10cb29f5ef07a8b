import { type H265Track, isFrameOf, type VideoFrame } from "./frame.ts"
import { isSliceNal } from "./h264.ts"
import { h265NalType } from "./h265.ts"

/**
 * Tells the pictures that no other one refers to, so that a decoder can do without them: nal_ref_idc 0 of H.264 (ITU-T H.264 section 7.4.1),
 * sub-layer non-reference pictures of the highest temporal layer of HEVC (ITU-T H.265 section 7.4.2.2), as far as layers were announced or seen. Of other
 * codecs none is told.
 */
export class DisposablePictures {
  #highestLayer = 0

  /** Takes the frames of a stream in decoding order. */
  isDisposable(frame: VideoFrame): boolean {
    if (isFrameOf(frame, "h264")) return isH264Disposable(frame.units)
    if (!isFrameOf(frame, "h265")) return false
    const slices = frame.units.filter((nalUnit) => h265NalType(nalUnit) < FIRST_RESERVED_VCL)
    const layer = Math.max(0, ...slices.slice(0, MAX_SLICES).map((nalUnit) => ((nalUnit[1] ?? 0) & 7) - 1))
    this.#highestLayer = Math.max(this.#highestLayer, layer, announcedLayer(frame.track))
    return slices.length > 0 && layer === this.#highestLayer && slices.every(isSubLayerNonReference)
  }
}

function isH264Disposable(units: readonly Uint8Array[]): boolean {
  let hasSlice = false
  for (const nalUnit of units) {
    if (!isSliceNal(nalUnit)) continue
    if (((nalUnit[0] ?? 0) & NAL_REF_IDC) !== 0) return false
    hasSlice = true
  }
  return hasSlice
}

/** sps_max_sub_layers_minus1: a picture of a lower layer may be referred to by one of a layer that has not been seen yet. */
function announcedLayer({ sps }: H265Track): number {
  return Math.max(0, ...sps.slice(0, MAX_SETS).map((nalUnit) => ((nalUnit[2] ?? 0) >> 1) & 7))
}

/** The even ones of the types below 16, ITU-T H.265 table 7-1. */
function isSubLayerNonReference(slice: Uint8Array): boolean {
  return h265NalType(slice) % 2 === 0
}

const NAL_REF_IDC = 0x60
/** Types from here on are keyframes or no slices. */
const FIRST_RESERVED_VCL = 16
/** All slices of a picture are in the same layer. */
const MAX_SLICES = 4
/** As many as there are ids of them. */
const MAX_SETS = 16
