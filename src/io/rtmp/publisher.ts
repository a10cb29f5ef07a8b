import type { AccessGrant } from "../../access/access.ts"
import { FlvToFrames } from "../../bridge/flv-to-frames.ts"
import type { LiveStream } from "../../hub/live-stream.ts"
import type { PublisherSession, SessionFacts } from "../../hub/session.ts"
import type { StreamName } from "../../hub/stream-name.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import { CODEC_TITLES } from "../../media/codec.ts"
import { RateMeter } from "../../media/rate-meter.ts"
import { amfField } from "../../rtmp/amf0.ts"
import type { RtmpMedia, RtmpMetadata } from "../../rtmp/server-events.ts"
import { type Logger, sessionLabel } from "../log.ts"

/** What a publisher needs from what brings its media: a connection, or a pull by RTMP or HTTP. */
export interface PublisherContext {
  readonly id: string
  /** `pull` where it was us who asked for the media; `rtmp` where left out. */
  readonly protocol?: "rtmp" | "pull"
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
export class RtmpPublisher implements PublisherSession {
  readonly id: string
  readonly protocol: "rtmp" | "pull"
  readonly identity: string | undefined
  readonly #context: PublisherContext
  readonly #logger: Logger
  readonly #stream: LiveStream
  readonly #startedAtMs: number
  readonly #totals = { videoFrames: 0, audioFrames: 0, bytes: 0 }
  readonly #rate = new RateMeter()
  #frames: FlvToFrames | undefined
  readonly #warnings = new Set<string>()
  #lastMediaMs: number
  #isEnded = false

  /** Takes the name in the registry. Throws `stream.busy` or `session.limit`. */
  constructor(context: PublisherContext) {
    const { name, grant } = context
    this.id = context.id
    this.protocol = context.protocol ?? "rtmp"
    this.identity = grant.identity
    this.#context = context
    this.#logger = context.logger.child({ stream: name })
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
  onMetadata({ values }: RtmpMetadata): void {
    if (this.#isEnded) return
    const video = amfField(values, "videocodecid")
    const audio = amfField(values, "audiocodecid")
    if (video === AVC || video === AVC_FOURCC) this.#stream.useVideo("frames", "h264")
    if (audio === AAC || audio === AAC_FOURCC) this.#stream.useAudio("aac")
    if (audio === OPUS_FOURCC) this.#stream.useAudio("opus")
  }

  /** Throws what `FlvToFrames` throws. */
  onMedia({ type, timestampMs, payload }: RtmpMedia): void {
    if (this.#isEnded) return
    this.#totals.bytes += payload.length
    const nowMs = this.#context.nowMs()
    this.#lastMediaMs = nowMs
    this.#rate.add(payload.length, nowMs)
    this.#frames ??= new FlvToFrames(this.#stream.startUs(nowMs))
    if (type === "video") {
      const frame = this.#frames.pushVideo(timestampMs, payload, nowMs)
      if (frame === undefined) return
      this.#totals.videoFrames++
      if (this.#frames.hasBFrames) this.#warnOnce(B_FRAMES)
      if (frame.track.codec === "h264" && frame.track.sps.some((sps) => !PROFILES_OF_BROWSERS.has(sps[1])))
        this.#warnOnce(PROFILE)
      this.#stream.pushFrame(frame)
    } else {
      const frame = this.#frames.pushAudio(timestampMs, payload, nowMs)
      if (frame === undefined) return
      this.#totals.audioFrames++
      this.#stream.pushFrame(frame)
    }
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

  #warnOnce(message: string): void {
    if (this.#warnings.has(message)) return
    this.#warnings.add(message)
    this.#logger.warn(message)
  }
}

/** Codec ids in metadata: the numbers of FLV, or FourCC codes as numbers (Enhanced RTMP). */
const AVC = 7
const AVC_FOURCC = 0x61766331
const AAC = 10
const AAC_FOURCC = 0x6d703461
const OPUS_FOURCC = 0x4f707573
const B_FRAMES =
  "the video has B-frames: WebRTC viewers see it some frames later, and some browsers with fewer pictures a second; set B-frames to 0 in the encoder (x264: bframes=0, or tune zerolatency)"
const PROFILE =
  "the video has 10 bits or full colour resolution, which many browsers cannot show: set the encoder's pixel format to yuv420p (NV12 in OBS, I420 in GStreamer)"
/** `profile_idc` of Baseline, Main, Extended and High, the second byte of an SPS. */
const PROFILES_OF_BROWSERS: ReadonlySet<number | undefined> = new Set([66, 77, 88, 100])
