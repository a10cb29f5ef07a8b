import { H265_NAL_TYPE, h265NalType, parseH265SetId, parseH265Sps } from "../media/h265.ts"
import type { PictureSize } from "../media/picture-size.ts"
import { ParameterSets } from "./parameter-sets.ts"

/** Parameter sets with which a decoder can begin, in the order in which it needs them. */
export interface ActiveSets extends PictureSize {
  readonly nalUnits: readonly Uint8Array[]
}

/** Collects VPS, SPS and PPS as they come in-band. */
export class H265ParameterSets {
  readonly #sets = new ParameterSets(KINDS.length)
  #active: ActiveSets | undefined

  /** Takes a VPS, SPS or PPS of the base layer and keeps a copy; ignores what is none or is damaged. */
  add(nalUnit: Uint8Array): void {
    const id = parseH265SetId(nalUnit)
    if (id !== undefined) this.#sets.add(KINDS.indexOf(h265NalType(nalUnit)), id, nalUnit)
  }

  /** A picture begins: what was collected before it counts from here on; undefined until there is a set of each kind. */
  activate(): ActiveSets | undefined {
    if (!this.#sets.activate()) return this.#active
    const byKind = KINDS.map((_, kind) => this.#sets.of(kind))
    const size = parseH265Sps(byKind[1]?.[0] ?? NONE)
    if (size !== undefined && byKind.every((sets) => sets.length > 0)) {
      this.#active = { nalUnits: byKind.flat(), widthPx: size.widthPx, heightPx: size.heightPx }
    }
    return this.#active
  }
}

const KINDS: readonly number[] = [H265_NAL_TYPE.vps, H265_NAL_TYPE.sps, H265_NAL_TYPE.pps]
const NONE = new Uint8Array()
