import { GatewayError } from "../errors.ts"
import type { AacFrame, MediaFrame, OpusFrame, Track, VideoFrame } from "../media/frame.ts"
import type { RtpBatch } from "../media/packet.ts"
import { unwrapU16 } from "../media/time.ts"
import { type CachePolicy, type Converter, Lane, type LaneItemFacts } from "./lane.ts"
import type { StreamName } from "./stream-name.ts"

/** The protocol that a session speaks. */
export type Protocol = "rtmp" | "whip" | "whep"

/** What a publisher's session tells the hub, and what the hub may ask of it. */
export interface PublisherSession {
  readonly id: string
  readonly protocol: Protocol
  /** Who publishes; the same token may take the name over from a session that has it. */
  readonly token: string | undefined
  /** Asks for a keyframe; does nothing where the protocol has no way to. */
  requestKeyframe(): void
  /** Ends the session because the hub says so. */
  end(reason: string): void
}

/** A viewer's or reader's session as the hub sees it. */
export interface SubscriberSession {
  readonly id: string
  readonly protocol: Protocol
  /** The stream is over. */
  end(reason: string): void
}

/**
 * The converters between lanes, injected so that the hub knows no wire format and no codec library. Those that make
 * packets get the last one that the lane had before, so that sequence numbers run on.
 */
export interface LaneConverters {
  videoFramesToPackets(emit: (batch: RtpBatch) => void, previous: RtpBatch | undefined): Converter<VideoFrame>
  videoPacketsToFrames(emit: (frame: VideoFrame) => void): Converter<RtpBatch>
  opusFramesToPackets(emit: (batch: RtpBatch) => void, previous: RtpBatch | undefined): Converter<OpusFrame>
  opusPacketsToFrames(emit: (frame: OpusFrame) => void): Converter<RtpBatch>
  aacToOpus(emit: (frame: OpusFrame) => void): Converter<AacFrame>
  opusToAac(emit: (frame: AacFrame) => void): Converter<OpusFrame>
}

/** Limits of one stream. */
export interface StreamLimits {
  readonly cacheMaxBytes: number
  readonly cacheMaxMs: number
  readonly maxSubscribers: number
  /** Keyframe requests that reach the publisher are at least this far apart. */
  readonly keyframeRequestIntervalMs: number
}

/** The forms a stream can be had in. */
export interface StreamLanes {
  readonly videoFrames: Lane<VideoFrame>
  readonly videoPackets: Lane<RtpBatch>
  readonly aacFrames: Lane<AacFrame>
  readonly opusFrames: Lane<OpusFrame>
  readonly audioPackets: Lane<RtpBatch>
}

/** Which lane the publisher feeds for each kind; the other lanes of the kind are derived from it. */
export interface StreamSources {
  readonly video: "frames" | "packets" | undefined
  readonly audio: "aac" | "opus" | "packets" | undefined
}

/**
 * A live stream: one publisher, the lanes of its tracks, and its subscribers. Its timeline starts at 0 when the stream
 * does and goes on through a publisher's replacement.
 */
export class LiveStream {
  readonly name: StreamName
  readonly startedAtMs: number
  readonly lanes: StreamLanes
  readonly #limits: StreamLimits
  readonly #converters: LaneConverters
  readonly #subscribers = new Set<SubscriberSession>()
  readonly #tracks = new Map<Track["kind"], Track>()
  #publisher: PublisherSession
  #sources: StreamSources = { video: undefined, audio: undefined }
  /** Those who watch already would see frames of another publisher that begins without a keyframe. */
  #awaitsKeyframe = false
  #lastKeyframeRequestMs = Number.NEGATIVE_INFINITY

