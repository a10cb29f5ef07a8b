import { GatewayError } from "../errors.ts"
import type { H264Track } from "../media/frame.ts"
import { NAL_TYPE, nalType, parsePpsIds, parseSps } from "../media/h264.ts"
import { ParameterSets } from "./parameter-sets.ts"

/**
 * Makes a track of SPS and PPS as they come in-band: a new object only where the bytes differ from those before, as the frames lane
 * asks for.
 */
export class H264ParameterSets {
  readonly #sets = new ParameterSets(2)
  #track: H264Track | undefined

  /** The track as of the last `activate`; undefined until there was a pair of SPS and PPS. */
  get track(): H264Track | undefined {
    return this.#track
  }

  /** Takes an SPS or PPS and keeps a copy; throws `media.h264` where it is not one, and forgets nothing then. */
  add(nalUnit: Uint8Array): void {
    const isSps = nalType(nalUnit) === NAL_TYPE.sps
    const id = isSps ? parseSps(nalUnit).spsId : parsePpsIds(nalUnit).ppsId
    if (this.#sets.add(isSps ? SPS : PPS, id, nalUnit)) return
    throw new GatewayError("media.h264", `parameter set ${id} of ${nalUnit.length} bytes is too long or one too many`)
  }

  /** Packets were lost: what was collected since the last picture may be incomplete. */
  onLoss(): void {
    this.#sets.onLoss()
  }

  /** A picture begins: what was collected before it counts from here on (`ParameterSets.activate`). */
  activate(): H264Track | undefined {
    if (this.#sets.activate()) this.#rebuild()
    return this.#track
  }

  #rebuild(): void {
    const sps = this.#sets.of(SPS)
    const pps = this.#sets.of(PPS)
    const first = sps[0]
    if (first === undefined || pps.length === 0) return
    const { widthPx, heightPx } = parseSps(first)
    this.#track = { kind: "video", codec: "h264", sps, pps, widthPx, heightPx }
  }
}

const SPS = 0
const PPS = 1
