import { GatewayError } from "../errors.ts"
import { NAL_TYPE, nalType, parseSps } from "../media/h264.ts"
import { readAggregated } from "./aggregation.ts"
import { packetizeH264 } from "./h264-packetizer.ts"
import { H264ParameterSets } from "./h264-parameter-sets.ts"
import type { KnownSets, NalFormat, PictureFacts } from "./nal-inspector.ts"

/** H.264 in RTP, RFC 6184. */
export const H264_FORMAT: NalFormat = {
  setTypes: [NAL_TYPE.sps, NAL_TYPE.pps],
  nalType,
  isKeyframeType: (type) => type === NAL_TYPE.idrSlice,
  beginnings,
  pictureFacts,
  createSets,
  packetize: packetizeH264,
}

function createSets(): KnownSets {
  const sets = new H264ParameterSets()
  return {
    add: (nalUnit) => {
      ifIntact(() => sets.add(nalUnit))
    },
    activate: () => {
      const track = sets.activate()
      if (track === undefined) return undefined
      return { nalUnits: [...track.sps, ...track.pps], widthPx: track.widthPx, heightPx: track.heightPx }
    },
  }
}

function pictureFacts(nalUnit: Uint8Array): PictureFacts | undefined {
  return nalType(nalUnit) === NAL_TYPE.sps ? ifIntact(() => parseSps(nalUnit)) : undefined
}

function ifIntact<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof GatewayError) return undefined
    throw error
  }
}

/** RFC 6184 section 5.2; interleaved modes are not negotiated. */
function beginnings(payload: Uint8Array): Uint8Array[] {
  const type = nalType(payload)
  if (type < STAP_A) return [payload]
  if (type === FU_A) {
    const fuHeader = payload[1] ?? 0
    return (fuHeader & FU_START) === 0 ? [] : [Uint8Array.of(fuHeader & 0x1f)]
  }
  return type === STAP_A ? readAggregated(payload, 1) : []
}

const STAP_A = 24
const FU_A = 28
const FU_START = 0x80
