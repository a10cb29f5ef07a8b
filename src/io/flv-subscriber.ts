import {
  type FlvAcceptance,
  FlvFeed,
  type FlvFeedLimits,
  type FlvFeedTotals,
  type FlvReceiver,
} from "../bridge/flv-feed.ts"
import type { FlvStart } from "../bridge/flv-replay.ts"
import type { LiveStream } from "../hub/live-stream.ts"
import type { Protocol, SessionFacts, StreamEvent, SubscriberSession } from "../hub/session.ts"
import { CODEC_TITLES } from "../media/codec.ts"
import { decodingTimeUs, type MediaFrame, type Track } from "../media/frame.ts"
import { RateMeter } from "../media/rate-meter.ts"
import type { BroadcastMember, FlvBroadcast, FlvBroadcasts, FlvEncoder } from "./flv-broadcast.ts"
import type { Logger } from "./log.ts"

/** Where the bytes of a subscriber go. Methods that send return how many bytes they queued. */
export interface FlvOutput {
  readonly queuedBytes: number
  /** For how long the oldest of them have been waiting. */
  readonly delayMs: number
  metadata(values: ReadonlyMap<string, number | boolean>, timeUs: number): number
  track(track: Track, timeUs: number): number
  frame(frame: MediaFrame): number
  /** The body of a script tag that the publisher sent; left out where such are of no use. */
  scriptData?(payload: Uint8Array, timeUs: number): number
  /** Set where others send the same bytes: then what is common is made once for all of them. */
  readonly shared?: SharedFlvOutput | undefined
}

/** The part of an output that sends what is common to many. */
export interface SharedFlvOutput {
  readonly broadcasts: FlvBroadcasts
  readonly encoder: FlvEncoder
  /** Sends at once, after what was queued before. */
  send(bytes: Uint8Array): void
}

/** How a subscriber is set up. */
export interface FlvSubscriberOptions {
  readonly id: string
  readonly protocol: Protocol
  readonly transport: SessionFacts["transport"]
  /** What the log calls it: reader, push, recording. */
  readonly role: string
  readonly remoteAddress: string | undefined
  readonly stream: LiveStream
  readonly accepts: FlvAcceptance
  readonly start: FlvStart
  readonly limits: FlvFeedLimits
  readonly output: FlvOutput
  readonly logger: Logger
  readonly nowMs: () => number
  /** The stream is over, or the receiver too slow: end the connection. Not called after `stop`. */
  readonly onEnded: (reason: string) => void
  /** The publisher was lost and may return, or one has returned. */
  readonly onPublisher?: (isThere: boolean) => void
  /** An error while a frame was being sent, which must not reach the publisher. */
  readonly onError: (error: unknown) => void
  /** Called once, when it is over for whatever reason. */
  readonly onStopped?: (facts: { readonly reason: string; readonly durationMs: number; readonly bytes: number }) => void
}

/** One receiver of a live stream in FLV's terms, whatever carries them: what RTMP readers, pushes, HTTP-FLV viewers and recordings share. */
export class FlvSubscriber implements SubscriberSession, FlvReceiver, BroadcastMember {
  readonly id: string
  readonly protocol: Protocol
  readonly #options: FlvSubscriberOptions
  readonly #logger: Logger
  readonly #feed: FlvFeed
  readonly #startedAtMs: number
  readonly #rate = new RateMeter()
  #bytes = 0
  #broadcast: { readonly source: FlvBroadcast; readonly since: FlvFeedTotals } | undefined
  #isJoining = false
  #isStopped = false

  /** Joins the stream. Throws `session.limit`. */
  constructor(options: FlvSubscriberOptions) {
    const { stream, accepts, limits, nowMs } = options
    this.id = options.id
    this.protocol = options.protocol
    this.#options = options
    this.#logger = options.logger.child({ stream: stream.name })
    this.#startedAtMs = nowMs()
    this.#feed = new FlvFeed(stream, accepts, limits, nowMs, this)
    stream.addSubscriber(this)
    this.#logger.info(`${options.role} connected`)
  }

  get queuedBytes(): number {
    return this.#options.output.queuedBytes
  }

  get delayMs(): number {
    return this.#options.output.delayMs
  }

  /** Begins to send. */
  start(): void {
    this.#feed.start(this.#options.start)
  }

