import type { Converter } from "../hub/lane.ts"
import type { VideoCodec } from "../media/codec.ts"
import { type H264Track, isFrameOf, type VideoFrame } from "../media/frame.ts"
import type { RtpBatch } from "../media/packet.ts"
import { VideoFramesToRtp } from "./frames-to-rtp.ts"
import { PictureOrder } from "./picture-order.ts"
import type { VideoTranscoder, VideoTranscoders } from "./video-transcoder.ts"

/**
 * What becomes of B-frames on the way to WebRTC. `pass`: they go out in decoding order, and the decoder is told to put them in order.
 * `drop`: they are left out where no picture refers to any of them, else as `pass`. `transcode`: such a video is decoded and encoded
 * again without them. `auto`: as `pass` where all viewers' decoders can be told, else as `drop` where that does no damage, else as `transcode`.
 */
export type BFramePolicy = "auto" | "drop" | "transcode" | "pass"

/** What the video of one stream goes by on its way to WebRTC. */
export interface VideoToPacketsOptions {
  readonly policy: BFramePolicy
  readonly transcode: Transcode
  /** Whether there is a viewer who would show pictures in the order in which they are decoded; left out, none would. */
  readonly needsPicturesInOrder?: () => boolean
}

/** Opens a transcoder for the stream (`VideoTranscoders.open`). */
export type Transcode = (events: Parameters<VideoTranscoders["open"]>[1]) => VideoTranscoder | undefined

/**
 * Makes the packets lane of video from frames, by the policy for B-frames. Each group of pictures goes one way, which is chosen at its
 * keyframe by what was seen in those before. So the first one after the lane began goes out in decoding order, without a delay.
 */
export class VideoFramesToPackets implements Converter<VideoFrame> {
  readonly #codec: VideoCodec
  readonly #emit: (batch: RtpBatch) => void
  readonly #options: VideoToPacketsOptions
  readonly #order = new PictureOrder()
  #packetizer: VideoFramesToRtp
  #last: RtpBatch | undefined
  #way: Way = "decodingOrder"
  #transcoding: Transcoding | undefined
  /** Not before this time is a transcoder tried again. */
  #retryUs = Number.NEGATIVE_INFINITY
  #newestDtsUs = 0

  /** Goes on with numbers and timestamps where `previous`, the last batch of the lane, left off. */
  constructor(
    codec: VideoCodec,
    emit: (batch: RtpBatch) => void,
    previous: RtpBatch | undefined,
    options: VideoToPacketsOptions,
  ) {
    this.#codec = codec
    this.#emit = emit
    this.#options = options
    this.#last = previous
    this.#packetizer = new VideoFramesToRtp(codec, previous)
  }

  push(frame: VideoFrame): void {
    this.#newestDtsUs = frame.dtsUs
    // A way is chosen by what came before: this frame may be the first of another track.
    if (frame.isKeyframe) this.#choose(frame)
    const isInTheWay = this.#order.push(frame)
    switch (this.#way) {
      case "decodingOrder":
        this.#send(frame)
        break
      case "drop":
        if (!isInTheWay) this.#send({ ...frame, dtsUs: frame.ptsUs })
        break
      case "transcode":
        this.#transcode(frame)
        break
      case "nothing":
    }
  }

  close(): void {
    this.#transcoding?.transcoder.close()
    this.#transcoding = undefined
  }

  #choose(frame: VideoFrame): void {
    let way = this.#wish()
    if (way === "transcode" && !this.#keepTranscoding(frame)) way = "decodingOrder"
    if (way !== "transcode") this.close()
    this.#goBy(way)
  }

  #wish(): Way {
    const { policy, needsPicturesInOrder } = this.#options
    const { isReordered, isDroppable, canTellDepth } = this.#order
    if (policy === "pass" || !isReordered) return "decodingOrder"
    if (policy === "drop") return isDroppable ? "drop" : "decodingOrder"
    if (policy === "auto" && canTellDepth && needsPicturesInOrder?.() !== true) return "decodingOrder"
    if (policy === "auto" && isDroppable) return "drop"
    return "transcode"
  }

  #goBy(way: Way): void {
    if (way === this.#way) return
    this.#way = way
    this.#packetizer = new VideoFramesToRtp(this.#codec, this.#last)
  }

  #send(frame: VideoFrame): void {
    const batch = this.#packetizer.push(frame)
    if (batch === undefined) return
    this.#last = batch
    this.#emit(batch)
  }

  /** A transcoder is for one track, since an encoder's pictures have one size, and for a bounded time, since its clock has 31 bits. */
  #keepTranscoding(frame: VideoFrame): boolean {
    if (!isFrameOf(frame, "h264")) return false
    const { track, dtsUs } = frame
    const before = this.#transcoding
    if (before?.track === track && dtsUs - before.sinceUs < MAX_TRANSCODER_AGE_US) return true
    this.close()
    if (dtsUs < this.#retryUs) return false
    let opened: Transcoding | undefined
    const transcoder = this.#options.transcode({
      onFrame: (picture) => this.#onTranscoded(picture),
      onFailure: () => this.#transcoding === opened && this.#onFailure(),
    })
    if (transcoder !== undefined) opened = { transcoder, track, sinceUs: dtsUs, unanswered: [] }
    else this.#retryUs = dtsUs + RETRY_AFTER_US
    this.#transcoding = opened
    return opened !== undefined
  }

  #transcode(frame: VideoFrame): void {
    const { transcoder, sinceUs, unanswered } = this.#transcoding ?? {}
    if (transcoder === undefined || sinceUs === undefined || !isFrameOf(frame, "h264")) return
    transcoder.push(frame)
    unanswered?.push(frame)
    if (unanswered !== undefined && frame.dtsUs - sinceUs > MAX_START_US) this.#onFailure()
  }

  #onTranscoded(picture: VideoFrame<H264Track>): void {
    if (this.#transcoding === undefined) return
    this.#transcoding.unanswered = undefined
    this.#send(picture)
  }

  /** What a transcoder that never gave a picture has swallowed goes out in decoding order; after that there is a gap until the next keyframe. */
  #onFailure(): void {
    const { unanswered } = this.#transcoding ?? {}
    this.close()
    this.#retryUs = this.#newestDtsUs + RETRY_AFTER_US
    this.#goBy(unanswered === undefined ? "nothing" : "decodingOrder")
    for (const frame of unanswered ?? []) this.#send(frame)
  }
}

type Way = "decodingOrder" | "drop" | "transcode" | "nothing"

interface Transcoding {
  readonly transcoder: VideoTranscoder
  readonly track: H264Track
  readonly sinceUs: number
  /** What it got before its first picture came. */
  unanswered: VideoFrame[] | undefined
}

const MAX_TRANSCODER_AGE_US = 12 * 3_600 * 1_000_000
const RETRY_AFTER_US = 10_000_000
/** An encoder that has given nothing for so long gives nothing. */
const MAX_START_US = 3_000_000
