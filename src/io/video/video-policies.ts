import { matchesPattern } from "../../access/pattern.ts"
import type { BFramePolicy, VideoToPacketsOptions } from "../../bridge/frames-to-packets.ts"
import type { Logger } from "../log.ts"
import { FfmpegTranscoders } from "./ffmpeg-transcoders.ts"

/** The section `video` of the configuration. */
export interface VideoSettings {
  readonly bFrames: BFramePolicy
  readonly rules: readonly { readonly stream: string; readonly bFrames: BFramePolicy }[]
  readonly maxTranscoders: number
  readonly ffmpeg: string
  /** Arguments with spaces between them. */
  readonly encoder: string
  readonly queueMaxBytes: number
}

/** Says by what policy the video of each stream goes to WebRTC viewers, and has the transcoders for it. */
export class VideoPolicies {
  readonly #settings: VideoSettings
  readonly #transcoders: FfmpegTranscoders

  constructor(settings: VideoSettings, logger: Logger) {
    const { bFrames, rules, encoder } = settings
    this.#settings = settings
    this.#transcoders = new FfmpegTranscoders({ ...settings, encoder: encoder.split(/\s+/).filter(Boolean), logger })
    const isNeeded = [bFrames, ...rules.map((rule) => rule.bFrames)].includes("transcode")
    if (isNeeded) void this.#transcoders.check()
  }

  /** What a stream such as `live/cam1` goes by. */
  of(stream: string, needsPicturesInOrder: () => boolean): VideoToPacketsOptions {
    const { bFrames, rules } = this.#settings
    const rule = rules.find((one) => matchesPattern(one.stream, stream))
    return {
      policy: rule?.bFrames ?? bFrames,
      needsPicturesInOrder,
      transcode: (events) => this.#transcoders.open(stream, events),
    }
  }

  /** Ends all transcoders. */
  async close(): Promise<void> {
    this.#transcoders.close()
  }
}
