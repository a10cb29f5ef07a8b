import { GatewayError } from "../errors.ts"
import type { H264Track } from "../media/frame.ts"
import { NAL_TYPE, nalType } from "../media/h264.ts"
import type { DepacketizerOptions } from "./depacketizer.ts"
import { H264ParameterSets } from "./h264-parameter-sets.ts"
import { NalDepacketizer, type NalPacketFormat, type NalParameterSets } from "./nal-depacketizer.ts"

/** RFC 6184 receiver for packetization modes 0 and 1: single NAL unit, STAP-A, FU-A. */
export class H264Depacketizer extends NalDepacketizer<H264Track> {
  constructor(options: DepacketizerOptions = {}) {
    super(FORMAT, options)
  }
}

const STAP_A = 24
const FU_A = 28
/** The first bit of a slice header that starts with first_mb_in_slice = 0, as ue(v). */
const FIRST_MB_ZERO = 0x80

const FORMAT: NalPacketFormat<H264Track> = {
  headerBytes: 1,
  nalType,
  isNalUnitType: (type) => type > 0 && type < STAP_A,
  aggregationType: STAP_A,
  fragmentType: FU_A,
  fragmentTypeMask: 0x1f,
  fragmentedHeader: ([indicator = 0], type) => Uint8Array.of((indicator & 0xe0) | type),
  isSlice: (type) => type >= NAL_TYPE.slice && type <= NAL_TYPE.idrSlice,
  startsPicture: (slice) => ((slice[1] ?? 0) & FIRST_MB_ZERO) !== 0,
  isKeyframeType: (type) => type === NAL_TYPE.idrSlice,
  isParameterSet: (type) => type === NAL_TYPE.sps || type === NAL_TYPE.pps,
  isDropped: (nalUnit) => nalType(nalUnit) === NAL_TYPE.accessUnitDelimiter || nalType(nalUnit) === NAL_TYPE.filler,
  createSets,
}

function createSets(): NalParameterSets<H264Track> {
  const sets = new H264ParameterSets()
  return {
    add: (nalUnit) => {
      try {
        sets.add(nalUnit)
        return true
      } catch (error) {
        if (error instanceof GatewayError) return false
        throw error
      }
    },
    onLoss: () => sets.onLoss(),
    activate: () => sets.activate(),
  }
}
