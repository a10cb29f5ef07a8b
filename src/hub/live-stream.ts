import { GatewayError } from "../errors.ts"
import type { VideoCodec } from "../media/codec.ts"
import {
  type AacFrame,
  type AudioFrame,
  isVideoFrame,
  type MediaFrame,
  type OpusFrame,
  type Track,
} from "../media/frame.ts"
import type { RtpBatch } from "../media/packet.ts"
import type { Lane } from "./lane.ts"
import type { Protocol, PublisherSession, StreamEvent, SubscriberSession } from "./session.ts"
import {
  type AudioForm,
  createStreamLanes,
  type LaneConverters,
  type LaneSetup,
  type StreamLanes,
  type VideoForm,
  wireAudio,
  wireVideo,
} from "./stream-lanes.ts"
import type { StreamName } from "./stream-name.ts"
import { type VideoLayer, VideoLayers } from "./video-layers.ts"

/** Limits of one stream. */
export interface StreamLimits {
  readonly cacheMaxBytes: number
  readonly cacheMaxMs: number
  readonly maxSubscribers: number
  /** Keyframe requests that reach the publisher are at least this far apart, for each simulcast layer. */
  readonly keyframeRequestIntervalMs: number
}

/** Which lane the publisher feeds for each kind; the other lanes of the kind are derived from it. */
export interface StreamSources {
  readonly video: VideoForm | undefined
  readonly audio: AudioForm | undefined
}

/** A publisher that is gone and may return. */
export interface AwaitedPublisher {
  readonly protocol: Protocol
  /** Who may return: this one, or anybody where it is undefined. */
  readonly identity: string | undefined
  /** After this moment the stream is over. */
  readonly untilMs: number
}

/**
 * A live stream: one publisher, or one that is waited for, the lanes of its tracks, and its subscribers. Its timeline starts at 0 when
 * the stream does and goes on through a publisher's replacement.
 */
