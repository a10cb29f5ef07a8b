import type { VideoCodec } from "../media/codec.ts"
import type { AacFrame, MediaFrame, OpusFrame, PassedAudioFrame, VideoFrame } from "../media/frame.ts"
import type { RtpBatch } from "../media/packet.ts"
import { unwrapU16 } from "../media/time.ts"
import { type Converter, Lane, type LaneItemFacts } from "./lane.ts"

/**
 * The converters between lanes, injected so that the hub knows no wire format and no codec library. Those that make
 * packets get the last one that the lane had before, so that sequence numbers run on.
 */
export interface LaneConverters {
  videoFramesToPackets(
    codec: VideoCodec,
    emit: (batch: RtpBatch) => void,
    previous: RtpBatch | undefined,
  ): Converter<VideoFrame>
  videoPacketsToFrames(codec: VideoCodec, emit: (frame: VideoFrame) => void): Converter<RtpBatch>
  opusFramesToPackets(emit: (batch: RtpBatch) => void, previous: RtpBatch | undefined): Converter<OpusFrame>
  opusPacketsToFrames(emit: (frame: OpusFrame) => void): Converter<RtpBatch>
  aacToOpus(emit: (frame: OpusFrame) => void): Converter<AacFrame>
  opusToAac(emit: (frame: AacFrame) => void): Converter<OpusFrame>
}

/** Limits of one lane, and who hears of its subscribers' errors. */
export interface LaneSetup {
  readonly cacheMaxBytes: number
  readonly cacheMaxMs: number
  /** Left out, `push` throws what a subscriber throws. */
  readonly onSubscriberError?: ((error: unknown) => void) | undefined
}

/** The forms a stream can be had in. */
export interface StreamLanes {
  readonly videoFrames: Lane<VideoFrame>
  readonly videoPackets: Lane<RtpBatch>
  readonly aacFrames: Lane<AacFrame>
  readonly opusFrames: Lane<OpusFrame>
  readonly audioPackets: Lane<RtpBatch>
  /** Sound that only RTMP and FLV carry; fed by such a publisher alone, and then the other lanes of sound are empty. */
  readonly passedAudioFrames: Lane<PassedAudioFrame>
}

/** The form in which a publisher sends video, of any codec. */
export type VideoForm = "frames" | "packets"
/** The form in which a publisher sends sound: frames of AAC or Opus, RTP packets of Opus, or frames that are only passed on. */
export type AudioForm = "aac" | "opus" | "packets" | "passed"

/** Makes the lanes of a stream, not joined to one another. */
export function createStreamLanes(setup: LaneSetup): StreamLanes {
  return {
    videoFrames: createLane<VideoFrame>(frameFacts, "fromStart", setup),
    videoPackets: createVideoPacketLane(setup),
    aacFrames: createLane<AacFrame>(frameFacts, "window", setup),
    opusFrames: createLane<OpusFrame>(frameFacts, "window", setup),
    audioPackets: createLane(batchFacts, "window", setup, isLaterBatch),
    passedAudioFrames: createLane<PassedAudioFrame>(frameFacts, "window", setup),
  }
}

/** Makes a lane for packets of video. */
export function createVideoPacketLane(setup: LaneSetup): Lane<RtpBatch> {
  return createLane(batchFacts, "fromStart", setup, isLaterBatch)
}

/** Derives the lane that the publisher does not feed. */
export function wireVideo(lanes: StreamLanes, form: VideoForm, codec: VideoCodec, converters: LaneConverters): void {
  const { videoFrames, videoPackets } = lanes
  videoFrames.detach()
  videoPackets.detach()
  if (form === "frames") {
    videoPackets.deriveFrom(videoFrames, (emit, previous) => converters.videoFramesToPackets(codec, emit, previous))
  } else {
    videoFrames.deriveFrom(videoPackets, (emit) => converters.videoPacketsToFrames(codec, emit))
  }
}

/** Derives the lanes of sound that the publisher does not feed. */
export function wireAudio(lanes: StreamLanes, form: AudioForm, converters: LaneConverters): void {
  const { aacFrames, opusFrames, audioPackets, passedAudioFrames } = lanes
  for (const lane of [aacFrames, opusFrames, audioPackets, passedAudioFrames]) lane.detach()
  if (form === "passed") return
  if (form === "aac") opusFrames.deriveFrom(aacFrames, (emit) => converters.aacToOpus(emit))
  else aacFrames.deriveFrom(opusFrames, (emit) => converters.opusToAac(emit))
  if (form === "packets") opusFrames.deriveFrom(audioPackets, (emit) => converters.opusPacketsToFrames(emit))
  else audioPackets.deriveFrom(opusFrames, (emit, previous) => converters.opusFramesToPackets(emit, previous))
}

function createLane<T>(
  factsOf: (item: T) => LaneItemFacts,
  keep: "fromStart" | "window",
  { cacheMaxBytes, cacheMaxMs, onSubscriberError }: LaneSetup,
  follows?: (item: T, last: T) => boolean,
): Lane<T> {
  const policy = { keep, maxBytes: cacheMaxBytes, maxDurationUs: cacheMaxMs * 1000 }
  return new Lane<T>(factsOf, policy, {
    ...(onSubscriberError !== undefined && { onSubscriberError }),
    ...(follows !== undefined && { follows }),
  })
}

function frameFacts(frame: MediaFrame): LaneItemFacts {
  if (!("units" in frame)) return { startsHere: false, ptsUs: frame.ptsUs, sizeBytes: frame.data.length }
  let sizeBytes = 0
  for (const unit of frame.units) sizeBytes += unit.length
  return { startsHere: frame.isKeyframe, ptsUs: frame.dtsUs, sizeBytes }
}

function batchFacts(batch: RtpBatch): LaneItemFacts {
  return { startsHere: batch.startsKeyframe, ptsUs: batch.ptsUs, sizeBytes: batchBytes(batch) }
}

/** How many bytes of payload a batch holds. */
export function batchBytes({ packets }: RtpBatch): number {
  let sizeBytes = 0
  for (const { payload } of packets) sizeBytes += payload.length
  return sizeBytes
}

/** Numbers go on from the last packet; from a late one they would be given twice, which SRTP must never see. */
function isLaterBatch(batch: RtpBatch, last: RtpBatch): boolean {
  const lastNumber = last.packets.at(-1)?.sequenceNumber ?? 0
  return unwrapU16(batch.packets.at(-1)?.sequenceNumber ?? 0, lastNumber) > lastNumber
}
