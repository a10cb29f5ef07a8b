import { randomUUID } from "node:crypto"
import type { FlvFeedLimits } from "../../bridge/flv-feed.ts"
import { type ErrorCode, GatewayError } from "../../errors.ts"
import { VIDEO_FOURCC } from "../../flv/fourcc.ts"
import type { LiveStream } from "../../hub/live-stream.ts"
import type { VideoCodec } from "../../media/codec.ts"
import { RTMP_CLIENT_DEFAULTS } from "../../rtmp/client-options.ts"
import { listsFourCc, type PeerCapabilities } from "../../rtmp/peer-capabilities.ts"
import { FlvSubscriber } from "../flv-subscriber.ts"
import { type Logger, sessionLabel } from "../log.ts"
import type { connectRtmp, RtmpClientConnection, RtmpClosed } from "../rtmp/client.ts"
import { RtmpFlvOutput } from "../rtmp/flv-output.ts"
import type { RtmpMessageCache } from "../rtmp/message-cache.ts"
import { PushBackoff, type PushBackoffLimits } from "./push-backoff.ts"

/** Limits of each push. */
export interface PushLimits extends PushBackoffLimits, FlvFeedLimits {
  readonly connectTimeoutMs: number
  readonly stepTimeoutMs: number
  /** Certificates of private authorities to trust, PEM. */
  readonly ca: string | undefined
}

/** What all pushes work with. */
export interface PushContext {
  readonly limits: PushLimits
  /** The server's, so that one serialisation serves its readers and all targets. */
  readonly messages: RtmpMessageCache
  readonly logger: Logger
  readonly nowMs: () => number
  /** Whether a stream is still there. */
  readonly isLive: (stream: LiveStream) => boolean
  readonly connect: typeof connectRtmp
  readonly random: () => number
}

/** How a push stands. Times are on the gateway's clock. */
export type PushState =
  | { readonly type: "connecting" | "live"; readonly sinceMs: number }
  /** The target cannot be reached or hung up. */
  | { readonly type: "backingOff"; readonly sinceMs: number; readonly retryAtMs: number }
  /** The target refuses; it is tried again all the same, more slowly. `retryAtMs` undefined: it can never go well. */
  | { readonly type: "failed"; readonly sinceMs: number; readonly retryAtMs: number | undefined }

/** Something went wrong. */
export interface PushFailure {
  readonly error: GatewayError
  /** On the gateway's clock. */
  readonly atMs: number
}

/** Counts of a push since its start. */
export interface PushTotals {
  bytes: number
  droppedFrames: number
  attempts: number
  errors: number
}

/** Sends one live stream on to one RTMP server for as long as the stream lives, in as many attempts as it takes. */
export class StreamPush {
  readonly stream: LiveStream
  readonly #context: PushContext
  readonly #logger: Logger
  /** Sessions name their stream themselves. */
  readonly #sessionLogger: Logger
  readonly #backoff: PushBackoff
  /** Holds secrets. */
  readonly #url: string
  readonly #check: () => void
  /** Where the target asked to come next; holds secrets. */
  #nextUrl: string | undefined
  /** Of the stream when the present connection began. */
  #videoCodec: VideoCodec | undefined
  /** Of the connections before the present one. */
  readonly #totals: PushTotals = { bytes: 0, droppedFrames: 0, attempts: 0, errors: 0 }
  #state: PushState
  #lastFailure: PushFailure | undefined
  #loggedCode: ErrorCode | undefined
  #connection: RtmpClientConnection | undefined
  #subscriber: FlvSubscriber | undefined
  #isClosed = false

  /** Begins at once, unless `check` throws. `server` is what may be shown of the address. */
  constructor(stream: LiveStream, url: string, server: string, check: () => void, context: PushContext) {
    this.stream = stream
    this.#url = url
    this.#check = check
    this.#context = context
    this.#sessionLogger = context.logger.child({ protocol: "push", target: server })
    this.#logger = this.#sessionLogger.child({ stream: stream.name })
    this.#backoff = new PushBackoff(context.limits, context.random)
    this.#state = { type: "connecting", sinceMs: context.nowMs() }
    this.#connect()
  }

  get state(): PushState {
    return this.#state
  }

  /** Why it failed last, also when all goes well since. */
  get lastFailure(): PushFailure | undefined {
    return this.#lastFailure
  }

  get totals(): Readonly<PushTotals> {
    const { bytes = 0, droppedFrames = 0 } = this.#subscriber?.describe(this.#context.nowMs()) ?? {}
    const before = this.#totals
    return { ...before, bytes: before.bytes + bytes, droppedFrames: before.droppedFrames + droppedFrames }
  }

  /** Of the last seconds. */
  bitrateBps(nowMs: number): number {
    return this.#subscriber?.describe(nowMs).bitrateBps ?? 0
  }

  /** Tries again when it is time, and forgets past failures when it went well for long enough. Call it some times a second. */
  sweep(nowMs: number): void {
    const state = this.#state
    if (state.type === "live" && nowMs - state.sinceMs >= STABLE_MS) this.#backoff.reset()
    if (state.type !== "backingOff" && state.type !== "failed") return
    if (state.retryAtMs !== undefined && nowMs >= state.retryAtMs) this.#connect()
  }

