import type { H265Track } from "../media/frame.ts"
import { H265_NAL_TYPE, h265NalType, parseH265SetId, parseH265Sps } from "../media/h265.ts"
import { ParameterSets } from "./parameter-sets.ts"

/**
 * Makes a track of VPS, SPS and PPS as they come in-band: a new object only where the bytes differ from those before, as the frames lane
 * asks for.
 */
export class H265ParameterSets {
  readonly #sets = new ParameterSets(KINDS.length)
  #track: H265Track | undefined

  /** The track as of the last `activate`; undefined until there was a set of each kind. */
  get track(): H265Track | undefined {
    return this.#track
  }

  /** Takes a VPS, SPS or PPS of the base layer and keeps a copy; false for what is none, is damaged or one too many. */
  add(nalUnit: Uint8Array): boolean {
    const id = parseH265SetId(nalUnit)
    return id !== undefined && this.#sets.add(KINDS.indexOf(h265NalType(nalUnit)), id, nalUnit)
  }

  /** Packets were lost: what was collected since the last picture may be incomplete. */
  onLoss(): void {
    this.#sets.onLoss()
  }

  /** A picture begins: what was collected before it counts from here on (`ParameterSets.activate`). */
  activate(): H265Track | undefined {
    if (this.#sets.activate()) this.#rebuild()
    return this.#track
  }

  #rebuild(): void {
    const [vps = [], sps = [], pps = []] = KINDS.map((_, kind) => this.#sets.of(kind))
    const facts = parseH265Sps(sps[0] ?? NONE)
    if (facts === undefined || vps.length === 0 || pps.length === 0) return
    const { widthPx, heightPx } = facts
    this.#track = { kind: "video", codec: "h265", vps, sps, pps, widthPx, heightPx }
  }
}

const KINDS: readonly number[] = [H265_NAL_TYPE.vps, H265_NAL_TYPE.sps, H265_NAL_TYPE.pps]
const NONE = new Uint8Array()
