import type { H265Track } from "../media/frame.ts"
import { H265_NAL_TYPE, h265NalType, isH265KeyframeType } from "../media/h265.ts"
import type { DepacketizerOptions } from "./depacketizer.ts"
import { H265ParameterSets } from "./h265-parameter-sets.ts"
import { NalDepacketizer, type NalPacketFormat } from "./nal-depacketizer.ts"

/**
 * RFC 7798 receiver: single NAL unit, aggregation packet, fragmentation unit, all in decoding order. Decoding order numbers (DONL) would
 * have to be agreed on (`sprop-max-don-diff`), which is refused.
 */
export class H265Depacketizer extends NalDepacketizer<H265Track> {
  constructor(options: DepacketizerOptions = {}) {
    super(FORMAT, options)
  }
}

const AP = 48
const FU = 49
const ACCESS_UNIT_DELIMITER = 35
const FILLER = 38
const FIRST_NON_VCL = 32
const FIRST_SLICE_SEGMENT_IN_PIC = 0x80

const FORMAT: NalPacketFormat<H265Track> = {
  headerBytes: 2,
  nalType: h265NalType,
  isNalUnitType: (type) => type < AP,
  aggregationType: AP,
  fragmentType: FU,
  fragmentTypeMask: 0x3f,
  fragmentedHeader: ([first = 0, second = 0], type) => Uint8Array.of((first & 0x81) | (type << 1), second),
  isSlice: (type) => type < FIRST_NON_VCL,
  startsPicture: (slice) => ((slice[2] ?? 0) & FIRST_SLICE_SEGMENT_IN_PIC) !== 0,
  isKeyframeType: isH265KeyframeType,
  isParameterSet: (type) => type >= H265_NAL_TYPE.vps && type <= H265_NAL_TYPE.pps,
  isDropped,
  createSets: () => new H265ParameterSets(),
}

/** Delimiters, ends of sequences and filler, and what belongs to another layer than the base one. */
function isDropped(nalUnit: Uint8Array): boolean {
  const type = h265NalType(nalUnit)
  const [first = 0, second = 0] = nalUnit
  const isBaseLayer = (first & 1) === 0 && second >> 3 === 0
  return !isBaseLayer || (type >= ACCESS_UNIT_DELIMITER && type <= FILLER)
}
