import { H265_NAL_TYPE, h265NalType, isH265KeyframeType, parseH265Sps } from "../media/h265.ts"
import { readAggregated } from "./aggregation.ts"
import { packetizeH265 } from "./h265-packetizer.ts"
import { H265ParameterSets } from "./h265-parameter-sets.ts"
import type { KnownSets, NalFormat } from "./nal-inspector.ts"

/** H.265 in RTP, RFC 7798, without decoding order numbers: nobody offers `sprop-max-don-diff`. */
export const H265_FORMAT: NalFormat = {
  setTypes: [H265_NAL_TYPE.vps, H265_NAL_TYPE.sps, H265_NAL_TYPE.pps],
  nalType: h265NalType,
  isKeyframeType: isH265KeyframeType,
  beginnings,
  pictureFacts: parseH265Sps,
  createSets,
  packetize: packetizeH265,
}

function createSets(): KnownSets {
  const sets = new H265ParameterSets()
  return {
    add: (nalUnit) => sets.add(nalUnit),
    activate: () => {
      const track = sets.activate()
      if (track === undefined) return undefined
      const nalUnits = [...track.vps, ...track.sps, ...track.pps]
      return { nalUnits, ...(parseH265Sps(track.sps[0] as Uint8Array) ?? track) }
    },
  }
}

/** RFC 7798 section 4.4. */
function beginnings(payload: Uint8Array): Uint8Array[] {
  const type = h265NalType(payload)
  if (type < AP) return [payload]
  if (type === FU) {
    const fuHeader = payload[2] ?? 0
    return (fuHeader & FU_START) === 0 ? [] : [Uint8Array.of((fuHeader & 0x3f) << 1, payload[1] as number)]
  }
  return type === AP ? readAggregated(payload, 2) : []
}

const AP = 48
const FU = 49
const FU_START = 0x80
