import type { BitReader } from "./bit-reader.ts"
import { unescapeRbsp } from "./h264.ts"
import { type PictureSize, readBits } from "./picture-size.ts"

/** NAL unit types, ITU-T H.265 table 7-1. */
export const H265_NAL_TYPE = {
  /** The first one of the pictures at which decoding can begin (IRAP): BLA, IDR and CRA. */
  blaWLp: 16,
  idrWRadl: 19,
  craNut: 21,
  vps: 32,
  sps: 33,
  pps: 34,
} as const

/** Type of a NAL unit, 0 (a slice that starts nothing) for an empty one. */
export function h265NalType(nalUnit: Uint8Array): number {
  return ((nalUnit[0] ?? 0) >> 1) & 0x3f
}

/** True for the NAL unit types of BLA, IDR and CRA pictures, ITU-T H.265 section 3 (IRAP), without the reserved ones. */
export function isH265KeyframeType(type: number): boolean {
  return type >= H265_NAL_TYPE.blaWLp && type <= H265_NAL_TYPE.craNut
}

/** What a sequence parameter set says. */
export interface H265SpsFacts extends PictureSize {
  readonly spsId: number
}

/** Reads a sequence parameter set, NAL header included (ITU-T H.265 section 7.3.2.2); undefined where it is none or damaged. */
export function parseH265Sps(nalUnit: Uint8Array): H265SpsFacts | undefined {
  if (!isSetOf(nalUnit, H265_NAL_TYPE.sps)) return undefined
  const facts = readBits(unescapeRbsp(nalUnit.subarray(NAL_HEADER_BYTES)), readSps)
  return facts !== undefined && isSane(facts) ? facts : undefined
}

/** Reads the id of a VPS, SPS or PPS of the base layer; undefined where it is none of them or damaged. */
export function parseH265SetId(nalUnit: Uint8Array): number | undefined {
  if (isSetOf(nalUnit, H265_NAL_TYPE.sps)) return parseH265Sps(nalUnit)?.spsId
  const start = nalUnit.subarray(NAL_HEADER_BYTES, NAL_HEADER_BYTES + ID_BYTES)
  if (isSetOf(nalUnit, H265_NAL_TYPE.vps)) return readBits(start, (reader) => reader.bits(4))
  if (!isSetOf(nalUnit, H265_NAL_TYPE.pps)) return undefined
  const ppsId = readBits(unescapeRbsp(start), (reader) => reader.ue())
  return ppsId !== undefined && ppsId <= MAX_PPS_ID ? ppsId : undefined
}

/** Sets of other layers than the base one have ids of their own. */
function isSetOf(nalUnit: Uint8Array, type: number): boolean {
  const [first = 0, second = 0] = nalUnit
  return (first & 0xfe) === type << 1 && (first & 1) === 0 && second >> 3 === 0 && (second & 7) !== 0
}

function readSps(reader: BitReader): H265SpsFacts {
  reader.skip(4) // sps_video_parameter_set_id
  const maxSubLayersMinus1 = reader.bits(3)
  reader.skip(1) // sps_temporal_id_nesting_flag
  skipProfileTierLevel(reader, maxSubLayersMinus1)
  const spsId = reader.ue()
  const chromaFormat = reader.ue()
  if (chromaFormat === 3) reader.skip(1) // separate_colour_plane_flag
  const codedWidthPx = reader.ue()
  const codedHeightPx = reader.ue()
  const [left, right, top, bottom] = reader.flag() ? [reader.ue(), reader.ue(), reader.ue(), reader.ue()] : [0, 0, 0, 0]
  const cropX = chromaFormat === 1 || chromaFormat === 2 ? 2 : 1
  const cropY = chromaFormat === 1 ? 2 : 1
  return {
    spsId,
    widthPx: codedWidthPx - (left + right) * cropX,
    heightPx: codedHeightPx - (top + bottom) * cropY,
  }
}

/** ITU-T H.265 section 7.3.3. */
function skipProfileTierLevel(reader: BitReader, maxSubLayersMinus1: number): void {
  reader.skip(PROFILE_BITS + LEVEL_BITS)
  let subLayerBits = 0
  for (let i = 0; i < maxSubLayersMinus1; i++) {
    if (reader.flag()) subLayerBits += PROFILE_BITS
    if (reader.flag()) subLayerBits += LEVEL_BITS
  }
  if (maxSubLayersMinus1 > 0) reader.skip((8 - maxSubLayersMinus1) * 2) // reserved_zero_2bits
  reader.skip(subLayerBits)
}

function isSane({ spsId, widthPx, heightPx }: H265SpsFacts): boolean {
  return spsId <= MAX_SPS_ID && widthPx > 0 && heightPx > 0 && widthPx <= MAX_SIDE_PX && heightPx <= MAX_SIDE_PX
}

const NAL_HEADER_BYTES = 2
/** Enough for an exponential Golomb code of any sane value, and an emulation prevention byte. */
const ID_BYTES = 16
const PROFILE_BITS = 88
const LEVEL_BITS = 8
const MAX_SPS_ID = 15
const MAX_PPS_ID = 63
const MAX_SIDE_PX = 16_384
