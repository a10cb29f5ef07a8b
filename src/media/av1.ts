import type { BitReader } from "./bit-reader.ts"
import { type PictureSize, readBits } from "./picture-size.ts"

/** OBU types, AV1 bitstream specification section 6.2.2. */
export const OBU_TYPE = { sequenceHeader: 1, temporalDelimiter: 2, frameHeader: 3, frame: 6 } as const

/** Type of an open bitstream unit, 0 (reserved) for an empty one. */
export function obuType(obu: Uint8Array): number {
  return ((obu[0] ?? 0) >> 3) & 0xf
}

/** What a sequence header says of the samples and of what a decoder must be able to do. */
export interface Av1Format {
  readonly profile: number
  /** Level and tier of the first operating point, which is all there is. */
  readonly level: number
  readonly tier: 0 | 1
  readonly bitDepth: 8 | 10 | 12
  readonly isMonochrome: boolean
  /** Half as many chroma samples as luma samples in a row, and in a column. */
  readonly subsamplingX: boolean
  readonly subsamplingY: boolean
  /** chroma_sample_position: 0 where it is not known. */
  readonly chromaSamplePosition: number
}

/**
 * Reads the largest picture that a sequence header allows, OBU header included (AV1 bitstream specification section 5.5.1); undefined
 * where it is none or cut off.
 */
export function parseAv1SequenceHeader(obu: Uint8Array): PictureSize | undefined {
  return readSequenceHeader(obu, (reader) => readBeginning(reader).size)
}

/** Reads the format from a sequence header in the same way. */
export function parseAv1Format(obu: Uint8Array): Av1Format | undefined {
  return readSequenceHeader(obu, (reader) => {
    const { profile, isReduced, level, tier } = readBeginning(reader)
    skipTools(reader, isReduced)
    return { profile, level, tier, ...readColorConfig(reader, profile) }
  })
}

function readSequenceHeader<T>(obu: Uint8Array, read: (reader: BitReader) => T): T | undefined {
  if (obuType(obu) !== OBU_TYPE.sequenceHeader) return undefined
  return readBits(obu, (reader) => {
    reader.skip(5)
    const hasExtension = reader.flag()
    const hasSize = reader.flag()
    reader.skip(1)
    if (hasExtension) reader.skip(8)
    if (hasSize) while (reader.flag()) reader.skip(7) // leb128: the topmost bit says that another byte follows
    if (hasSize) reader.skip(7)
    return read(reader)
  })
}

function readBeginning(reader: BitReader) {
  const profile = reader.bits(3)
  reader.skip(1) // still_picture
  const isReduced = reader.flag()
  const point = isReduced ? { level: reader.bits(5), tier: 0 as const } : readOperatingPoints(reader)
  const widthBits = reader.bits(4) + 1
  const heightBits = reader.bits(4) + 1
  const size: PictureSize = { widthPx: reader.bits(widthBits) + 1, heightPx: reader.bits(heightBits) + 1 }
  return { profile, isReduced, ...point, size }
}

/** Returns level and tier of the first operating point. */
function readOperatingPoints(reader: BitReader): Pick<Av1Format, "level" | "tier"> {
  const delayBits = reader.flag() ? readDelayBits(reader) : 0
  const hasDisplayDelay = reader.flag()
  const count = reader.bits(5) + 1
  let first: Pick<Av1Format, "level" | "tier"> | undefined
  for (let i = 0; i < count; i++) {
    reader.skip(12) // operating_point_idc
    const level = reader.bits(5)
    const tier = level > 7 && reader.flag() ? 1 : 0
    first ??= { level, tier }
    if (delayBits > 0 && reader.flag()) reader.skip(delayBits * 2 + 1)
    if (hasDisplayDelay && reader.flag()) reader.skip(4)
  }
  return first ?? { level: 0, tier: 0 }
}

/** What stands between the size of the picture and the colours. */
function skipTools(reader: BitReader, isReduced: boolean): void {
  if (!isReduced && reader.flag()) reader.skip(7) // frame ids
  reader.skip(3) // superblock size, filter-intra, intra edge filter
  if (!isReduced) skipInterTools(reader)
  reader.skip(3) // superres, cdef, restoration
}

function skipInterTools(reader: BitReader): void {
  reader.skip(4) // interintra, masked compound, warped motion, dual filter
  const hasOrderHint = reader.flag()
  if (hasOrderHint) reader.skip(2)
  const hasScreenContentTools = reader.flag() || reader.flag() // chosen by each frame, or for all
  if (hasScreenContentTools && !reader.flag()) reader.skip(1) // integer motion vectors, chosen in the same way
  if (hasOrderHint) reader.skip(3)
}

/** Section 5.5.2. */
function readColorConfig(reader: BitReader, profile: number): Omit<Av1Format, "profile" | "level" | "tier"> {
  const isHigh = reader.flag()
  const bitDepth = isHigh ? (profile === 2 && reader.flag() ? 12 : 10) : 8
  const isMonochrome = profile !== 1 && reader.flag()
  const colors = reader.flag() ? reader.bits(24) : UNSPECIFIED_COLORS
  const base = { bitDepth, isMonochrome, chromaSamplePosition: 0 } as const
  if (!isMonochrome && colors === SRGB_COLORS) return { ...base, subsamplingX: false, subsamplingY: false }
  reader.skip(1) // color_range
  if (isMonochrome || profile === 0) {
    const chromaSamplePosition = isMonochrome ? 0 : reader.bits(2)
    return { ...base, subsamplingX: true, subsamplingY: true, chromaSamplePosition }
  }
  const subsamplingX = profile === 2 && (bitDepth !== 12 || reader.flag())
  const subsamplingY = subsamplingX && bitDepth === 12 && reader.flag()
  return { ...base, subsamplingX, subsamplingY, chromaSamplePosition: subsamplingY ? reader.bits(2) : 0 }
}

/** Timing and decoder model, sections 5.5.3 and 5.5.4: bits of each buffer delay, 0 where there is no decoder model. */
function readDelayBits(reader: BitReader): number {
  reader.skip(64) // num_units_in_display_tick, time_scale
  if (reader.flag()) reader.ue() // num_ticks_per_picture_minus_1
  if (!reader.flag()) return 0
  const delayBits = reader.bits(5) + 1
  reader.skip(42) // num_units_in_decoding_tick and two lengths
  return delayBits
}

/** Primaries, transfer characteristics and matrix coefficients of ITU-T H.273, a byte each. */
const UNSPECIFIED_COLORS = 0x02_02_02
const SRGB_COLORS = 0x01_0d_00