  /** The receiver turns a kind off or on. */
  want(kind: Track["kind"], isWanted: boolean): void {
    this.#leave()
    this.#feed.want(kind, isWanted)
  }

  metadata(values: ReadonlyMap<string, number | boolean>, timeUs: number): void {
    this.#try(() => this.#count(this.#options.output.metadata(values, timeUs)))
  }

  track(track: Track, timeUs: number): void {
    this.#try(() => this.#count(this.#options.output.track(track, timeUs)))
  }

  frame(frame: MediaFrame): void {
    if (this.#isStopped) return
    try {
      this.#count(this.#options.output.frame(frame))
    } catch (error) {
      this.#options.onError(error)
    }
    this.#joinSoon()
  }

  /** What it has in common with others who keep up; one that does not goes on by itself. */
  deliver(bytes: Uint8Array, frames: number): void {
    if (this.#isStopped) return
    if (this.#feed.isBehind) {
      this.#leave()
      this.#feed.drop(frames)
      return
    }
    try {
      this.#options.output.shared?.send(bytes)
      this.#bytes += bytes.length
    } catch (error) {
      this.#options.onError(error)
    }
  }

  /** The feed has ended by itself. */
  ended(reason: string): void {
    this.end(reason)
  }

  /** The hub or an administrator ends it. */
  end(reason: string): void {
    if (this.#isStopped) return
    this.stop(reason)
    this.#options.onEnded(reason)
  }

  /** Leaves the stream; does nothing the second time. */
  stop(reason: string): void {
    if (this.#isStopped) return
    this.#leave()
    this.#isStopped = true
    this.#feed.stop()
    const { stream, nowMs, role, onStopped } = this.#options
    stream.removeSubscriber(this)
    const durationMs = Math.round(nowMs() - this.#startedAtMs)
    this.#logger.info({ reason, durationMs, bytes: this.#bytes, ...this.#feed.totals }, `${role} gone`)
    onStopped?.({ reason, durationMs, bytes: this.#bytes })
  }

  onStreamEvent(event: StreamEvent): void {
    const { type } = event
    if (type === "codec") this.#feed.onCodecChange()
    if (type === "inactive" || type === "active") this.#options.onPublisher?.(type === "active")
    if (type === "scriptData") this.#onScriptData(event.payload)
  }

  describe(nowMs: number): SessionFacts {
    return {
      remoteAddress: this.#options.remoteAddress,
      transport: this.#options.transport,
      startedAtMs: this.#startedAtMs,
      bytes: this.#bytes,
      bitrateBps: (this.#broadcast?.source ?? this.#rate).bitrateBps(nowMs),
      droppedFrames: this.#feed.totals.droppedFrames,
      codecs: this.#feed.tracks.map(({ codec }) => CODEC_TITLES[codec]),
    }
  }

  /** It belongs to the frame before it; who has none yet, or is behind, goes without. */
  #onScriptData(payload: Uint8Array): void {
    const { stream, output } = this.#options
    const last = stream.lanes.videoFrames.last ?? stream.lanes.aacFrames.last
    if (last === undefined || this.#feed.tracks.length === 0 || this.#feed.isBehind) return
    this.#try(() => this.#count(output.scriptData?.(payload, decodingTimeUs(last)) ?? 0))
  }

  /** After the turn, when others have had the same frames. */
  #joinSoon(): void {
    const { stream, output } = this.#options
    if (this.#isJoining || output.shared === undefined || this.#feed.sharedKey === undefined) return
    const { broadcasts, encoder } = output.shared
    this.#isJoining = true
    queueMicrotask(() => {
      this.#isJoining = false
      const key = this.#feed.sharedKey
      if (key === undefined || this.#isStopped || this.#broadcast !== undefined) return
      const source = broadcasts.join(stream, encoder, key, this.#feed, this)
      this.#broadcast = { source, since: { ...source.totals } }
      this.#feed.suspend()
    })
  }

  #leave(): void {
    if (this.#broadcast === undefined) return
    const { source, since } = this.#broadcast
    this.#broadcast = undefined
    this.#feed.resume(source.feed, since)
    source.remove(this)
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    this.#rate.add(bytes, this.#options.nowMs())
  }

  #try(action: () => void): void {
    if (this.#isStopped) return
    try {
      action()
    } catch (error) {
      this.#options.onError(error)
    }
  }
}
