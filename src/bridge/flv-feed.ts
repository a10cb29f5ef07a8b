import type { LiveStream } from "../hub/live-stream.ts"
import { PASSED_AUDIO_CODECS, type PassedAudioCodec, type VideoCodec } from "../media/codec.ts"
import { type AudioFrame, decodingTimeUs, isVideoFrame, type MediaFrame, type Track } from "../media/frame.ts"
import { type FlvStart, replayAtLive } from "./flv-replay.ts"
import { type FlvContents, flvMetadata } from "./frames-to-flv.ts"

/** What the receiver of a feed can use. */
export interface FlvAcceptance {
  /** Opus as the publisher sends it; otherwise it gets AAC. */
  readonly opus: boolean
  /** Video codecs; of a stream in another one the receiver gets the sound alone. */
  takesVideo(codec: VideoCodec): boolean
}

/** Bounds for a receiver that is slower than the stream. */
export interface FlvFeedLimits {
  /** More than this waiting, and frames are dropped up to a later keyframe. */
  readonly maxQueueBytes: number
  /** The same in time: live video that is later than this is better skipped. */
  readonly maxDelayMs: number
  /** A receiver that does not take what waits within this time is given up. */
  readonly slowTimeoutMs: number
}

/** Where a feed goes: a connection, a response, a file. */
export interface FlvReceiver {
  /** Bytes that wait to be sent. */
  readonly queuedBytes: number
  /** For how long the oldest of them have been waiting. */
  readonly delayMs: number
  /** Takes the properties of `onMetaData`; comes first. */
  metadata(values: ReadonlyMap<string, number | boolean>, timeUs: number): void
  /** Takes a track, before its first frame. */
  track(track: Track, timeUs: number): void
  frame(frame: MediaFrame): void
  /** The feed has ended by itself: the receiver is too slow, or the stream is not any more what the metadata said. */
  ended(reason: string): void
}

/** What a feed did. */
export interface FlvFeedTotals {
  readonly videoFrames: number
  readonly audioFrames: number
  readonly droppedFrames: number
}

/**
 * Chooses what of a live stream goes to one receiver of RTMP or FLV: metadata, tracks and frames in the order of decoding time, beginning
 * with the cached group of pictures, at its true times or at live (`FlvStart`). Pictures begin with a keyframe, sound not before them; a receiver that is too
 * slow goes on with a later keyframe.
 */
export class FlvFeed {
  readonly #stream: LiveStream
  readonly #accepts: FlvAcceptance
  readonly #limits: FlvFeedLimits
  readonly #nowMs: () => number
  readonly #receiver: FlvReceiver
  #audioCodec: "aac" | "opus"
  readonly #startedAtMs: number
  readonly #unsubscribe: (() => void)[] = []
  readonly #totals = { videoFrames: 0, audioFrames: 0, droppedFrames: 0 }
  readonly #lastTrack: { video: Track | undefined; audio: Track | undefined } = { video: undefined, audio: undefined }
  readonly #isWanted = { video: true, audio: true }
  /** Frames from the cache, until both kinds are there and can be sent in the order of time. */
  #replay: MediaFrame[] | undefined
  /** What the metadata said; undefined before it was sent. */
  #announced: FlvContents | undefined
  #waitsForKeyframe = true
  #firstPictureUs: number | undefined
  /** Where the times of the first pictures do not tell it. */
  #pictureRateHz: number | undefined
  /** Told along with the first picture: players that look at little of a stream would not find sound behind many pictures. */
  #firstSound: Track | undefined
  #droppingSinceMs: number | undefined
  #isEnded = false

  constructor(
    stream: LiveStream,
    accepts: FlvAcceptance,
    limits: FlvFeedLimits,
    nowMs: () => number,
    receiver: FlvReceiver,
  ) {
    this.#stream = stream
    this.#accepts = accepts
    this.#limits = limits
    this.#nowMs = nowMs
    this.#receiver = receiver
    this.#startedAtMs = nowMs()
    const source = stream.sources.audio
    this.#audioCodec = accepts.opus && (source === "opus" || source === "packets") ? "opus" : "aac"
  }

  get totals(): FlvFeedTotals {
    return this.#totals
  }

