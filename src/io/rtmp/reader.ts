import type { AccessGrant } from "../../access/access.ts"
import { type FlvContents, flvMetadata, trackToFlv } from "../../bridge/frames-to-flv.ts"
import type { LiveStream } from "../../hub/live-stream.ts"
import type { SessionFacts, StreamEvent, SubscriberSession } from "../../hub/session.ts"
import type { StreamName } from "../../hub/stream-name.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import { CODEC_TITLES } from "../../media/codec.ts"
import type { AacFrame, MediaFrame, OpusFrame, Track, VideoFrame } from "../../media/frame.ts"
import { RateMeter } from "../../media/rate-meter.ts"
import { serializeAmf0 } from "../../rtmp/amf0.ts"
import type { RtmpPlayRequested, RtmpReceiveChanged } from "../../rtmp/server-events.ts"
import { type Logger, sessionLabel } from "../log.ts"
import type { RtmpMessageCache } from "./message-cache.ts"

/** The way to the peer, as a reader sees it. */
export interface ReaderOutput {
  /** Bytes that wait to be sent. */
  readonly queuedBytes: number
  /** For how long the oldest of them have been waiting. */
  readonly delayMs: number
  send(bytes: Uint8Array): void
}

/** What a reader needs from the connection it lives on. */
export interface ReaderContext {
  readonly id: string
  readonly name: StreamName
  /** The permission; told when the playback is over. */
  readonly grant: AccessGrant
  /** The peer, for lists. */
  readonly remoteAddress: string | undefined
  readonly registry: StreamRegistry
  readonly logger: Logger
  readonly nowMs: () => number
  readonly messages: RtmpMessageCache
  readonly output: ReaderOutput
  /** More than this in the queue, and frames are dropped up to a later keyframe. */
  readonly maxQueueBytes: number
  /** Called when the stream is over or the reader is too slow. */
  readonly onEnded: (reason: string) => void
  /** Called for an error while a frame was being sent, which must not reach the publisher. */
  readonly onError: (error: unknown) => void
}

/** One playback over RTMP: frames of a live stream become its messages. */
export class RtmpReader implements SubscriberSession {
  readonly id: string
  readonly protocol = "rtmp"
  readonly #context: ReaderContext
  readonly #logger: Logger
  readonly #stream: LiveStream
  readonly #streamId: number
  readonly #audioCodec: "aac" | "opus"
  readonly #startedAtMs: number
  readonly #unsubscribe: (() => void)[] = []
  readonly #totals = { videoFrames: 0, audioFrames: 0, bytes: 0, droppedFrames: 0 }
  readonly #rate = new RateMeter()
  readonly #lastTrack: { video: Track | undefined; audio: Track | undefined } = { video: undefined, audio: undefined }
  readonly #isWanted = { video: true, audio: true }
  /** Frames from the cache, until both kinds are there and can be sent in the order of time. */
  #replay: MediaFrame[] | undefined
  /** Whether the metadata said that there will be pictures; undefined before it was sent. */
  #announcesPictures: boolean | undefined
  #waitsForKeyframe = true
  #firstPictureUs: number | undefined
  #droppingSinceMs: number | undefined
  #isEnded = false

  /** Finds the stream. Throws `stream.not_live` or `session.limit`. */
  constructor(request: RtmpPlayRequested, context: ReaderContext) {
    const { name } = context
    this.id = context.id
    this.#context = context
    this.#logger = context.logger.child({ stream: name })
    this.#startedAtMs = context.nowMs()
    this.#stream = context.registry.find(name)
    this.#streamId = request.streamId
    const source = this.#stream.sources.audio
    const takesOpus = request.fourCcList.includes("Opus") || request.fourCcList.includes("*")
    this.#audioCodec = takesOpus && (source === "opus" || source === "packets") ? "opus" : "aac"
    this.#stream.addSubscriber(this)
    this.#logger.info("reader connected")
  }