export class LiveStream {
  readonly name: StreamName
  readonly startedAtMs: number
  readonly lanes: StreamLanes
  readonly #limits: StreamLimits
  readonly #converters: LaneConverters
  readonly #onSubscriberError: ((error: unknown) => void) | undefined
  readonly #subscribers = new Set<SubscriberSession>()
  readonly #tracks = new Map<Track["kind"], Track>()
  readonly #layers: VideoLayers
  /** By simulcast layer; undefined stands for video without layers. */
  readonly #keyframeRequestedMs = new Map<string | undefined, number>()
  #source: { readonly publisher: PublisherSession } | AwaitedPublisher
  #sources: StreamSources = { video: undefined, audio: undefined }
  #videoCodec: VideoCodec | undefined
  /** Those who watch already would see frames of another publisher that begins without a keyframe. */
  #awaitsKeyframe = false
  #announcedSubscribers = 0

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
    this.#source = { publisher }
    this.#converters = converters
    this.#limits = limits
    this.#onSubscriberError = onSubscriberError
    const setup: LaneSetup = { ...limits, onSubscriberError }
    this.lanes = createStreamLanes(setup)
    this.#layers = new VideoLayers({
      setup,
      emit: (batch) => this.#pushVideo(batch),
      requestKeyframe: (rid, atMs) => this.requestKeyframe(atMs, rid),
      onChange: () => this.#tell({ type: "layers" }),
    })
  }

  /** Undefined while a publisher that is gone may return. */
  get publisher(): PublisherSession | undefined {
    return "publisher" in this.#source ? this.#source.publisher : undefined
  }

  /** The publisher that is gone and may return. */
  get awaited(): AwaitedPublisher | undefined {
    return "publisher" in this.#source ? undefined : this.#source
  }

  get sources(): StreamSources {
    return this.#sources
  }

  /** The codec of the video that comes, or that came last; undefined before the first. */
  get videoCodec(): VideoCodec | undefined {
    return this.#videoCodec
  }

  /** The simulcast layers that the publisher sends, best first; empty without simulcast. */
  get layers(): readonly VideoLayer[] {
    return this.#layers.list
  }

  get subscribers(): ReadonlySet<SubscriberSession> {
    return this.#subscribers
  }

  /** Subscribers that somebody watches: pushes and recordings are none. */
  get viewerCount(): number {
    let count = 0
    for (const { protocol } of this.#subscribers) if (protocol !== "push" && protocol !== "recording") count++
    return count
  }

  /** Whether any subscriber would show B-frames in the wrong order. */
  get needsPicturesInOrder(): boolean {
    for (const { needsPicturesInOrder } of this.#subscribers) if (needsPicturesInOrder === true) return true
    return false
  }

  /** The tracks as the publisher sends them, as far as they are known yet. */
  get tracks(): Iterable<Track> {
    return this.#tracks.values()
  }

  /** The point of the stream's timeline that a moment of the gateway's clock stands for. */
  timelineUs(nowMs: number): number {
    return Math.round((nowMs - this.startedAtMs) * 1000)
  }

  /** Whether it has gone on for so long that its publisher has sent something of all that it sends. */
  isSettled(nowMs: number): boolean {
    return this.timelineUs(nowMs) > SETTLED_US
  }

  /** Where a publisher that begins now stands on the timeline: at this moment, or right after what the lanes hold already. */
  startUs(nowMs: number): number {
    let startUs = this.timelineUs(nowMs)
    for (const { last } of Object.values(this.lanes) as Lane<{ readonly ptsUs: number }>[]) {
      if (last !== undefined) startUs = Math.max(startUs, last.ptsUs + PUBLISHER_GAP_US)
    }
    return startUs
  }

  /** The publisher is gone and may return until a moment; subscribers and lanes stay as they are. */
  awaitPublisher(untilMs: number): void {
    if (!("publisher" in this.#source)) return
    const { protocol, identity } = this.#source.publisher
    this.#source = { protocol, identity, untilMs }
    this.#tell({ type: "inactive" })
  }

  /**
   * Another session takes over or the publisher returns; subscribers stay, lanes are wired anew by what it sends. Its frames begin with
   * a keyframe.
   */
  replacePublisher(publisher: PublisherSession): void {
    const wasAwaited = this.awaited !== undefined
    this.#source = { publisher }
    this.#sources = { video: undefined, audio: undefined }
    this.#tracks.clear()
    this.#keyframeRequestedMs.clear()
    this.#awaitsKeyframe = true
    for (const lane of this.#allLanes()) lane.detach()
    this.#layers.restart(this.lanes.videoPackets.last)
    if (wasAwaited) this.#tell({ type: "active" })
  }

  /** Takes a frame from the publisher and gives it to all who read the stream. */
  pushFrame(frame: MediaFrame): void {
    this.#tracks.set(frame.track.kind, frame.track)
    if (isVideoFrame(frame)) {
      this.useVideo("frames", frame.track.codec)
      if (frame.isKeyframe) this.#awaitsKeyframe = false
      if (this.#awaitsKeyframe) return
      if (frame.isKeyframe) this.#trimAudio(frame.ptsUs)
      this.lanes.videoFrames.push(frame)
    } else if (isAac(frame)) {
      this.useAudio("aac")
      this.lanes.aacFrames.push(frame)
    } else if (isOpus(frame)) {
      this.useAudio("opus")
      this.lanes.opusFrames.push(frame)
    } else {
      this.useAudio("passed")
      this.lanes.passedAudioFrames.push(frame)
    }
  }

  /**
   * Takes packets from the publisher and gives them to all who read the stream; call `useVideo` before the first ones of video. With
   * `rid` they are of that simulcast layer, and the lane of all gets those of the best one.
   */
  pushPackets(batch: RtpBatch, rid?: string): void {
    if (batch.kind === "audio") {
      this.useAudio("packets")
      this.lanes.audioPackets.push(batch)
    } else if (rid === undefined) this.#pushVideo(batch)
    else this.#layers.push(rid, batch, this.publisher?.lastMediaMs ?? 0)
  }

  /** The lane that packets of video go into; its last batch is where numbers and timestamps go on. */
  videoPacketLane(rid?: string): Lane<RtpBatch> {
    return rid === undefined ? this.lanes.videoPackets : this.#layers.lane(rid)
  }

  /** Says in which form and codec the publisher sends video; frames say it too, but readers may want to know before. */
  useVideo(form: VideoForm, codec: VideoCodec): void {
    if (this.#sources.video === form && this.#videoCodec === codec) return
    const hasOtherCodec = this.#videoCodec !== undefined && this.#videoCodec !== codec
    this.#sources = { ...this.#sources, video: form }
    this.#videoCodec = codec
    wireVideo(this.lanes, form, codec, this.#converters)
    if (hasOtherCodec) this.#tell({ type: "codec" })
  }

  /** Says in which form the publisher sends sound; the first item says it too. */
  useAudio(form: AudioForm): void {
    if (this.#sources.audio === form) return
    this.#sources = { ...this.#sources, audio: form }
    wireAudio(this.lanes, form, this.#converters)
  }

  /** Passes a wish for a keyframe on, of one simulcast layer or of the best one, unless it was passed on just before. */
  requestKeyframe(nowMs: number, rid: string | undefined = this.#layers.best(nowMs)?.rid): void {
    const lastMs = this.#keyframeRequestedMs.get(rid) ?? Number.NEGATIVE_INFINITY
    if (nowMs - lastMs < this.#limits.keyframeRequestIntervalMs) return
    this.#keyframeRequestedMs.set(rid, nowMs)
    this.publisher?.requestKeyframe(rid)
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

  /** Does what is due: finds layers that fell silent, and tells how many subscribers there are when that has changed. */
  sweep(nowMs: number): void {
    this.#layers.check(nowMs)
    const count = this.viewerCount
    if (count === this.#announcedSubscribers) return
    this.#announcedSubscribers = count
    this.#tell({ type: "viewers", count })
  }

  /** Passes on what a publisher sends beside its media, as the body of an FLV script tag; it must not change afterwards. */
  pushScriptData(payload: Uint8Array): void {
    this.#tell({ type: "scriptData", payload })
  }

  /** Ends the stream for all who watch it. */
  end(reason: string): void {
    if (this.awaited === undefined) this.#tell({ type: "inactive" })
    for (const subscriber of [...this.#subscribers]) subscriber.end(reason)
    this.#subscribers.clear()
    for (const lane of this.#allLanes()) lane.detach()
    this.#layers.restart(undefined)
  }

  #pushVideo(batch: RtpBatch): void {
    if (batch.startsKeyframe) this.#trimAudio(batch.ptsUs)
    this.lanes.videoPackets.push(batch)
  }

  #trimAudio(ptsUs: number): void {
    this.lanes.aacFrames.trimBefore(ptsUs)
    this.lanes.opusFrames.trimBefore(ptsUs)
    this.lanes.audioPackets.trimBefore(ptsUs)
    this.lanes.passedAudioFrames.trimBefore(ptsUs)
  }

  #tell(event: StreamEvent): void {
    for (const subscriber of [...this.#subscribers]) {
      try {
        subscriber.onStreamEvent?.(event)
      } catch (error) {
        if (this.#onSubscriberError === undefined) throw error
        this.#onSubscriberError(error)
      }
    }
  }

  #allLanes(): Lane<never>[] {
    return Object.values(this.lanes) as Lane<never>[]
  }
}

/** A publisher may begin with one kind and send the other a moment later. */
const SETTLED_US = 3_000_000
/** About one frame. */
const PUBLISHER_GAP_US = 40_000

function isAac(frame: AudioFrame): frame is AacFrame {
  return frame.track.codec === "aac"
}

function isOpus(frame: AudioFrame): frame is OpusFrame {
  return frame.track.codec === "opus"
}
