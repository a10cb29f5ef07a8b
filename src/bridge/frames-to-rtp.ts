import { GatewayError } from "../errors.ts"
import type { H264Track, OpusFrame, VideoFrame } from "../media/frame.ts"
import { isSliceNal } from "../media/h264.ts"
import { parseOpusToc } from "../media/opus.ts"
import { CLOCK_RATE_HZ, type LanePacket, type RtpBatch } from "../media/packet.ts"
import { ticksToUs, usToTicks } from "../media/time.ts"
import { type H264PacketizerOptions, packetizeH264 } from "../rtp/h264-packetizer.ts"

/** What became of frames that a WebRTC viewer cannot take as they are. */
export interface VideoFramesToRtpCounters {
  /** B-frames that no other frame refers to, left out. */
  droppedBFrames: number
  /** Frames that go back in time but are referred to, sent with their decoding time. */
  reorderedFrames: number
  /** Frames that do not fit into packetization mode 0. */
  refusedFrames: number
}

/**
 * Makes the packets lane of a video track from frames, one batch a frame. Parameter sets go in-band before every
 * keyframe.
 *
 * WebRTC has no B-frames: receivers take timestamps that go back for late or broken pictures and may freeze. Frames are
 * sent with their presentation time, and one that goes back in time is left out if no other frame refers to it (`nal_ref_idc`
 * 0 in all slices), so that what remains is in order. A B-frame that others refer to (B-pyramid) cannot be left out; from
 * the first one on all frames of the track are passed in decoding order and with the decoding time, which never goes back
 * and stays even: a decoder that delays its output by the reordering depth, as the standard asks, then shows them in time.
 */
export class VideoFramesToRtp {
  readonly counters: VideoFramesToRtpCounters = { droppedBFrames: 0, reorderedFrames: 0, refusedFrames: 0 }
  readonly #options: H264PacketizerOptions
  #sequenceNumber: number
  #track: H264Track | undefined
  #usesDecodingTime = false
  #lastTicks: number | undefined
  #offsetTicks = 0

  /** Goes on with numbers and timestamps where `previous`, the last batch of the lane, left off. */
  constructor(previous?: RtpBatch, options: H264PacketizerOptions = {}) {
    this.#options = options
    this.#sequenceNumber = nextSequenceNumber(previous)
    if (previous !== undefined) {
      this.#lastTicks = usToTicks(previous.ptsUs, CLOCK_RATE_HZ.video)
      this.#offsetTicks = offsetOf(previous, this.#lastTicks)
    }
  }

  /** Returns the frame's packets, or undefined where it is left out (`counters` says why). */
  push(frame: VideoFrame): RtpBatch | undefined {
    if (frame.track !== this.#track) {
      this.#track = frame.track
      this.#usesDecodingTime = false
    }
    const payloads = this.#packetize(frame)
    if (payloads === undefined || payloads.length === 0) return undefined
    const ticks = this.#ticksOf(frame)
    if (ticks === undefined) return undefined
    this.#lastTicks = ticks
    const packets: LanePacket[] = payloads.map((payload, i) => {
      const sequenceNumber = this.#sequenceNumber
      this.#sequenceNumber = (sequenceNumber + 1) & 0xffff
      return { sequenceNumber, marker: i === payloads.length - 1, payload }
    })
    return {
      kind: "video",
      timestamp: (ticks + this.#offsetTicks) >>> 0,
      ptsUs: this.#instantOf(ticks, frame),
      startsKeyframe: frame.isKeyframe,
      packets,
    }
  }

  #packetize(frame: VideoFrame): Uint8Array[] | undefined {
    const { track, nalUnits } = frame
    const all = frame.isKeyframe ? [...track.sps, ...track.pps, ...nalUnits] : nalUnits
    try {
      return packetizeH264(all, this.#options)
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      this.counters.refusedFrames++
      return undefined
    }
  }

  /** The frame's time in ticks of the stream's timeline, always above the one before; undefined leaves it out. */
  #ticksOf(frame: VideoFrame): number | undefined {
    const last = this.#lastTicks
    const ticks = usToTicks(this.#usesDecodingTime ? frame.dtsUs : frame.ptsUs, CLOCK_RATE_HZ.video)
    if (last === undefined || ticks > last) return ticks
    if (frame.isKeyframe && (!this.#usesDecodingTime || last - ticks > CLOCK_RATE_HZ.video)) {
      // Nothing is shown across an IDR picture out of order, so the timeline itself went back: the lane goes on.
      this.#offsetTicks += last + 1 - ticks
      return ticks
    }
    if (ticks === last || this.#usesDecodingTime) return last + 1
    if (isDisposable(frame)) {
      this.counters.droppedBFrames++
      return undefined
    }
    this.counters.reorderedFrames++
    this.#usesDecodingTime = true
    return Math.max(last + 1, usToTicks(frame.dtsUs, CLOCK_RATE_HZ.video))
  }

  /** The instant that the ticks stand for, without their rounding where they are the frame's own. */
  #instantOf(ticks: number, frame: VideoFrame): number {
    const timeUs = this.#usesDecodingTime ? frame.dtsUs : frame.ptsUs
    return usToTicks(timeUs, CLOCK_RATE_HZ.video) === ticks ? timeUs : ticksToUs(ticks, CLOCK_RATE_HZ.video)
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

function isDisposable(frame: VideoFrame): boolean {
  return frame.nalUnits.every((nalUnit) => !isSliceNal(nalUnit) || ((nalUnit[0] as number) & NAL_REF_IDC) === 0)
}

function opusTicks(packet: Uint8Array): number | undefined {
  try {
    return usToTicks(parseOpusToc(packet).durationUs, CLOCK_RATE_HZ.audio)
  } catch (error) {
    if (error instanceof GatewayError) return undefined
    throw error
  }
}

const NAL_REF_IDC = 0x60
const DEFAULT_OPUS_TICKS = 960
