import { GatewayError } from "../errors.ts"
import { equalBytes } from "../media/bytes.ts"
import type { H264Track } from "../media/frame.ts"
import { NAL_TYPE, nalType, parsePpsIds, parseSps } from "../media/h264.ts"

/**
 * Collects SPS and PPS as they come in-band, in any packets and in any order, and makes a track of them: a new object only
 * where the bytes differ from those before, as the frames lane asks for.
 */
export class H264ParameterSets {
  #sps = new Map<number, Uint8Array>()
  #pps = new Map<number, Uint8Array>()
  #newSps = new Map<number, Uint8Array>()
  #newPps = new Map<number, Uint8Array>()
  #isRunIntact = true
  #track: H264Track | undefined

  /** The track as of the last `activate`; undefined until there was a pair of SPS and PPS. */
  get track(): H264Track | undefined {
    return this.#track
  }

  /** Takes an SPS or PPS and keeps a copy; throws `media.h264` where it is not one, and forgets nothing then. */
  add(nalUnit: Uint8Array): void {
    const type = nalType(nalUnit)
    if (nalUnit.length > MAX_SET_BYTES) throw new GatewayError("media.h264", `parameter set of ${nalUnit.length} bytes`)
    if (type === NAL_TYPE.sps) remember(this.#newSps, parseSps(nalUnit).spsId, nalUnit)
    else remember(this.#newPps, parsePpsIds(nalUnit).ppsId, nalUnit)
  }

  /** Packets were lost: what was collected since the last picture may be incomplete. */
  onLoss(): void {
    this.#isRunIntact = false
  }

  /**
   * A picture begins: what was collected before it counts from here on. A run with both kinds replaces all that was known,
   * so that sets of an encoder that is gone do not linger; others are merged by id.
   */
  activate(): H264Track | undefined {
    if (this.#newSps.size === 0 && this.#newPps.size === 0) {
      this.#isRunIntact = true
      return this.#track
    }
    if (this.#isRunIntact && this.#newSps.size > 0 && this.#newPps.size > 0) {
      this.#sps = this.#newSps
      this.#pps = this.#newPps
    } else {
      merge(this.#sps, this.#newSps)
      merge(this.#pps, this.#newPps)
    }
    this.#newSps = new Map()
    this.#newPps = new Map()
    this.#isRunIntact = true
    this.#rebuild()
    return this.#track
  }

  #rebuild(): void {
    const sps = [...this.#sps.values()]
    const pps = [...this.#pps.values()]
    const first = sps[0]
    if (first === undefined || pps.length === 0) return
    if (this.#track !== undefined && sameSets(this.#track.sps, sps) && sameSets(this.#track.pps, pps)) return
    const { widthPx, heightPx } = parseSps(first)
    this.#track = { kind: "video", codec: "h264", sps, pps, widthPx, heightPx }
  }
}

function remember(sets: Map<number, Uint8Array>, id: number, nalUnit: Uint8Array): void {
  if (!sets.has(id) && sets.size >= MAX_SETS) throw new GatewayError("media.h264", "too many parameter sets")
  sets.set(id, new Uint8Array(nalUnit))
}

/** Sets that would be too many start over: the newest are the ones in use. */
function merge(sets: Map<number, Uint8Array>, newer: ReadonlyMap<number, Uint8Array>): void {
  if (sets.size + newer.size > MAX_SETS) sets.clear()
  for (const [id, set] of newer) sets.set(id, set)
}

function sameSets(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((set, i) => equalBytes(set, b[i] as Uint8Array))
}

const MAX_SET_BYTES = 4096
const MAX_SETS = 31
