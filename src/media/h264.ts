import { GatewayError } from "../errors.ts"
import { BitReader } from "./bit-reader.ts"
import { ByteReader, ByteWriter } from "./bytes.ts"

/** NAL unit types, ITU-T H.264 table 7-1. */
export const NAL_TYPE = {
  slice: 1,
  sliceDataPartitionA: 2,
  idrSlice: 5,
  sei: 6,
  sps: 7,
  pps: 8,
  accessUnitDelimiter: 9,
  endOfSequence: 10,
  endOfStream: 11,
  filler: 12,
} as const

/** Type of a NAL unit, 0 for an empty one. */
export function nalType(nalUnit: Uint8Array): number {
  return (nalUnit[0] ?? 0) & 0x1f
}

/** True for NAL units that hold picture data (types 1 to 5). */
export function isSliceNal(nalUnit: Uint8Array): boolean {
  const type = nalType(nalUnit)
  return type >= NAL_TYPE.slice && type <= NAL_TYPE.idrSlice
}

/** What a sequence parameter set says. */
export interface SpsFacts {
  readonly spsId: number
  readonly profileIdc: number
  /** The byte of constraint_set flags. */
  readonly constraintFlags: number
  readonly levelIdc: number
  /** After cropping. */
  readonly widthPx: number
  readonly heightPx: number
  /** VUI max_num_reorder_frames; undefined where the stream does not say. 0 means no B-frames. */
  readonly maxReorderFrames: number | undefined
}

/** Reads a sequence parameter set, NAL header included (ITU-T H.264 section 7.3.2.1). Throws `media.h264`. */
export function parseSps(nalUnit: Uint8Array): SpsFacts {
  if (nalType(nalUnit) !== NAL_TYPE.sps) throw new GatewayError("media.h264", "not a sequence parameter set")
  return explained("sequence parameter set", () => readSps(new BitReader(unescapeRbsp(nalUnit.subarray(1)))))
}

/** Reads pic_parameter_set_id and seq_parameter_set_id of a picture parameter set. Throws `media.h264`. */
export function parsePpsIds(nalUnit: Uint8Array): { readonly ppsId: number; readonly spsId: number } {
  if (nalType(nalUnit) !== NAL_TYPE.pps) throw new GatewayError("media.h264", "not a picture parameter set")
  return explained("picture parameter set", () => {
    const reader = new BitReader(unescapeRbsp(nalUnit.subarray(1, 1 + ID_BYTES)))
    return { ppsId: reader.ue(), spsId: reader.ue() }
  })
}

/** Slice type of a slice NAL unit, ITU-T H.264 table 7-6; undefined for other NAL units and cut-off ones. */
export function sliceType(nalUnit: Uint8Array): "P" | "B" | "I" | "SP" | "SI" | undefined {
  const type = nalType(nalUnit)
  if (type !== NAL_TYPE.slice && type !== NAL_TYPE.idrSlice && type !== NAL_TYPE.sliceDataPartitionA) return undefined
  try {
    const reader = new BitReader(unescapeRbsp(nalUnit.subarray(1, 1 + ID_BYTES)))
    reader.ue() // first_mb_in_slice
    return SLICE_TYPES[reader.ue() % 5]
  } catch (error) {
    if (error instanceof GatewayError) return undefined
    throw error
  }
}

/** What an AVCDecoderConfigurationRecord holds; the profile and level bytes are those of the first SPS. */
export interface AvcConfig {
  readonly sps: readonly Uint8Array[]
  readonly pps: readonly Uint8Array[]
  /** Bytes of the length in front of each NAL unit: 1, 2 or 4. */
  readonly nalLengthBytes: number
}

/**
 * Reads an AVCDecoderConfigurationRecord, ISO/IEC 14496-15 section 5.3.3.1.2. The NAL units borrow from the input.
 *
 * Throws `media.h264` where it is cut off, has no SPS or PPS, or holds other NAL units.
 */
export function parseAvcConfig(record: Uint8Array): AvcConfig {
  return explained("AVC decoder configuration", () => {
    const reader = new ByteReader(record)
    const version = reader.u8()
    if (version !== 1) throw new GatewayError("media.h264", `AVC decoder configuration version ${version}`)
    reader.skip(3)
    const nalLengthBytes = (reader.u8() & 3) + 1
    if (nalLengthBytes === 3) throw new GatewayError("media.h264", "NAL unit lengths of 3 bytes")
    const sps = readParameterSets(reader, reader.u8() & 0x1f, NAL_TYPE.sps)
    const pps = readParameterSets(reader, reader.u8(), NAL_TYPE.pps)
    if (sps.length === 0 || pps.length === 0) throw new GatewayError("media.h264", "no SPS or no PPS")
    return { sps, pps, nalLengthBytes }
  })
}

