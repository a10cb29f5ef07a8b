import { type H264Track, isFrameOf, type VideoFrame } from "../media/frame.ts"
import { packetizeH264 } from "../rtp/h264-packetizer.ts"
import { ReorderDepth, reorderingParameterSets } from "../rtp/h264-reordering.ts"
import type { VideoPacketizer, VideoPacketizerOptions } from "./video-packetizer.ts"

/** H.264: parameter sets go in-band before every keyframe and where they change; with B-frames they tell the decoder how many pictures to hold back. */
export class H264ToRtp implements VideoPacketizer {
  readonly #options: VideoPacketizerOptions
  #track: H264Track | undefined
  #depth: ReorderDepth | undefined
  #reorderDepth = 0
  #parameterSets: readonly Uint8Array[] = []

  constructor(options: VideoPacketizerOptions) {
    this.#options = options
  }

  get reorderDepth(): number {
    return this.#reorderDepth
  }

  packetize(frame: VideoFrame): Uint8Array[] {
    if (!isFrameOf(frame, "h264")) return []
    const { track, isKeyframe, units } = frame
    const hasNewSets = this.#track !== undefined && this.#track !== track
    if (this.#track !== track || isKeyframe) this.#noteReordering(frame)
    else this.#depth?.push(frame)
    this.#track = track
    return packetizeH264(isKeyframe || hasNewSets ? [...this.#parameterSets, ...units] : units, this.#options)
  }

  /** Between keyframes the depth stays as the decoder was told it. */
  #noteReordering(frame: VideoFrame<H264Track>): void {
    const { track, isKeyframe } = frame
    if (isKeyframe && track !== this.#track) this.#depth = undefined
    this.#depth ??= new ReorderDepth(track)
    const reorderDepth = this.#depth.push(frame)
    if (track === this.#track && reorderDepth === this.#reorderDepth) return
    if (isKeyframe || this.#track === undefined) this.#reorderDepth = reorderDepth
    this.#parameterSets =
      this.#reorderDepth === 0 ? [...track.sps, ...track.pps] : reorderingParameterSets(track, this.#reorderDepth)
  }
}