  constructor(
    name: StreamName,
    publisher: PublisherSession,
    nowMs: number,
    converters: LaneConverters,
    limits: StreamLimits,
    onSubscriberError?: (error: unknown) => void,
  ) {
    this.name = name
    this.startedAtMs = nowMs
    this.#publisher = publisher
    this.#converters = converters
    this.#limits = limits
    const bounds = { maxBytes: limits.cacheMaxBytes, maxDurationUs: limits.cacheMaxMs * 1000 }
    const video: CachePolicy = { keep: "fromStart", ...bounds }
    const audio: CachePolicy = { keep: "window", ...bounds }
    const options = onSubscriberError === undefined ? {} : { onSubscriberError }
    const packets = { ...options, follows: isLaterBatch }
    this.lanes = {
      videoFrames: new Lane<VideoFrame>(frameFacts, video, options),
      videoPackets: new Lane<RtpBatch>(batchFacts, video, packets),
      aacFrames: new Lane<AacFrame>(frameFacts, audio, options),
      opusFrames: new Lane<OpusFrame>(frameFacts, audio, options),
      audioPackets: new Lane<RtpBatch>(batchFacts, audio, packets),
    }
  }

  get publisher(): PublisherSession {
    return this.#publisher
  }

  get sources(): StreamSources {
    return this.#sources
  }

  get subscribers(): ReadonlySet<SubscriberSession> {
    return this.#subscribers
  }

  /** The tracks as the publisher sends them, as far as they are known yet. */
  get tracks(): Iterable<Track> {
    return this.#tracks.values()
  }

  /** The point of the stream's timeline that a moment of the gateway's clock stands for. */
  timelineUs(nowMs: number): number {
    return Math.round((nowMs - this.startedAtMs) * 1000)
  }

  /** Where a publisher that begins now stands on the timeline: at this moment, or right after what the lanes hold already. */
  startUs(nowMs: number): number {
    let startUs = this.timelineUs(nowMs)
    for (const { last } of Object.values(this.lanes) as Lane<{ readonly ptsUs: number }>[]) {
      if (last !== undefined) startUs = Math.max(startUs, last.ptsUs + PUBLISHER_GAP_US)
    }
    return startUs
  }