/** Writes an AVCDecoderConfigurationRecord with NAL unit lengths of 4 bytes. Throws `media.h264` for a broken SPS. */
export function serializeAvcConfig(sps: readonly Uint8Array[], pps: readonly Uint8Array[]): Uint8Array {
  const first = sps[0]
  if (first === undefined || first.length < 4) throw new GatewayError("media.h264", "no usable SPS")
  const profileIdc = first[1] as number
  const writer = new ByteWriter()
  writer
    .u8(1)
    .bytes(first.subarray(1, 4))
    .u8(0xfc | 3)
  writer.u8(0xe0 | sps.length)
  for (const unit of sps) writer.u16(unit.length).bytes(unit)
  writer.u8(pps.length)
  for (const unit of pps) writer.u16(unit.length).bytes(unit)
  if (!PLAIN_PROFILES.has(profileIdc)) writer.bytes(highProfileFields(first))
  return writer.finish()
}

/** Takes the emulation prevention bytes out, ITU-T H.264 section 7.4.1; returns the input itself if there are none. */
export function unescapeRbsp(payload: Uint8Array): Uint8Array {
  let at = payload.indexOf(3)
  while (at >= 0 && !isEmulationPrevention(payload, at)) at = payload.indexOf(3, at + 1)
  if (at < 0) return payload
  const unescaped = new Uint8Array(payload.length)
  let from = 0
  let length = 0
  while (at >= 0) {
    unescaped.set(payload.subarray(from, at), length)
    length += at - from
    from = at + 1
    at = payload.indexOf(3, from)
    while (at >= 0 && !isEmulationPrevention(payload, at)) at = payload.indexOf(3, at + 1)
  }
  unescaped.set(payload.subarray(from), length)
  return unescaped.subarray(0, length + payload.length - from)
}

function isEmulationPrevention(payload: Uint8Array, at: number): boolean {
  return at >= 2 && payload[at - 1] === 0 && payload[at - 2] === 0
}

function readSps(reader: BitReader): SpsFacts {
  const profileIdc = reader.bits(8)
  const constraintFlags = reader.bits(8)
  const levelIdc = reader.bits(8)
  const spsId = reader.ue()
  const chromaFormat = CHROMA_PROFILES.has(profileIdc) ? readChromaFormat(reader).chromaFormat : 1
  reader.ue() // log2_max_frame_num_minus4
  skipPictureOrderCount(reader)
  reader.ue() // max_num_ref_frames
  reader.skip(1) // gaps_in_frame_num_value_allowed_flag
  const widthMbs = reader.ue() + 1
  const heightMapUnits = reader.ue() + 1
  const frameMbsOnly = reader.bits(1)
  if (frameMbsOnly === 0) reader.skip(1)
  reader.skip(1) // direct_8x8_inference_flag
  const [left, right, top, bottom] = reader.flag() ? [reader.ue(), reader.ue(), reader.ue(), reader.ue()] : [0, 0, 0, 0]
  const cropX = chromaFormat === 1 || chromaFormat === 2 ? 2 : 1
  const cropY = (chromaFormat === 1 ? 2 : 1) * (2 - frameMbsOnly)
  const widthPx = widthMbs * 16 - (left + right) * cropX
  const heightPx = heightMapUnits * 16 * (2 - frameMbsOnly) - (top + bottom) * cropY
  if (spsId > 31 || widthPx < 1 || heightPx < 1 || widthPx > MAX_SIDE_PX || heightPx > MAX_SIDE_PX) {
    throw new GatewayError("media.h264", `SPS ${spsId} with a picture of ${widthPx}x${heightPx}`)
  }
  const maxReorderFrames = reader.flag() ? readReorderFrames(reader) : undefined
  return { spsId, profileIdc, constraintFlags, levelIdc, widthPx, heightPx, maxReorderFrames }
}

function readChromaFormat(reader: BitReader) {
  const chromaFormat = reader.ue()
  if (chromaFormat === 3) reader.skip(1) // separate_colour_plane_flag
  const bitDepthLuma = reader.ue() + 8
  const bitDepthChroma = reader.ue() + 8
  reader.skip(1) // qpprime_y_zero_transform_bypass_flag
  if (reader.flag()) {
    const lists = chromaFormat === 3 ? 12 : 8
    for (let i = 0; i < lists; i++) if (reader.flag()) skipScalingList(reader, i < 6 ? 16 : 64)
  }
  return { chromaFormat, bitDepthLuma, bitDepthChroma }
}

