import { GatewayError } from "../errors.ts"
import { ByteReader, ByteWriter } from "./bytes.ts"
import { unescapeRbsp } from "./h264.ts"
import { H265_NAL_TYPE, h265NalType, parseH265Sps } from "./h265.ts"

/** What an HEVCDecoderConfigurationRecord holds; profile and level are those of the SPS. */
export interface HevcConfig {
  /** VPS, SPS and PPS, header included, and what else a decoder needs before the first picture (SEI). */
  readonly nalUnits: readonly Uint8Array[]
  /** Bytes of the length in front of each NAL unit: 1, 2 or 4. */
  readonly nalLengthBytes: number
}

/**
 * Reads an HEVCDecoderConfigurationRecord, ISO/IEC 14496-15 section 8.3.3.1.2. The NAL units borrow from the input.
 *
 * Throws `media.h265` where it is cut off or has lengths of 3 bytes. A record without parameter sets is one: they may come with the pictures.
 */
export function parseHevcConfig(record: Uint8Array): HevcConfig {
  try {
    return readConfig(new ByteReader(record))
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== "bytes.truncated") throw error
    throw new GatewayError("media.h265", "HEVC decoder configuration is cut off", { cause: error })
  }
}

/** Writes an HEVCDecoderConfigurationRecord with NAL unit lengths of 4 bytes. Throws `media.h265` for a broken SPS. */
export function serializeHevcConfig(
  vps: readonly Uint8Array[],
  sps: readonly Uint8Array[],
  pps: readonly Uint8Array[],
): Uint8Array {
  const first = sps[0]
  const facts = first && parseH265Sps(first)
  if (first === undefined || facts === undefined) throw new GatewayError("media.h265", "no usable SPS")
  const { chromaFormat, bitDepthLuma, bitDepthChroma } = facts
  const payload = unescapeRbsp(first.subarray(NAL_HEADER_BYTES))
  const layers = payload[0] as number
  const temporalLayers = ((layers >> 1) & 7) + 1
  const writer = new ByteWriter(1024)
    .u8(1)
    .bytes(payload.subarray(1, 1 + PROFILE_TIER_LEVEL_BYTES))
    .u16(0xf000) // min_spatial_segmentation_idc: nothing is known of slices and tiles
    .u8(0xfc) // nor of how they can be decoded in parallel
    .u8(0xfc | chromaFormat)
    .u8(0xf8 | (bitDepthLuma - 8))
    .u8(0xf8 | (bitDepthChroma - 8))
    .u16(0) // avgFrameRate
    .u8((temporalLayers << 3) | ((layers & 1) << 2) | 3)
    .u8(3)
  for (const [type, units] of [
    [H265_NAL_TYPE.vps, vps],
    [H265_NAL_TYPE.sps, sps],
    [H265_NAL_TYPE.pps, pps],
  ] as const) {
    writer.u8(COMPLETE | type).u16(units.length)
    for (const unit of units) writer.u16(unit.length).bytes(unit)
  }
  return writer.finish()
}

function readConfig(reader: ByteReader): HevcConfig {
  // Version 0 comes from encoders of before the standard was final; the layout is the same.
  if (reader.u8() > 1) throw new GatewayError("media.h265", "HEVC decoder configuration of an unknown version")
  reader.skip(20)
  const nalLengthBytes = (reader.u8() & 3) + 1
  if (nalLengthBytes === 3) throw new GatewayError("media.h265", "NAL unit lengths of 3 bytes")
  const nalUnits: Uint8Array[] = []
  for (let arrays = reader.u8(); arrays > 0; arrays--) {
    const type = reader.u8() & 0x3f
    for (let count = reader.u16(); count > 0; count--) {
      const unit = reader.take(reader.u16())
      if (h265NalType(unit) !== type)
        throw new GatewayError("media.h265", "a NAL unit stands among those of another type")
      if (nalUnits.length >= MAX_NAL_UNITS) throw new GatewayError("media.h265", "too many parameter sets")
      nalUnits.push(unit)
    }
  }
  return { nalUnits, nalLengthBytes }
}

const NAL_HEADER_BYTES = 2
/** Space, tier, profile, compatibility and constraint flags, level: the same bits in the same order as in the SPS. */
const PROFILE_TIER_LEVEL_BYTES = 12
/** All sets of the kind stand here, none comes with the pictures. */
const COMPLETE = 0x80
const MAX_NAL_UNITS = 128
