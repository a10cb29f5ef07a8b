import type { AccessGrant } from "../access/access.ts"
import { FlvToFrames } from "../bridge/flv-to-frames.ts"
import { audioCodecOfMetadata, videoCodecOfMetadata } from "../flv/codec-id.ts"
import type { LiveStream } from "../hub/live-stream.ts"
import type { PublisherSession, SessionFacts } from "../hub/session.ts"
import type { StreamName } from "../hub/stream-name.ts"
import type { StreamRegistry } from "../hub/stream-registry.ts"
import { CODEC_TITLES } from "../media/codec.ts"
import { isVideoFrame } from "../media/frame.ts"
import { RateMeter } from "../media/rate-meter.ts"
import { type AmfValue, amfField } from "../rtmp/amf-value.ts"
import { serializeAmf0 } from "../rtmp/amf0.ts"
import { type Logger, sessionLabel } from "./log.ts"
import { PublisherWarnings } from "./publisher-warnings.ts"

/** A video or audio message of RTMP, or such a tag of FLV. */
export interface FlvMedia {
  readonly type: "audio" | "video"
  /** Unsigned 32 bits, wraps. */
  readonly timestampMs: number
  readonly payload: Uint8Array
}

/** What a publisher needs from what brings its media: a connection, or a pull by RTMP or HTTP. */
export interface FlvPublisherContext {
  readonly id: string
  /** `pull` where it was us who asked for the media. */
  readonly protocol: "rtmp" | "pull"
  readonly name: StreamName
  /** The permission; told when the publication is over. */
  readonly grant: AccessGrant
  /** The peer, for lists. */
  readonly remoteAddress: string | undefined
  readonly registry: StreamRegistry
  readonly logger: Logger
  readonly nowMs: () => number
  /** Called when the hub ends the publication. */
  readonly onRevoked: (reason: string) => void
}

/** One publication in FLV's terms: its messages become frames of a live stream. */
export class FlvPublisher implements PublisherSession {
  readonly id: string
  readonly protocol: "rtmp" | "pull"
  readonly identity: string | undefined
  readonly #context: FlvPublisherContext
  readonly #logger: Logger
  readonly #stream: LiveStream
  readonly #startedAtMs: number
  readonly #totals = { videoFrames: 0, audioFrames: 0, bytes: 0 }
  readonly #rate = new RateMeter()
  #frames: FlvToFrames | undefined
  readonly #warnings: PublisherWarnings
  #lastMediaMs: number
  #isEnded = false

  /** Takes the name in the registry. Throws `stream.busy` or `session.limit`. */
  constructor(context: FlvPublisherContext) {
    const { name, grant } = context
    this.id = context.id
    this.protocol = context.protocol
    this.identity = grant.identity
    this.#context = context
    this.#logger = context.logger.child({ stream: name })
    this.#warnings = new PublisherWarnings((message) => this.#logger.warn(message))
    this.#startedAtMs = context.nowMs()
    this.#lastMediaMs = this.#startedAtMs
    this.#stream = context.registry.publish(name, this, this.#startedAtMs)
    this.#logger.info("publisher connected")
  }

  get lastMediaMs(): number {
    return this.#lastMediaMs
  }

  /** RTMP has no way to ask for one. */
  requestKeyframe(): void {}

  /** The hub ends the publication. */
  end(reason: string): void {
    if (this.#isEnded) return
    this.stop(reason)
    this.#context.onRevoked(reason)
  }

  /** Lets readers know which kinds will come before they do. */
  onMetadata(values: AmfValue): void {
    if (this.#isEnded) return
    const video = videoCodecOfMetadata(amfField(values, "videocodecid"))
    const audio = audioCodecOfMetadata(amfField(values, "audiocodecid"))
    if (video !== undefined) this.#stream.useVideo("frames", video)
    if (audio !== undefined) this.#stream.useAudio(audio === "aac" || audio === "opus" ? audio : "passed")
  }

  /** Throws what `FlvToFrames` throws. */
  onMedia({ type, timestampMs, payload }: FlvMedia): void {
    if (this.#isEnded) return
    this.#totals.bytes += payload.length
    const nowMs = this.#context.nowMs()
    this.#lastMediaMs = nowMs
    this.#rate.add(payload.length, nowMs)
    this.#frames ??= new FlvToFrames(this.#stream.startUs(nowMs))
    const frame =
      type === "video"
        ? this.#frames.pushVideo(timestampMs, payload, nowMs)
        : this.#frames.pushAudio(timestampMs, payload, nowMs)
    this.#warnings.check(type, this.#frames)
    if (frame === undefined) return
    if (isVideoFrame(frame)) this.#totals.videoFrames++
    else this.#totals.audioFrames++
    this.#warnings.checkTrack(frame.track)
    this.#stream.pushFrame(frame)
  }

  /** Passes on what is meant for viewers: captions, texts, cue points. Other names could be taken for words of this gateway. */
  onUserData(name: string, values: readonly AmfValue[]): void {
    if (this.#isEnded || !/^on[A-Z]/.test(name) || NOT_PASSED_ON.has(name)) return
    this.#stream.pushScriptData(serializeAmf0([name, ...values]))
  }

  describe(nowMs: number): SessionFacts {
    const { bytes } = this.#totals
    return {
      remoteAddress: this.#context.remoteAddress,
      transport: "tcp",
      startedAtMs: this.#startedAtMs,
      bytes,
      bitrateBps: this.#rate.bitrateBps(nowMs),
      codecs: [...this.#stream.tracks].map(({ codec }) => CODEC_TITLES[codec]),
    }
  }

  /** The publication is over: gives the name back; does nothing the second time. */
  stop(reason: string): void {
    this.#leave(reason, false)
  }

  /** The connection is gone: the name is kept for a while for the publisher to return. */
  lose(reason: string): void {
    this.#leave(reason, true)
  }

  #leave(reason: string, mayReturn: boolean): void {
    if (this.#isEnded) return
    this.#isEnded = true
    const nowMs = this.#context.nowMs()
    this.#context.registry.unpublish(this.#stream, this, reason, { mayReturn, nowMs })
    const durationMs = Math.round(nowMs - this.#startedAtMs)
    this.#logger.info({ reason, durationMs, ...this.#totals }, "publisher gone")
    this.#context.grant.ended({ sessionId: sessionLabel(this.id), reason, durationMs, bytes: this.#totals.bytes })
  }
}

/** Said by this gateway to its readers. */
const NOT_PASSED_ON = new Set(["onMetaData", "onStatus", "onBWDone"])