function skipScalingList(reader: BitReader, size: number): void {
  let last = 8
  let next = 8
  for (let i = 0; i < size && next !== 0; i++) {
    next = (last + reader.se() + 256) % 256
    if (next !== 0) last = next
  }
}

function skipPictureOrderCount(reader: BitReader): void {
  const type = reader.ue()
  if (type === 0) reader.ue() // log2_max_pic_order_cnt_lsb_minus4
  if (type !== 1) return
  reader.skip(1)
  reader.se()
  reader.se()
  const cycle = reader.ue()
  if (cycle > 255) throw new GatewayError("media.h264", `picture order cycle of ${cycle}`)
  for (let i = 0; i < cycle; i++) reader.se()
}

/** VUI parameters, ITU-T H.264 annex E.1.1; undefined where it is cut off, since encoders write it carelessly. */
function readReorderFrames(reader: BitReader): number | undefined {
  try {
    if (reader.flag() && reader.bits(8) === EXTENDED_SAR) reader.skip(32)
    if (reader.flag()) reader.skip(1) // overscan
    if (reader.flag()) {
      reader.skip(4) // video_format, video_full_range_flag
      if (reader.flag()) reader.skip(24) // colour description
    }
    if (reader.flag()) {
      reader.ue() // chroma_sample_loc_type_top_field
      reader.ue()
    }
    if (reader.flag()) reader.skip(65) // timing: two numbers of 32 bits and a flag
    const hasNalHrd = reader.flag()
    if (hasNalHrd) skipHrd(reader)
    const hasVclHrd = reader.flag()
    if (hasVclHrd) skipHrd(reader)
    if (hasNalHrd || hasVclHrd) reader.skip(1) // low_delay_hrd_flag
    reader.skip(1) // pic_struct_present_flag
    if (!reader.flag()) return undefined // bitstream_restriction_flag
    reader.skip(1) // motion_vectors_over_pic_boundaries_flag
    for (let i = 0; i < 4; i++) reader.ue()
    return reader.ue()
  } catch (error) {
    if (error instanceof GatewayError) return undefined
    throw error
  }
}

function skipHrd(reader: BitReader): void {
  const count = reader.ue() + 1
  if (count > 32) throw new GatewayError("media.h264", `${count} HRD buffers`)
  reader.skip(8)
  for (let i = 0; i < count; i++) {
    reader.ue()
    reader.ue()
    reader.skip(1)
  }
  reader.skip(20)
}

function readParameterSets(reader: ByteReader, count: number, type: number): Uint8Array[] {
  const units: Uint8Array[] = []
  for (let i = 0; i < count; i++) {
    const unit = reader.take(reader.u16())
    if (nalType(unit) !== type) throw new GatewayError("media.h264", `NAL type ${nalType(unit)} where ${type} belongs`)
    units.push(unit)
  }
  return units
}

/** Fields that all but the plain profiles have after the parameter sets; there are no SPS extensions. */
function highProfileFields(sps: Uint8Array): Uint8Array {
  return explained("sequence parameter set", () => {
    const reader = new BitReader(unescapeRbsp(sps.subarray(1)))
    const hasChromaFields = CHROMA_PROFILES.has(reader.bits(8))
    reader.skip(16)
    reader.ue() // seq_parameter_set_id
    const { chromaFormat, bitDepthLuma, bitDepthChroma } = hasChromaFields ? readChromaFormat(reader) : CHROMA_420_8_BIT
    return Uint8Array.of(0xfc | chromaFormat, 0xf8 | (bitDepthLuma - 8), 0xf8 | (bitDepthChroma - 8), 0)
  })
}

function explained<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== "bytes.truncated") throw error
    throw new GatewayError("media.h264", `${what} is cut off`, { cause: error })
  }
}

const SLICE_TYPES = ["P", "B", "I", "SP", "SI"] as const
/** Enough for two exponential Golomb codes of any sane value, and an emulation prevention byte. */
const ID_BYTES = 16
const CHROMA_420_8_BIT = { chromaFormat: 1, bitDepthLuma: 8, bitDepthChroma: 8 }
const EXTENDED_SAR = 255
const MAX_SIDE_PX = 16_384
/** Profiles whose SPS has chroma_format_idc and what follows it. */
const CHROMA_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135])
/** Baseline, Main and Extended: the profiles whose decoder configuration ends with the parameter sets. */
const PLAIN_PROFILES = new Set([66, 77, 88])
