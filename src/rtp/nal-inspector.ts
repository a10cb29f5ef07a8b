import type { PictureSize } from "../media/picture-size.ts"
import { NOTHING_FOUND, type PayloadFinding, type PayloadInspector } from "./payload-inspector.ts"

/** What H.264 and H.265 do differently. */
export interface NalFormat {
  /** NAL unit types of parameter sets, in the order in which a decoder needs them; PPS last. */
  readonly setTypes: readonly number[]
  readonly nalType: (nalUnit: Uint8Array) => number
  readonly isKeyframeType: (type: number) => boolean
  /** The NAL units whose first byte stands in a payload; of a fragment the rebuilt header alone. Damaged ones end the list. */
  readonly beginnings: (payload: Uint8Array) => readonly Uint8Array[]
  /** What a NAL unit tells of pictures, if it is an SPS. */
  readonly pictureFacts: (nalUnit: Uint8Array) => PictureFacts | undefined
  readonly createSets: () => KnownSets
  /** Cuts parameter sets into payloads. */
  readonly packetize: (nalUnits: readonly Uint8Array[]) => readonly Uint8Array[]
}

/** What parameter sets say of the pictures. */
export interface PictureFacts extends PictureSize {
  /** How many pictures a decoder holds back (max_num_reorder_frames), where it is said. */
  readonly maxReorderFrames?: number | undefined
}

/** Parameter sets that have come so far. */
export interface KnownSets {
  /** Remembers a set; ignores what is none or is damaged. */
  add(nalUnit: Uint8Array): void
  /** A picture begins: those with which it can be decoded, or undefined where one is missing. */
  activate(): (PictureFacts & { readonly nalUnits: readonly Uint8Array[] }) | undefined
}

/**
 * Finds keyframes in streams of NAL units. A parameter set (but for a PPS) is taken for the beginning at once; a source that sends one without a
 * keyframe after it is noticed, and from then on only its keyframes count, with the sets put in front of them.
 */
export class NalInspector implements PayloadInspector {
  readonly #format: NalFormat
  readonly #sets: KnownSets
  #picture: Picture | undefined
  #areSetsTrusted = true

  constructor(format: NalFormat) {
    this.#format = format
    this.#sets = format.createSets()
  }

  startSource(): void {
    this.#picture = undefined
    this.#areSetsTrusted = true
  }

  addParameterSet(nalUnit: Uint8Array): void {
    this.#sets.add(nalUnit)
  }

  inspect(timestamp: number, payload: Uint8Array): PayloadFinding {
    const picture = this.#enter(timestamp)
    if (picture === undefined) return NOTHING_FOUND
    const { setTypes, nalType, isKeyframeType, beginnings, pictureFacts } = this.#format
    const wasKeyframe = picture.isKeyframe
    let facts: PictureFacts | undefined
    let startsKeyframe = false
    for (const nalUnit of beginnings(payload)) {
      const type = nalType(nalUnit)
      const kind = setTypes.indexOf(type)
      if (kind < 0) picture.isKeyframe ||= isKeyframeType(type)
      else {
        this.#sets.add(nalUnit)
        picture.kindsOfSets |= 1 << kind
        facts ??= pictureFacts(nalUnit)
        startsKeyframe ||= kind < setTypes.length - 1 && !picture.isStarted && this.#areSetsTrusted
      }
    }
    picture.isStarted ||= startsKeyframe
    const isComplete = picture.isStarted && picture.kindsOfSets === (1 << setTypes.length) - 1
    const known = picture.isKeyframe && !wasKeyframe ? this.#sets.activate() : undefined
    if (known === undefined || isComplete) return finding(startsKeyframe, [], facts)
    startsKeyframe ||= !picture.isStarted
    picture.isStarted = true
    return finding(startsKeyframe, this.#format.packetize(known.nalUnits), known)
  }

  /** The picture of a packet, or undefined where it was left before. */
  #enter(timestamp: number): Picture | undefined {
    const last = this.#picture
    if (last?.timestamp === timestamp) return last
    if (last !== undefined && ((timestamp - last.timestamp) | 0) < 0) return undefined
    if (last?.isStarted === true && !last.isKeyframe) this.#areSetsTrusted = false
    this.#picture = { timestamp, kindsOfSets: 0, isKeyframe: false, isStarted: false }
    return this.#picture
  }
}

/** The newest picture, as far as its packets have come. */
interface Picture {
  readonly timestamp: number
  /** A bit for each kind of set that came in it. */
  kindsOfSets: number
  isKeyframe: boolean
  isStarted: boolean
}

function finding(
  startsKeyframe: boolean,
  missingSets: readonly Uint8Array[],
  facts: PictureFacts | undefined,
): PayloadFinding {
  if (facts !== undefined) {
    const { widthPx, heightPx, maxReorderFrames: reorderDepth = 0 } = facts
    return { startsKeyframe, missingSets, widthPx, heightPx, ...(reorderDepth > 0 && { reorderDepth }) }
  }
  return startsKeyframe || missingSets.length > 0 ? { startsKeyframe, missingSets } : NOTHING_FOUND
}
