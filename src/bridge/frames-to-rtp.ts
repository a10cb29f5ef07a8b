import { GatewayError } from "../errors.ts"
import type { VideoCodec } from "../media/codec.ts"
import { DisposablePictures } from "../media/disposable.ts"
import type { OpusFrame, VideoFrame, VideoTrack } from "../media/frame.ts"
import { parseOpusToc } from "../media/opus.ts"
import { CLOCK_RATE_HZ, type LanePacket, type RtpBatch } from "../media/packet.ts"
import { usToTicks } from "../media/time.ts"
import { createVideoPacketizer } from "./create-video-packetizer.ts"
import type { VideoPacketizer, VideoPacketizerOptions } from "./video-packetizer.ts"

/** What became of frames that a WebRTC viewer cannot take as they are. */
export interface VideoFramesToRtpCounters {
  /** Frames that do not fit into packetization mode 0. */
  refusedFrames: number
}

/**
 * Makes the packets lane of a video track from frames, one batch a frame; all that a decoder needs goes in-band
 * before every keyframe (`VideoPacketizer`).
 *
 * WebRTC has no B-frames: receivers decode in the order of timestamps and show each picture as it comes out of the
 * decoder. So frames go out in decoding order with the decoding time, and the SPS tells the decoder how many pictures
 * to hold back: it then gives one picture, the next one to be shown, for every frame. That
 * picture is as many frames older as the decoding time is ahead of the presentation time, so that sound and picture
 * stay together. Only at the start, with nothing held back yet, there is none; `reorderDepth` of a keyframe says for
 * how many frames.
 */
export class VideoFramesToRtp {
  readonly counters: VideoFramesToRtpCounters = { refusedFrames: 0 }
  readonly #packetizer: VideoPacketizer
  readonly #disposable = new DisposablePictures()
  #sequenceNumber: number
  #lastTicks: number | undefined
  #offsetTicks = 0
  #track: VideoTrack | undefined
  #delayUs = 0

  /** Goes on with numbers and timestamps where `previous`, the last batch of the lane, left off. Frames of another codec are left out. */
  constructor(codec: VideoCodec, previous?: RtpBatch, options: VideoPacketizerOptions = {}) {
    this.#packetizer = createVideoPacketizer(codec, options)
    this.#sequenceNumber = nextSequenceNumber(previous)
    if (previous !== undefined) {
      this.#lastTicks = usToTicks(previous.ptsUs, CLOCK_RATE_HZ.video)
      this.#offsetTicks = offsetOf(previous, this.#lastTicks)
    }
  }

  /** Returns the frame's packets, or undefined where it is left out (`counters` says why). */
  push(frame: VideoFrame): RtpBatch | undefined {
    const payloads = this.#packetize(frame)
    const isDisposable = this.#disposable.isDisposable(frame)
    const { track, isKeyframe, ptsUs, dtsUs } = frame
    const { reorderDepth } = this.#packetizer
    // Without reordering a decoder shows pictures at once, whatever delay the publisher states.
    if (track !== this.#track || isKeyframe) this.#delayUs = reorderDepth === 0 ? ptsUs - dtsUs : 0
    this.#track = track
    if (payloads.length === 0) return undefined
    const timeUs = dtsUs + this.#delayUs
    const ticks = this.#advance(timeUs)
    const packets: LanePacket[] = payloads.map((payload, i) => {
      const sequenceNumber = this.#sequenceNumber
      this.#sequenceNumber = (sequenceNumber + 1) & 0xffff
      return { sequenceNumber, marker: i === payloads.length - 1, payload }
    })
    return {
      kind: "video",
      timestamp: (ticks + this.#offsetTicks) >>> 0,
      ptsUs: timeUs,
      startsKeyframe: isKeyframe,
      ...(isKeyframe && { widthPx: track.widthPx, heightPx: track.heightPx }),
      ...(isKeyframe && reorderDepth > 0 && { reorderDepth }),
      ...(isDisposable && { isDisposable }),
      packets,
    }
  }

  #packetize(frame: VideoFrame): Uint8Array[] {
    try {
      return this.#packetizer.packetize(frame)
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      this.counters.refusedFrames++
      return []
    }
  }

  /** Ticks of the stream's timeline. The lane's timestamps rise even where the timeline itself goes back. */
  #advance(timeUs: number): number {
    const ticks = usToTicks(timeUs, CLOCK_RATE_HZ.video)
    const last = this.#lastTicks
    if (last !== undefined && ticks <= last) this.#offsetTicks += last + 1 - ticks
    this.#lastTicks = ticks
    return ticks
  }
}

/** Makes the packets lane of an Opus track: the payload is the frame as it is (RFC 7587 section 4.2). */
export class OpusFramesToRtp {
  #sequenceNumber: number
  #lastTicks: number | undefined
  #lastDurationTicks = DEFAULT_OPUS_TICKS
  #offsetTicks = 0

  /** Goes on with numbers and timestamps where `previous`, the last batch of the lane, left off. */
  constructor(previous?: RtpBatch) {
    this.#sequenceNumber = nextSequenceNumber(previous)
    if (previous !== undefined) {
      this.#lastTicks = usToTicks(previous.ptsUs, CLOCK_RATE_HZ.audio)
      this.#offsetTicks = offsetOf(previous, this.#lastTicks)
    }
  }

  /** Returns the frame's packet; undefined for one that is no Opus packet. */
  push(frame: OpusFrame): RtpBatch | undefined {
    const durationTicks = opusTicks(frame.data)
    if (durationTicks === undefined) return undefined
    const ticks = usToTicks(frame.ptsUs, CLOCK_RATE_HZ.audio)
    const last = this.#lastTicks
    // The timeline went back: the lane goes on where the sound before ended.
    if (last !== undefined && ticks <= last) this.#offsetTicks += last + this.#lastDurationTicks - ticks
    this.#lastTicks = ticks
    this.#lastDurationTicks = durationTicks
    const sequenceNumber = this.#sequenceNumber
    this.#sequenceNumber = (sequenceNumber + 1) & 0xffff
    return {
      kind: "audio",
      timestamp: (ticks + this.#offsetTicks) >>> 0,
      ptsUs: frame.ptsUs,
      startsKeyframe: false,
      packets: [{ sequenceNumber, marker: last === undefined, payload: frame.data }],
    }
  }
}

function nextSequenceNumber(previous: RtpBatch | undefined): number {
  return ((previous?.packets.at(-1)?.sequenceNumber ?? -1) + 1) & 0xffff
}

/** What has to be added to ticks of the timeline to get the lane's timestamps, as a signed number of 32 bits. */
function offsetOf(previous: RtpBatch, ticks: number): number {
  return (previous.timestamp - ticks) | 0
}

function opusTicks(packet: Uint8Array): number | undefined {
  try {
    return usToTicks(parseOpusToc(packet).durationUs, CLOCK_RATE_HZ.audio)
  } catch (error) {
    if (error instanceof GatewayError) return undefined
    throw error
  }
}

const DEFAULT_OPUS_TICKS = 960
