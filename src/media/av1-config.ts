import { GatewayError } from "../errors.ts"
import { OBU_TYPE, obuType, parseAv1Format } from "./av1.ts"
import { obuWithSize, splitObus } from "./av1-temporal-unit.ts"
import { concat } from "./bytes.ts"

/**
 * Reads the sequence header, without a size field, from an AV1CodecConfigurationRecord (AV1 in ISO base media files, section 2.3); undefined
 * where it holds none: it comes with the keyframes in any case. Throws `media.av1`.
 */
export function parseAv1Config(record: Uint8Array): Uint8Array | undefined {
  if (record.length < RECORD_BYTES || record[0] !== MARKER_AND_VERSION) {
    throw new GatewayError("media.av1", "AV1 codec configuration is cut off or of an unknown version")
  }
  return splitObus(record.subarray(RECORD_BYTES)).find((obu) => obuType(obu) === OBU_TYPE.sequenceHeader)
}

/** Writes an AV1CodecConfigurationRecord for a sequence header without a size field. Throws `media.av1` for a broken one. */
export function serializeAv1Config(sequenceHeader: Uint8Array): Uint8Array {
  const format = parseAv1Format(sequenceHeader)
  if (format === undefined) throw new GatewayError("media.av1", "AV1 sequence header is cut off")
  const { profile, level, tier, bitDepth, isMonochrome, subsamplingX, subsamplingY, chromaSamplePosition } = format
  const samples =
    (tier << 7) |
    (Number(bitDepth > 8) << 6) |
    (Number(bitDepth > 10) << 5) |
    (Number(isMonochrome) << 4) |
    (Number(subsamplingX) << 3) |
    (Number(subsamplingY) << 2) |
    chromaSamplePosition
  const record = Uint8Array.of(MARKER_AND_VERSION, (profile << 5) | level, samples, 0)
  return concat([record, ...obuWithSize(sequenceHeader)])
}

const MARKER_AND_VERSION = 0x81
const RECORD_BYTES = 4
