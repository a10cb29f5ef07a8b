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
  accessUnitDelimiter: 35,
  endOfSequence: 36,
  endOfBitstream: 37,
  filler: 38,
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
  /** general_profile_idc: 1 for Main, 2 for Main 10. */
  readonly profileIdc: number
  /** chroma_format_idc: 0 for grey, 1 for 4:2:0, 2 for 4:2:2, 3 for 4:4:4. */
  readonly chromaFormat: number
  readonly bitDepthLuma: number
  readonly bitDepthChroma: number
  /** sps_max_num_reorder_pics of the whole stream: how many pictures a decoder holds back. */
  readonly maxReorderFrames: number
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
  const profileIdc = readProfileTierLevel(reader, maxSubLayersMinus1)
  const spsId = reader.ue()
  const chromaFormat = reader.ue()
  if (chromaFormat === 3) reader.skip(1) // separate_colour_plane_flag
  const codedWidthPx = reader.ue()
  const codedHeightPx = reader.ue()
  const [left, right, top, bottom] = reader.flag() ? [reader.ue(), reader.ue(), reader.ue(), reader.ue()] : [0, 0, 0, 0]
  const cropX = chromaFormat === 1 || chromaFormat === 2 ? 2 : 1
  const cropY = chromaFormat === 1 ? 2 : 1
  const bitDepthLuma = reader.ue() + 8
  const bitDepthChroma = reader.ue() + 8
  reader.ue() // log2_max_pic_order_cnt_lsb_minus4
  return {
    spsId,
    profileIdc,
    chromaFormat,
    bitDepthLuma,
    bitDepthChroma,
    maxReorderFrames: readReorderFrames(reader, maxSubLayersMinus1),
    widthPx: codedWidthPx - (left + right) * cropX,
    heightPx: codedHeightPx - (top + bottom) * cropY,
  }
}

/** The ordering information of the highest temporal layer, which stands last; without one for each there is one for all. */
function readReorderFrames(reader: BitReader, maxSubLayersMinus1: number): number {
  const count = reader.flag() ? maxSubLayersMinus1 + 1 : 1
  let maxReorderFrames = 0
  for (let i = 0; i < count; i++) {
    reader.ue() // sps_max_dec_pic_buffering_minus1
    maxReorderFrames = reader.ue()
    reader.ue() // sps_max_latency_increase_plus1
  }
  return maxReorderFrames
}

/** Returns general_profile_idc; ITU-T H.265 section 7.3.3. */
function readProfileTierLevel(reader: BitReader, maxSubLayersMinus1: number): number {
  reader.skip(3) // general_profile_space, general_tier_flag
  const profileIdc = reader.bits(5)
  reader.skip(PROFILE_BITS - 8 + LEVEL_BITS)
  let subLayerBits = 0
  for (let i = 0; i < maxSubLayersMinus1; i++) {
    if (reader.flag()) subLayerBits += PROFILE_BITS
    if (reader.flag()) subLayerBits += LEVEL_BITS
  }
  if (maxSubLayersMinus1 > 0) reader.skip((8 - maxSubLayersMinus1) * 2) // reserved_zero_2bits
  reader.skip(subLayerBits)
  return profileIdc
}

function isSane({ spsId, widthPx, heightPx, maxReorderFrames, ...samples }: H265SpsFacts): boolean {
  const { chromaFormat, bitDepthLuma, bitDepthChroma } = samples
  if (chromaFormat > 3 || bitDepthLuma > MAX_BIT_DEPTH || bitDepthChroma > MAX_BIT_DEPTH) return false
  const hasSaneSize = widthPx > 0 && heightPx > 0 && widthPx <= MAX_SIDE_PX && heightPx <= MAX_SIDE_PX
  return spsId <= MAX_SPS_ID && hasSaneSize && maxReorderFrames < MAX_PICTURES
}

const NAL_HEADER_BYTES = 2
/** Enough for an exponential Golomb code of any sane value, and an emulation prevention byte. */
const ID_BYTES = 16
const PROFILE_BITS = 88
const LEVEL_BITS = 8
const MAX_SPS_ID = 15
const MAX_PPS_ID = 63
const MAX_SIDE_PX = 16_384
const MAX_BIT_DEPTH = 15
/** The decoded picture buffer holds no more, ITU-T H.265 section A.4.2. */
const MAX_PICTURES = 16
