import type { BitReader } from "./bit-reader.ts"
import { type PictureSize, readBits } from "./picture-size.ts"

/** OBU types, AV1 bitstream specification section 6.2.2. */
export const OBU_TYPE = { sequenceHeader: 1, temporalDelimiter: 2 } as const

/** Type of an open bitstream unit, 0 (reserved) for an empty one. */
export function obuType(obu: Uint8Array): number {
  return ((obu[0] ?? 0) >> 3) & 0xf
}

/**
 * Reads the largest picture that a sequence header allows, OBU header included (AV1 bitstream specification section 5.5.1); undefined
 * where it is none or cut off.
 */
export function parseAv1SequenceHeader(obu: Uint8Array): PictureSize | undefined {
  if (obuType(obu) !== OBU_TYPE.sequenceHeader) return undefined
  return readBits(obu, (reader) => {
    reader.skip(5)
    const hasExtension = reader.flag()
    const hasSize = reader.flag()
    reader.skip(1)
    if (hasExtension) reader.skip(8)
    if (hasSize) while (reader.flag()) reader.skip(7) // leb128: the topmost bit says that another byte follows
    if (hasSize) reader.skip(7)
    return readSequenceHeader(reader)
  })
}

function readSequenceHeader(reader: BitReader): PictureSize {
  reader.skip(4) // seq_profile, still_picture
  const isReduced = reader.flag()
  if (isReduced)
    reader.skip(5) // seq_level_idx
  else skipOperatingPoints(reader)
  const widthBits = reader.bits(4) + 1
  const heightBits = reader.bits(4) + 1
  return { widthPx: reader.bits(widthBits) + 1, heightPx: reader.bits(heightBits) + 1 }
}

function skipOperatingPoints(reader: BitReader): void {
  const delayBits = reader.flag() ? readDelayBits(reader) : 0
  const hasDisplayDelay = reader.flag()
  const count = reader.bits(5) + 1
  for (let i = 0; i < count; i++) {
    reader.skip(12) // operating_point_idc
    if (reader.bits(5) > 7) reader.skip(1) // seq_level_idx, seq_tier
    if (delayBits > 0 && reader.flag()) reader.skip(delayBits * 2 + 1)
    if (hasDisplayDelay && reader.flag()) reader.skip(4)
  }
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