  /**
   * Another session of the same publisher takes over; subscribers stay, lanes are wired anew by what it sends. Its frames begin with
   * a keyframe.
   */
  replacePublisher(publisher: PublisherSession): void {
    this.#publisher = publisher
    this.#sources = { video: undefined, audio: undefined }
    this.#tracks.clear()
    this.#awaitsKeyframe = true
    for (const lane of this.#allLanes()) lane.detach()
  }

  /** Takes a frame from the publisher and gives it to all who read the stream. */
  pushFrame(frame: MediaFrame): void {
    this.#tracks.set(frame.track.kind, frame.track)
    if (isVideo(frame)) {
      this.useSource("video", "frames")
      if (frame.isKeyframe) this.#awaitsKeyframe = false
      if (this.#awaitsKeyframe) return
      if (frame.isKeyframe) this.#trimAudio(frame.ptsUs)
      this.lanes.videoFrames.push(frame)
    } else if (isAac(frame)) {
      this.useSource("audio", "aac")
      this.lanes.aacFrames.push(frame)
    } else {
      this.useSource("audio", "opus")
      this.lanes.opusFrames.push(frame)
    }
  }

  /** Takes packets from the publisher and gives them to all who read the stream. */
  pushPackets(batch: RtpBatch): void {
    this.useSource(batch.kind, "packets")
    if (batch.kind === "audio") this.lanes.audioPackets.push(batch)
    else {
      if (batch.startsKeyframe) this.#trimAudio(batch.ptsUs)
      this.lanes.videoPackets.push(batch)
    }
  }

  /** Says in which form the publisher sends a kind; the first item says it too, but readers may want to know before. */
  useSource(...[kind, form]: SourceChoice): void {
    if (this.#sources[kind] === form) return
    this.#sources = { ...this.#sources, [kind]: form }
    if (kind === "video") this.#wireVideo(form)
    else this.#wireAudio(form)
  }

  /** Passes a wish for a keyframe on, unless one was passed on just before. */
  requestKeyframe(nowMs: number): void {
    if (nowMs - this.#lastKeyframeRequestMs < this.#limits.keyframeRequestIntervalMs) return
    this.#lastKeyframeRequestMs = nowMs
    this.#publisher.requestKeyframe()
  }

  /** Counts a subscriber in; throws `session.limit` where the stream has as many as it may. */
  addSubscriber(subscriber: SubscriberSession): void {
    if (this.#subscribers.size >= this.#limits.maxSubscribers) {
      throw new GatewayError(
        "session.limit",
        `${this.name} has ${this.#subscribers.size} viewers, the most it may have`,
      )
    }
    this.#subscribers.add(subscriber)
  }

  removeSubscriber(subscriber: SubscriberSession): void {
    this.#subscribers.delete(subscriber)
  }

  /** Ends the stream for all who watch it. */
  end(reason: string): void {
    for (const subscriber of [...this.#subscribers]) subscriber.end(reason)
    this.#subscribers.clear()
    for (const lane of this.#allLanes()) lane.detach()
  }

  #wireVideo(form: "frames" | "packets"): void {
    const { videoFrames, videoPackets } = this.lanes
    if (form === "frames") {
      videoFrames.detach()
      videoPackets.deriveFrom(videoFrames, (emit, previous) => this.#converters.videoFramesToPackets(emit, previous))
    } else {
      videoPackets.detach()
      videoFrames.deriveFrom(videoPackets, (emit) => this.#converters.videoPacketsToFrames(emit))
    }
  }

  #wireAudio(form: "aac" | "opus" | "packets"): void {
    const { aacFrames, opusFrames, audioPackets } = this.lanes
    for (const lane of [aacFrames, opusFrames, audioPackets]) lane.detach()
    if (form === "aac") opusFrames.deriveFrom(aacFrames, (emit) => this.#converters.aacToOpus(emit))
    else aacFrames.deriveFrom(opusFrames, (emit) => this.#converters.opusToAac(emit))
    if (form === "packets") opusFrames.deriveFrom(audioPackets, (emit) => this.#converters.opusPacketsToFrames(emit))
    else audioPackets.deriveFrom(opusFrames, (emit, previous) => this.#converters.opusFramesToPackets(emit, previous))
  }

  #trimAudio(ptsUs: number): void {
    this.lanes.aacFrames.trimBefore(ptsUs)
    this.lanes.opusFrames.trimBefore(ptsUs)
    this.lanes.audioPackets.trimBefore(ptsUs)
  }

  #allLanes(): Lane<never>[] {
    return Object.values(this.lanes) as Lane<never>[]
  }
}

/** About one frame. */
const PUBLISHER_GAP_US = 40_000

type SourceChoice =
  | [kind: "video", form: "frames" | "packets"]
  | [kind: "audio", form: "aac" | "opus" | "packets"]
  | [kind: "video" | "audio", form: "packets"]

function isVideo(frame: MediaFrame): frame is VideoFrame {
  return frame.track.kind === "video"
}

function isAac(frame: AacFrame | OpusFrame): frame is AacFrame {
  return frame.track.codec === "aac"
}

function frameFacts(frame: MediaFrame): LaneItemFacts {
  if (!isVideo(frame)) return { startsHere: false, ptsUs: frame.ptsUs, sizeBytes: frame.data.length }
  let sizeBytes = 0
  for (const nalUnit of frame.nalUnits) sizeBytes += nalUnit.length
  return { startsHere: frame.isKeyframe, ptsUs: frame.dtsUs, sizeBytes }
}

function batchFacts(batch: RtpBatch): LaneItemFacts {
  let sizeBytes = 0
  for (const packet of batch.packets) sizeBytes += packet.payload.length
  return { startsHere: batch.startsKeyframe, ptsUs: batch.ptsUs, sizeBytes }
}

/** Numbers go on from the last packet; from a late one they would be given twice, which SRTP must never see. */
function isLaterBatch(batch: RtpBatch, last: RtpBatch): boolean {
  const lastNumber = last.packets.at(-1)?.sequenceNumber ?? 0
  return unwrapU16(batch.packets.at(-1)?.sequenceNumber ?? 0, lastNumber) > lastNumber
}