  /** The tracks that the receiver got last. */
  get tracks(): Track[] {
    return [this.#lastTrack.video, this.#lastTrack.audio].filter((track) => track !== undefined)
  }

  /** Whether the receiver gets pictures. */
  get hasPictures(): boolean {
    return this.#announced?.video !== undefined
  }

  /** Feeds of a stream with the same key get the same frames from now on; undefined while those of this one are its own. */
  get sharedKey(): string | undefined {
    const isOwn = this.#announced === undefined || this.#droppingSinceMs !== undefined || this.#isEnded
    if (isOwn || !this.#isWanted.video || !this.#isWanted.audio) return undefined
    if (this.#pictures !== undefined && (this.#waitsForKeyframe || this.#soundMayBeEarly)) return undefined
    return `${this.#audioCodec} ${this.#announced?.video} ${this.#announced?.audio}`
  }

  /** True where the receiver has fallen behind. */
  get isBehind(): boolean {
    const { queuedBytes } = this.#receiver
    if (queuedBytes === 0) return false
    return queuedBytes > this.#limits.maxQueueBytes || this.#receiver.delayMs > this.#limits.maxDelayMs
  }

  /** A feed of the same frames that goes on from here for another receiver. */
  fork(receiver: FlvReceiver): FlvFeed {
    const feed = new FlvFeed(this.#stream, this.#accepts, this.#limits, this.#nowMs, receiver)
    feed.#goOnFrom(this)
    return feed
  }

  /** Leaves the frames to another feed, which gets the same ones. */
  suspend(): void {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe()
  }

  /** Takes the frames itself again, from where the other feed has come to; `since` are the totals that the other one had at `suspend`. */
  resume(from: FlvFeed, since: FlvFeedTotals): void {
    this.#totals.videoFrames += from.#totals.videoFrames - since.videoFrames
    this.#totals.audioFrames += from.#totals.audioFrames - since.audioFrames
    if (!this.#isEnded) this.#goOnFrom(from)
  }

  /** The receiver has fallen behind and so many frames were left out: it goes on with a keyframe. */
  drop(frames: number): void {
    this.#totals.droppedFrames += frames
    this.#droppingSinceMs ??= this.#nowMs()
    this.#waitsForKeyframe = true
  }

  /** Begins to send. */
  start(from: FlvStart): void {
    const cached: MediaFrame[] = []
    this.#replay = cached
    this.#subscribe(true)
    this.#replay = undefined
    const hasPictures = this.#isWanted.video && this.#pictures !== undefined
    const { frames, pictureRateHz } = from === "live" ? replayAtLive(cached, hasPictures) : { frames: cached }
    this.#pictureRateHz = pictureRateHz
    if (from === "live" && this.#isWanted.audio)
      this.#firstSound = cached.findLast((frame) => !isVideoFrame(frame))?.track
    for (const frame of frames.sort((a, b) => decodingTimeUs(a) - decodingTimeUs(b))) this.#onFrame(frame)
    if (this.#waitsForKeyframe && !this.#isEnded) this.#stream.requestKeyframe(this.#nowMs())
  }

  #subscribe(replay: boolean): void {
    const { videoFrames, aacFrames, opusFrames, passedAudioFrames } = this.#stream.lanes
    const take = (frame: MediaFrame) => this.#onFrame(frame)
    const audio: (frame: AudioFrame) => void = (frame) => this.#onFrame(frame as MediaFrame)
    this.#unsubscribe.push(videoFrames.subscribe(take, { replay }))
    if (this.#audioCodec === "opus") this.#unsubscribe.push(opusFrames.subscribe(audio, { replay }))
    else this.#unsubscribe.push(aacFrames.subscribe(audio, { replay }))
    this.#unsubscribe.push(passedAudioFrames.subscribe(audio, { replay }))
  }

  #goOnFrom(other: FlvFeed): void {
    this.#announced = other.#announced
    this.#lastTrack.video = other.#lastTrack.video
    this.#lastTrack.audio = other.#lastTrack.audio
    this.#firstPictureUs = other.#firstPictureUs
    this.#waitsForKeyframe = other.#waitsForKeyframe
    this.#audioCodec = other.#audioCodec
    this.#subscribe(false)
  }

  /** Stops; nothing reaches the receiver afterwards. Does nothing the second time. */
  stop(): void {
    this.#isEnded = true
    this.suspend()
  }

  /** The receiver turns a kind off or on. */
  want(kind: Track["kind"], isWanted: boolean): void {
    this.#isWanted[kind] = isWanted
    if (kind === "video" && !isWanted) this.#waitsForKeyframe = true
  }

  /** The stream's codec has changed: receivers hold on to what was announced at the beginning. */
  onCodecChange(): void {
    if (this.#announced === undefined || this.#announced.video === this.#pictures) return
    this.#end("the codec of the video has changed: play the stream again")
  }

  #end(reason: string): void {
    if (this.#isEnded) return
    this.stop()
    this.#receiver.ended(reason)
  }

  #onFrame(frame: MediaFrame): void {
    if (this.#isEnded) return
    if (this.#replay !== undefined) this.#replay.push(frame)
    else this.#take(frame)
  }

  #take(frame: MediaFrame): void {
    const { kind } = frame.track
    if (!this.#isWanted[kind] || this.#isBeforePicture(frame)) return
    if (isVideoFrame(frame) && this.#pictures === undefined) return
    if (this.#mustDrop(frame)) {
      this.#totals.droppedFrames++
      return
    }
    if (isVideoFrame(frame)) {
      if (this.#waitsForKeyframe && !frame.isKeyframe) {
        this.#stream.requestKeyframe(this.#nowMs())
        return
      }
      this.#waitsForKeyframe = false
      this.#totals.videoFrames++
    } else this.#totals.audioFrames++
    const timeUs = decodingTimeUs(frame)
    if (this.#announced === undefined) this.#announce(frame.track, timeUs)
    this.#tell(frame.track, timeUs)
    this.#tell(this.#firstSound, timeUs)
    this.#firstSound = undefined
    this.#receiver.frame(frame)
  }

  #tell(track: Track | undefined, timeUs: number): void {
    if (track === undefined || this.#lastTrack[track.kind] === track) return
    this.#lastTrack[track.kind] = track
    this.#receiver.track(track, timeUs)
  }

  /** Sound before the first picture: players count from the first frame, and pictures must lie at the frames' distance from it. */
  #isBeforePicture(frame: MediaFrame): boolean {
    if (!this.#isWanted.video || this.#pictures === undefined) return false
    if (isVideoFrame(frame)) {
      if (this.#firstPictureUs === undefined && frame.isKeyframe) this.#firstPictureUs = frame.ptsUs
      return false
    }
    if (this.#firstPictureUs !== undefined) return frame.ptsUs < this.#firstPictureUs
    return this.#nowMs() - this.#startedAtMs < MAX_PICTURE_WAIT_MS
  }

  /** Sound that lags behind the pictures may still come from before the first one; such is left out for each receiver by itself. */
  get #soundMayBeEarly(): boolean {
    if (this.#announced?.audio === undefined || this.#totals.audioFrames > 0) return false
    const { last } = this.#stream.lanes.videoFrames
    return last !== undefined && last.dtsUs - (this.#firstPictureUs ?? 0) < MAX_SOUND_LAG_US
  }

  /** The codec of the pictures that the receiver can have, undefined for none. */
  get #pictures(): VideoCodec | undefined {
    const { sources, videoCodec } = this.#stream
    if (sources.video === undefined || videoCodec === undefined) return undefined
    return this.#accepts.takesVideo(videoCodec) ? videoCodec : undefined
  }

  /** A receiver that is too slow gets nothing until its queue is nearly empty, then goes on with a keyframe. */
  #mustDrop(frame: MediaFrame): boolean {
    if (this.#droppingSinceMs === undefined) {
      if (!this.isBehind) return false
      this.#droppingSinceMs = this.#nowMs()
      this.#waitsForKeyframe = true
      return true
    }
    const { queuedBytes, delayMs } = this.#receiver
    const { maxQueueBytes, maxDelayMs, slowTimeoutMs } = this.#limits
    if (queuedBytes <= maxQueueBytes / 8 && delayMs <= maxDelayMs / 8) {
      this.#droppingSinceMs = undefined
      return isVideoFrame(frame) && !frame.isKeyframe
    }
    if (this.#nowMs() - this.#droppingSinceMs > slowTimeoutMs) this.#end("the reader is too slow")
    return true
  }

  #announce(first: Track, timeUs: number): void {
    const { audio } = this.#stream.sources
    const tracks = [...this.#stream.tracks, first]
    this.#announced = {
      video: this.#pictures,
      audio: audio === "passed" ? passedCodec(tracks) : audio && this.#audioCodec,
    }
    const metadata = flvMetadata(this.#announced, tracks)
    if (this.#pictureRateHz !== undefined) metadata.set("framerate", this.#pictureRateHz)
    this.#receiver.metadata(metadata, timeUs)
  }
}

function passedCodec(tracks: readonly Track[]): PassedAudioCodec | undefined {
  const codecs = tracks.map(({ codec }) => codec)
  return PASSED_AUDIO_CODECS.find((codec) => (codecs as readonly string[]).includes(codec))
}

/** Sound that is not there by then has ended. */
const MAX_SOUND_LAG_US = 1_000_000
/** A receiver gets sound alone when no keyframe comes for longer. */
const MAX_PICTURE_WAIT_MS = 3_000