  /** Begins to send; call it when the peer has been told that it plays. */
  start(): void {
    const { videoFrames, aacFrames, opusFrames } = this.#stream.lanes
    const replay: MediaFrame[] = []
    this.#replay = replay
    this.#unsubscribe.push(videoFrames.subscribe((frame) => this.#onFrame(frame), { replay: true }))
    const audio: (frame: AacFrame | OpusFrame) => void = (frame) => this.#onFrame(frame)
    if (this.#audioCodec === "opus") this.#unsubscribe.push(opusFrames.subscribe(audio, { replay: true }))
    else this.#unsubscribe.push(aacFrames.subscribe(audio, { replay: true }))
    this.#replay = undefined
    for (const frame of replay.sort((a, b) => decodingTimeUs(a) - decodingTimeUs(b))) this.#onFrame(frame)
    if (this.#waitsForKeyframe) this.#stream.requestKeyframe(this.#context.nowMs())
  }

  /** The hub says that the stream is over. */
  end(reason: string): void {
    if (this.#isEnded) return
    this.stop(reason)
    this.#context.onEnded(reason)
  }

  describe(nowMs: number): SessionFacts {
    const { bytes } = this.#totals
    return {
      remoteAddress: this.#context.remoteAddress,
      transport: "tcp",
      startedAtMs: this.#startedAtMs,
      bytes,
      bitrateBps: this.#rate.bitrateBps(nowMs),
      codecs: [this.#lastTrack.video, this.#lastTrack.audio].flatMap((track) =>
        track === undefined ? [] : CODEC_TITLES[track.codec],
      ),
    }
  }

  /** Players hold on to what was announced at the beginning. */
  onStreamEvent({ type }: StreamEvent): void {
    if (type !== "codec" || this.#announcesPictures === undefined || this.#announcesPictures === this.#hasPictures)
      return
    this.end("the codec of the video has changed: play the stream again")
  }

  /** The player turns a kind off or on. */
  onReceiveChanged({ kind, enabled }: RtmpReceiveChanged): void {
    this.#isWanted[kind] = enabled
    if (kind === "video" && !enabled) this.#waitsForKeyframe = true
  }

  /** Leaves the stream; does nothing the second time. */
  stop(reason: string): void {
    if (this.#isEnded) return
    this.#isEnded = true
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#stream.removeSubscriber(this)
    const durationMs = Math.round(this.#context.nowMs() - this.#startedAtMs)
    this.#logger.info({ reason, durationMs, ...this.#totals }, "reader gone")
    this.#context.grant.ended({ sessionId: sessionLabel(this.id), reason, durationMs, bytes: this.#totals.bytes })
  }

  #onFrame(frame: MediaFrame): void {
    if (this.#isEnded) return
    if (this.#replay !== undefined) {
      this.#replay.push(frame)
      return
    }
    try {
      this.#send(frame)
    } catch (error) {
      this.#context.onError(error)
    }
  }

  #send(frame: MediaFrame): void {
    const { kind } = frame.track
    if (!this.#isWanted[kind]) return
    if (this.#isBeforePicture(frame)) return
    if (this.#mustDrop(frame)) {
      this.#totals.droppedFrames++
      return
    }
    if (isVideo(frame)) {
      if (this.#waitsForKeyframe && !frame.isKeyframe) {
        this.#stream.requestKeyframe(this.#context.nowMs())
        return
      }
      this.#waitsForKeyframe = false
      this.#totals.videoFrames++
    } else this.#totals.audioFrames++
    if (this.#announcesPictures === undefined) this.#sendMetadata(frame.track)
    if (this.#lastTrack[kind] !== frame.track) {
      this.#lastTrack[kind] = frame.track
      this.#write(this.#context.messages.body(trackToFlv(frame.track, decodingTimeUs(frame)), this.#streamId))
    }
    this.#write(this.#context.messages.frame(frame, this.#streamId))
  }

  /** Sound before the first picture: players count from the first frame, and pictures must lie at the frames' distance from it. */
  #isBeforePicture(frame: MediaFrame): boolean {
    if (!this.#isWanted.video || !this.#hasPictures) return false
    if (isVideo(frame)) {
      if (this.#firstPictureUs === undefined && frame.isKeyframe) this.#firstPictureUs = frame.ptsUs
      return false
    }
    if (this.#firstPictureUs !== undefined) return frame.ptsUs < this.#firstPictureUs
    return this.#context.nowMs() - this.#startedAtMs < MAX_PICTURE_WAIT_MS
  }

  /** RTMP carries H.264; of a stream with other video, readers get the sound. */
  get #hasPictures(): boolean {
    return this.#stream.sources.video !== undefined && this.#stream.videoCodec === "h264"
  }

  /** A reader that is too slow gets nothing until its queue is nearly empty, then goes on with a keyframe. */
  #mustDrop(frame: MediaFrame): boolean {
    const { output, maxQueueBytes, nowMs } = this.#context
    if (this.#droppingSinceMs === undefined) {
      if (output.queuedBytes <= maxQueueBytes && output.delayMs <= MAX_DELAY_MS) return false
      this.#droppingSinceMs = nowMs()
      this.#waitsForKeyframe = true
      return true
    }
    if (output.queuedBytes <= maxQueueBytes / 8 && output.delayMs <= MAX_DELAY_MS / 8) {
      this.#droppingSinceMs = undefined
      return isVideo(frame) && !frame.isKeyframe
    }
    if (nowMs() - this.#droppingSinceMs > SLOW_TIMEOUT_MS) this.end("the reader is too slow")
    return true
  }

  #sendMetadata(first: Track): void {
    this.#announcesPictures = this.#hasPictures
    const { audio } = this.#stream.sources
    const contents: FlvContents = {
      video: this.#hasPictures ? "h264" : undefined,
      audio: audio === undefined ? undefined : this.#audioCodec,
    }
    const metadata = flvMetadata(contents, [...this.#stream.tracks, first])
    this.#write(this.#context.messages.data(serializeAmf0(["onMetaData", metadata]), this.#streamId))
  }

  #write(bytes: Uint8Array): void {
    this.#totals.bytes += bytes.length
    this.#rate.add(bytes.length, this.#context.nowMs())
    this.#context.output.send(bytes)
  }
}

function isVideo(frame: MediaFrame): frame is VideoFrame {
  return frame.track.kind === "video"
}

function decodingTimeUs(frame: MediaFrame): number {
  return isVideo(frame) ? frame.dtsUs : frame.ptsUs
}

/** A reader gets sound alone when no keyframe comes for longer. */
const MAX_PICTURE_WAIT_MS = 3_000
/** Live video that is later than this is better skipped. */
const MAX_DELAY_MS = 4_000
/** A reader that does not take what is queued within this time is ended. */
const SLOW_TIMEOUT_MS = 10_000