  /** Ends it for good: unpublishes and hangs up. */
  close(reason: string): void {
    this.#isClosed = true
    this.#leave(reason)
    this.#connection?.end(reason)
  }

  #connect(): void {
    const { limits, nowMs, connect } = this.#context
    const url = this.#nextUrl ?? this.#url
    this.#nextUrl = undefined
    this.#state = { type: "connecting", sinceMs: nowMs() }
    this.#totals.attempts++
    try {
      this.#check()
      const connection: RtmpClientConnection = connect(url, {
        action: "publish",
        limits: { ...RTMP_CLIENT_DEFAULTS, stepTimeoutMs: limits.stepTimeoutMs },
        connectTimeoutMs: limits.connectTimeoutMs,
        ca: limits.ca,
        nowMs,
        logger: this.#logger,
        handlers: {
          established: ({ streamId, capabilities }) => this.#begin(connection, streamId, capabilities),
          closed: (facts) => this.#onClosed(facts),
        },
      })
      this.#connection = connection
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      this.#failForGood(error)
    }
  }

  #begin(connection: RtmpClientConnection, streamId: number, capabilities: PeerCapabilities): void {
    const { limits, messages, nowMs } = this.#context
    const id = randomUUID()
    try {
      this.#subscriber = new FlvSubscriber({
        id,
        protocol: "push",
        transport: "tcp",
        role: "push",
        remoteAddress: connection.remoteAddress,
        stream: this.stream,
        start: "keyframe",
        accepts: { opus: false, takesVideo: (codec) => takesVideo(capabilities, codec) },
        limits,
        output: new RtmpFlvOutput(connection.output, messages, streamId),
        logger: this.#sessionLogger.child({ session: sessionLabel(id) }),
        nowMs,
        onEnded: (reason) => {
          if (!this.#context.isLive(this.stream)) this.#isClosed = true
          connection.end(reason)
        },
        onError: (error) => {
          this.#logger.error({ err: error }, "push failed because of a bug in the gateway")
          connection.end("internal error")
        },
      })
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      connection.end(error.message)
      return
    }
    this.#state = { type: "live", sinceMs: nowMs() }
    this.#videoCodec = this.stream.videoCodec
    this.#subscriber.start()
  }

  /** Whatever the reason: as long as the stream lives, it comes again. */
  #onClosed({ reason, error, reconnectUrl }: RtmpClosed): void {
    const { nowMs } = this.#context
    const { type, sinceMs } = this.#state
    const wasLive = type === "live"
    const wasStable = wasLive && nowMs() - sinceMs >= STABLE_MS
    this.#connection = undefined
    this.#leave(reason)
    if (this.#isClosed) return
    this.#nextUrl = reconnectUrl
    const hasOtherCodec = wasLive && this.#videoCodec !== undefined && this.stream.videoCodec !== this.#videoCodec
    if (error === undefined && (hasOtherCodec || (reconnectUrl !== undefined && wasStable))) {
      this.#logger.info({ reason }, "push connects again")
      this.#connect()
      return
    }
    const failure = error ?? new GatewayError("rtmp.unreachable", reason)
    const isRefusal = failure.code === "rtmp.refused"
    this.#fail(failure)
    const retryAtMs = nowMs() + this.#backoff.nextMs(isRefusal)
    this.#state = { type: isRefusal ? "failed" : "backingOff", sinceMs: nowMs(), retryAtMs }
  }

  #failForGood(error: GatewayError): void {
    this.#fail(error)
    this.#state = { type: "failed", sinceMs: this.#context.nowMs(), retryAtMs: undefined }
  }

  /** The same trouble again is worth no more than a line for those who look for it. */
  #fail(error: GatewayError): void {
    this.#lastFailure = { error, atMs: this.#context.nowMs() }
    this.#totals.errors++
    const level = error.code === this.#loggedCode ? "debug" : "warn"
    this.#loggedCode = error.code
    this.#logger[level]({ code: error.code, reason: error.message }, "the stream cannot be pushed; trying again")
  }

  #leave(reason: string): void {
    const subscriber = this.#subscriber
    if (subscriber === undefined) return
    this.#subscriber = undefined
    subscriber.stop(reason)
    const { startedAtMs, bytes, droppedFrames = 0 } = subscriber.describe(this.#context.nowMs())
    this.#totals.bytes += bytes
    this.#totals.droppedFrames += droppedFrames
    if (this.#context.nowMs() - startedAtMs < STABLE_MS) return
    this.#backoff.reset()
    this.#loggedCode = undefined
  }
}

/** H.264 is what every server takes; other codecs come as Enhanced RTMP, to those who said that they know them. */
function takesVideo({ video }: PeerCapabilities, codec: VideoCodec): boolean {
  return codec === "h264" || listsFourCc(video, VIDEO_FOURCC[codec]) === true
}

/** A connection that lasted so long was a good one. */
const STABLE_MS = 10_000
