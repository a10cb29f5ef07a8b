import { GatewayError } from "../errors.ts"
import { NAL_TYPE, nalType } from "../media/h264.ts"
import { packetizeH264 } from "./h264-packetizer.ts"
import { H264ParameterSets } from "./h264-parameter-sets.ts"
import { NOTHING_FOUND, type PayloadFinding, type PayloadInspector } from "./payload-inspector.ts"

/**
 * Finds the beginnings of keyframes in a stream of RTP payloads (RFC 6184) without waiting for frames. An SPS is taken for the beginning
 * at once; a source that sends one without an IDR picture after it is noticed, and from then on only its IDR pictures count,
 * with the sets put in front of them.
 */
export class KeyframeFinder implements PayloadInspector {
  readonly #sets = new H264ParameterSets()
  #picture: { timestamp: number; hasSps: boolean; hasPps: boolean; hasIdr: boolean; isStarted: boolean } | undefined
  #isSpsTrusted = true

  /** Another source begins; parameter sets stay until it sends its own. */
  startSource(): void {
    this.#picture = undefined
    this.#isSpsTrusted = true
  }

  /** Remembers an SPS or PPS; ignores what is none. */
  addParameterSet(nalUnit: Uint8Array): void {
    try {
      this.#sets.add(nalUnit)
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
    }
  }

  /** Looks at the NAL units that begin in a payload. Packets may come late: a picture that was left is not gone back to. */
  inspect(timestamp: number, payload: Uint8Array): PayloadFinding {
    let picture = this.#picture
    if (picture?.timestamp !== timestamp) {
      if (picture !== undefined && ((timestamp - picture.timestamp) | 0) < 0) return NOTHING_FOUND
      if (picture?.isStarted === true && !picture.hasIdr) this.#isSpsTrusted = false
      picture = { timestamp, hasSps: false, hasPps: false, hasIdr: false, isStarted: false }
      this.#picture = picture
    }
    const hadIdr = picture.hasIdr
    let startsKeyframe = false
    for (const nalUnit of beginnings(payload)) {
      const type = nalType(nalUnit)
      if (type === NAL_TYPE.sps || type === NAL_TYPE.pps) this.addParameterSet(nalUnit)
      if (type === NAL_TYPE.sps) {
        picture.hasSps = true
        startsKeyframe ||= !picture.isStarted && this.#isSpsTrusted
      } else if (type === NAL_TYPE.pps) picture.hasPps = true
      else if (type === NAL_TYPE.idrSlice) picture.hasIdr = true
    }
    picture.isStarted ||= startsKeyframe
    if (!picture.hasIdr || hadIdr) return startsKeyframe ? { startsKeyframe, missingSets: [] } : NOTHING_FOUND
    const track = this.#sets.activate()
    const isComplete = picture.hasSps && picture.hasPps && (picture.isStarted || startsKeyframe)
    if (isComplete || track === undefined) return { startsKeyframe, missingSets: [] }
    startsKeyframe ||= !picture.isStarted
    picture.isStarted = true
    return { startsKeyframe, missingSets: packetizeH264([...track.sps, ...track.pps]) }
  }
}

/** The NAL units whose first byte stands in a payload; of a fragment the rebuilt header alone. Damaged ones end the list. */
function beginnings(payload: Uint8Array): Uint8Array[] {
  const type = nalType(payload)
  if (type < STAP_A) return [payload]
  if (type === FU_A) {
    const fuHeader = payload[1] ?? 0
    return (fuHeader & FU_START) === 0 ? [] : [Uint8Array.of(fuHeader & 0x1f)]
  }
  const nalUnits: Uint8Array[] = []
  if (type !== STAP_A) return nalUnits
  for (let at = 1; at + 2 < payload.length; ) {
    const length = ((payload[at] as number) << 8) | (payload[at + 1] as number)
    if (length === 0 || length > payload.length - at - 2) break
    nalUnits.push(payload.subarray(at + 2, at + 2 + length))
    at += 2 + length
  }
  return nalUnits
}

const STAP_A = 24
const FU_A = 28
const FU_START = 0x80
