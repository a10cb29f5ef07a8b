import { GatewayError } from "../errors.ts"
import type { H264Track } from "../media/frame.ts"
import { parseSps, type SpsFacts } from "../media/h264.ts"
import { withReorderFrames, withSpsId } from "../media/h264-sps-rewriter.ts"

/** Finds how many pictures a decoder has to hold back before it can show the first one (VUI max_num_reorder_frames). */
export class ReorderDepth {
  #declared: number | undefined
  #measured = 0
  /** Encoders that use B-frames show their first picture later than they decode it. */
  #isDelayed = false
  /** Presentation times since the keyframe, in decoding order; the newest `MAX_DEPTH` are enough. */
  #ptsUs: number[] = []

  constructor(track: H264Track) {
    for (const { maxReorderFrames } of readable(track.sps).map(({ facts }) => facts)) {
      if (maxReorderFrames !== undefined) this.#declared = Math.max(this.#declared ?? 0, maxReorderFrames)
    }
  }

  /** The depth that the presentation times have shown so far, whatever the parameter sets say. */
  get measured(): number {
    return this.#measured
  }

  /** What the parameter sets say; undefined where they do not. */
  get declared(): number | undefined {
    return this.#declared
  }

  /** Takes the next frame in decoding order; returns the depth as it is known by then. */
  push({ dtsUs, ptsUs, isKeyframe }: { dtsUs: number; ptsUs: number; isKeyframe: boolean }): number {
    if (isKeyframe) this.#ptsUs = []
    const later = this.#ptsUs.filter((before) => before > ptsUs).length
    this.#measured = Math.max(this.#measured, later)
    this.#ptsUs.push(ptsUs)
    if (this.#ptsUs.length > MAX_DEPTH) this.#ptsUs.shift()
    if (isKeyframe && ptsUs > dtsUs) this.#isDelayed = true
    if (!this.#isDelayed && this.#measured === 0) return 0
    return Math.min(this.#declared ?? Math.max(this.#measured, PYRAMID_DEPTH), MAX_DEPTH)
  }
}

/**
 * The parameter sets to send before a keyframe of a track whose pictures are reordered, so that the reordering depth
 * reaches the decoder.
 *
 * libwebrtc writes max_num_reorder_frames = 0 into the SPS that it receives, after which its decoder loses each picture
 * that is not in order. It does so in the last SPS of a STAP-A only, so a copy follows under an id that nothing refers
 * to, with the same picture size, which libwebrtc reads from it too. The copy stands last: Apple's decoders expect the
 * PPS right behind the first SPS.
 */
export function reorderingParameterSets(track: H264Track, reorderDepth: number): Uint8Array[] {
  const sets = readable(track.sps)
  const usedIds = new Set(sets.map(({ facts }) => facts.spsId))
  const rewritten = sets.map(({ sps }) => withReorderFrames(sps, reorderDepth))
  const last = rewritten.at(-1)
  let freeId = MAX_SPS_ID
  while (usedIds.has(freeId)) freeId--
  const copy = last === undefined || freeId < 0 ? [] : [withSpsId(last, freeId)]
  return [...rewritten, ...track.pps, ...copy]
}

/** Whether a decoder can be told to hold back so many pictures: false where an SPS says less, or cannot be written anew. */
export function canTellReorderDepth(track: H264Track, reorderDepth: number): boolean {
  const sets = readable(track.sps)
  return sets.length > 0 && sets.every(({ sps }) => toldDepth(sps, reorderDepth) >= reorderDepth)
}

function toldDepth(sps: Uint8Array, reorderDepth: number): number {
  return parseSps(withReorderFrames(sps, reorderDepth)).maxReorderFrames ?? 0
}

/** Without those that no decoder could read either. */
function readable(list: readonly Uint8Array[]): { sps: Uint8Array; facts: SpsFacts }[] {
  return list.flatMap((sps) => {
    try {
      return [{ sps, facts: parseSps(sps) }]
    } catch (error) {
      if (error instanceof GatewayError) return []
      throw error
    }
  })
}

/** The decoded picture buffer holds no more, ITU-T H.264 section A.3.1. */
const MAX_DEPTH = 16
/** What B-frames that other B-frames refer to ask for. */
const PYRAMID_DEPTH = 2
const MAX_SPS_ID = 31
