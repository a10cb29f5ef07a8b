import { execFile } from "node:child_process"
import type { VideoTranscoder, VideoTranscoderEvents, VideoTranscoders } from "../../bridge/video-transcoder.ts"
import type { Logger } from "../log.ts"
import { ffmpegArguments } from "./ffmpeg-arguments.ts"
import { FfmpegTranscoder } from "./ffmpeg-transcoder.ts"

/** The part of the configuration that `FfmpegTranscoders` goes by. */
export interface FfmpegTranscodersOptions {
  readonly ffmpeg: string
  readonly encoder: readonly string[]
  readonly maxTranscoders: number
  readonly queueMaxBytes: number
  readonly logger: Logger
}

/** Transcodes video by processes of ffmpeg, a bounded number at once. Without ffmpeg it says so once and transcodes nothing. */
export class FfmpegTranscoders implements VideoTranscoders {
  readonly #options: FfmpegTranscodersOptions
  readonly #open = new Set<FfmpegTranscoder>()
  #isMissing = false
  #isClosed = false

  constructor(options: FfmpegTranscodersOptions) {
    this.#options = options
  }

  /** Looks whether there is an ffmpeg, for configurations that will need it. */
  async check(): Promise<void> {
    const { ffmpeg } = this.#options
    await new Promise<void>((resolve) => {
      execFile(ffmpeg, ["-version"], { timeout: CHECK_TIMEOUT_MS }, (error) => {
        if (error !== null) this.#complainOfMissing()
        resolve()
      })
    })
  }

  open(stream: string, events: VideoTranscoderEvents): VideoTranscoder | undefined {
    if (this.#isClosed || this.#isMissing) return undefined
    const { ffmpeg: command, encoder, maxTranscoders, queueMaxBytes: maxQueueBytes, logger } = this.#options
    if (this.#open.size >= maxTranscoders) {
      logger.warn(
        { stream },
        `${maxTranscoders} videos are being transcoded already, the most by video.maxTranscoders: this one goes out with its B-frames`,
      )
      return undefined
    }
    const onTrouble = (reason: string) => logger.warn({ stream, reason }, "trouble in transcoding video")
    const onClosed = () => this.#open.delete(transcoder)
    const args = ffmpegArguments(encoder)
    const onMissing = () => this.#complainOfMissing()
    const transcoder = new FfmpegTranscoder({ command, args, maxQueueBytes, onTrouble, onMissing, onClosed }, events)
    this.#open.add(transcoder)
    logger.info({ stream }, "video is transcoded, since it has B-frames")
    return transcoder
  }

  /** Ends all transcoders; later ones are not opened. */
  close(): void {
    this.#isClosed = true
    for (const transcoder of [...this.#open]) transcoder.close()
  }

  #complainOfMissing(): void {
    if (this.#isMissing) return
    this.#isMissing = true
    const { ffmpeg, logger } = this.#options
    logger.warn(
      `${ffmpeg} cannot be run: no video is transcoded, B-frames go out in decoding order; install ffmpeg or set video.ffmpeg`,
    )
  }
}

const CHECK_TIMEOUT_MS = 10_000
