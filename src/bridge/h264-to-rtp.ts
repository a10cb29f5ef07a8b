import { type H264Track, isFrameOf, type VideoFrame } from "../media/frame.ts"
import { packetizeH264 } from "../rtp/h264-packetizer.ts"
import { ReorderDepth, reorderingParameterSets } from "../rtp/h264-reordering.ts"
import type { VideoPacketizer, VideoPacketizerOptions } from "./video-packetizer.ts"

/** H.264: parameter sets go in-band before every keyframe, and with B-frames tell the decoder how many pictures to hold back. */
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
    this.#noteReordering(frame)
    const all = frame.isKeyframe ? [...this.#parameterSets, ...frame.units] : frame.units
    return packetizeH264(all, this.#options)
  }

  #noteReordering(frame: VideoFrame<H264Track>): void {
    const { track, isKeyframe } = frame
    const isNew = track !== this.#track
    if (isNew || this.#depth === undefined) this.#depth = new ReorderDepth(track)
    this.#track = track
    const reorderDepth = this.#depth.push(frame)
    if (!isNew && (!isKeyframe || reorderDepth === this.#reorderDepth)) return
    this.#reorderDepth = reorderDepth
    this.#parameterSets =
      reorderDepth === 0 ? [...track.sps, ...track.pps] : reorderingParameterSets(track, reorderDepth)
  }
}
