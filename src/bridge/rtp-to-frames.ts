import { GatewayError } from "../errors.ts"
import type { VideoCodec } from "../media/codec.ts"
import type { OpusFrame, OpusTrack, VideoFrame } from "../media/frame.ts"
import { parseOpusToc } from "../media/opus.ts"
import type { RtpBatch } from "../media/packet.ts"
import { createDepacketizer } from "../rtp/create-depacketizer.ts"
import type { DepacketizerOptions, VideoDepacketizer, VideoPacket } from "../rtp/depacketizer.ts"
import { type Released, ReorderBuffer, type ReorderBufferOptions } from "../rtp/reorder-buffer.ts"
import { DecodingTimes } from "./rtp-decoding-time.ts"
import { PictureTimes } from "./rtp-picture-times.ts"

/** Bounds of the way from packets to frames. */
export interface RtpToFramesOptions extends ReorderBufferOptions, DepacketizerOptions {}

/**
 * Makes video frames from the packets lane. Packets in order go through at once; behind a gap they wait for a
 * retransmission within the bounds of the reorder buffer, and a picture that stays incomplete is discarded. The pictures after it refer to it, as
 * far as anybody can tell, and would be decoded into something that was never filmed: so they are left out too, up to the next keyframe. The first frame
 * is one. Frames carry the `ptsUs` of the batch that began them, without its jitter (`PictureTimes`), and a decoding time found by
 * `DecodingTimes`.
 */
export class VideoRtpToFrames {
  readonly #reorder: ReorderBuffer<VideoPacket>
  readonly #depacketizer: VideoDepacketizer
  readonly #pictureTimes = new PictureTimes()
  readonly #decodingTimes = new DecodingTimes()
  /** All that pictures may refer to has come. */
  #isWhole = false
  #skippedFrames = 0
  #latestPtsUs = Number.NEGATIVE_INFINITY

  constructor(codec: VideoCodec, options: RtpToFramesOptions = {}) {
    this.#reorder = new ReorderBuffer({ maxDelayMs: MAX_RETRANSMISSION_MS, maxPackets: 1_024, ...options })
    this.#depacketizer = createDepacketizer(codec, options)
  }

  /** When `onTimeout` has something to do; undefined while nothing waits. Calling it is optional: `push` gives up old gaps too. */
  get nextTimeoutMs(): number | undefined {
    return this.#reorder.nextTimeoutMs
  }

  /** What was lost or could not be used. */
  get counters() {
    return { ...this.#reorder.counters, ...this.#depacketizer.counters, skippedFrames: this.#skippedFrames }
  }

  /** Takes a batch and returns the frames that it completes. Without a clock at hand the stream's timeline serves as one. */
  push(batch: RtpBatch, nowMs: number = batch.ptsUs / 1000): VideoFrame[] {
    const frames: VideoFrame[] = []
    for (const packet of batch.packets) {
      const full = { ...packet, timestamp: batch.timestamp, ptsUs: batch.ptsUs }
      this.#depacketize(this.#reorder.push(packet.sequenceNumber, full, nowMs), frames)
    }
    return frames
  }

  /** Gives up gaps that are too old. */
  onTimeout(nowMs: number): VideoFrame[] {
    const frames: VideoFrame[] = []
    this.#depacketize(this.#reorder.onTimeout(nowMs), frames)
    return frames
  }

  #depacketize(released: readonly Released<VideoPacket>[], frames: VideoFrame[]): void {
    const { counters } = this.#depacketizer
    for (const { item } of released) {
      const damages = counters.lostPackets + counters.discardedUnits
      const pictures = this.#depacketizer.push(item)
      if (counters.lostPackets + counters.discardedUnits !== damages) this.#isWhole = false
      for (const { track, ptsUs: sourceUs, isKeyframe, units } of pictures) {
        this.#isWhole ||= isKeyframe
        if (!this.#isWhole) {
          this.#skippedFrames++
          continue
        }
        const ptsUs = this.#pictureTimes.next(sourceUs)
        const dtsUs = this.#decodingTimes.next(ptsUs)
        frames.push({ track, dtsUs, ptsUs: this.#presentAfter(dtsUs, ptsUs), isKeyframe, units })
      }
    }
  }

  /** A frame too close to the one before is presented when it is decoded. One that belongs before others on the screen stays there. */
  #presentAfter(dtsUs: number, ptsUs: number): number {
    const isInOrder = ptsUs > this.#latestPtsUs
    if (isInOrder) this.#latestPtsUs = ptsUs
    return isInOrder ? Math.max(ptsUs, dtsUs) : ptsUs
  }
}

/**
 * Makes Opus frames from the packets lane: one packet is one frame (RFC 7587 section 4.2). Packets of sound are not asked for again,
 * so behind a gap they wait no longer than the network may take to put them out of order.
 */
export class OpusRtpToFrames {
  readonly #reorder: ReorderBuffer<{ ptsUs: number; payload: Uint8Array }>
  readonly #track: OpusTrack
  #malformedPackets = 0

  /** `channels` is what the track declares; each packet may hold fewer, and decoders cope. */
  constructor(channels = 2, options: ReorderBufferOptions = {}) {
    this.#reorder = new ReorderBuffer({ maxDelayMs: MAX_REORDERING_MS, ...options })
    this.#track = { kind: "audio", codec: "opus", sampleRateHz: 48_000, channels }
  }

  /** When `onTimeout` has something to do; undefined while nothing waits. */
  get nextTimeoutMs(): number | undefined {
    return this.#reorder.nextTimeoutMs
  }

  /** What was lost or could not be used. */
  get counters() {
    return { ...this.#reorder.counters, malformedPackets: this.#malformedPackets }
  }

  /** Takes a batch and returns the frames that are in order now. */
  push(batch: RtpBatch, nowMs: number = batch.ptsUs / 1000): OpusFrame[] {
    const frames: OpusFrame[] = []
    for (const { sequenceNumber, payload } of batch.packets) {
      this.#collect(this.#reorder.push(sequenceNumber, { ptsUs: batch.ptsUs, payload }, nowMs), frames)
    }
    return frames
  }

  /** Gives up gaps that are too old. */
  onTimeout(nowMs: number): OpusFrame[] {
    const frames: OpusFrame[] = []
    this.#collect(this.#reorder.onTimeout(nowMs), frames)
    return frames
  }

  #collect(released: readonly Released<{ ptsUs: number; payload: Uint8Array }>[], frames: OpusFrame[]): void {
    for (const { item } of released) {
      if (item.payload.length === 0) continue // padding
      if (isOpus(item.payload)) frames.push({ track: this.#track, ptsUs: item.ptsUs, data: item.payload })
      else this.#malformedPackets++
    }
  }
}

function isOpus(payload: Uint8Array): boolean {
  try {
    parseOpusToc(payload)
    return true
  } catch (error) {
    if (error instanceof GatewayError) return false
    throw error
  }
}

/** Age at which a lost packet of video is given up, by those who ask for it again as by those who wait for it. */
export const MAX_RETRANSMISSION_MS = 500
const MAX_REORDERING_MS = 100
