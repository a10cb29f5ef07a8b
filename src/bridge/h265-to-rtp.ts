import { type H265Track, isFrameOf, type VideoFrame } from "../media/frame.ts"
import { parseH265Sps } from "../media/h265.ts"
import { packetizeH265 } from "../rtp/h265-packetizer.ts"
import type { VideoPacketizer, VideoPacketizerOptions } from "./video-packetizer.ts"

/**
 * HEVC: parameter sets go in-band before every keyframe and where they change. An SPS of HEVC always says how many pictures a decoder holds back, and receivers leave it
 * as it is.
 */
export class H265ToRtp implements VideoPacketizer {
  readonly #options: VideoPacketizerOptions
  #track: H265Track | undefined
  #reorderDepth = 0
  #parameterSets: readonly Uint8Array[] = []

  constructor(options: VideoPacketizerOptions) {
    this.#options = options
  }

  get reorderDepth(): number {
    return this.#reorderDepth
  }

  packetize(frame: VideoFrame): Uint8Array[] {
    if (!isFrameOf(frame, "h265")) return []
    const hasNewSets = this.#track !== undefined && this.#track !== frame.track
    if (this.#track !== frame.track) this.#begin(frame.track)
    const all = frame.isKeyframe || hasNewSets ? [...this.#parameterSets, ...frame.units] : frame.units
    return packetizeH265(all, this.#options)
  }

  #begin(track: H265Track): void {
    this.#track = track
    this.#parameterSets = [...track.vps, ...track.sps, ...track.pps]
    this.#reorderDepth = Math.max(...track.sps.map((sps) => parseH265Sps(sps)?.maxReorderFrames ?? 0))
  }
}
