import { matchesPattern } from "../../access/pattern.ts"
import type { FlvFeedLimits } from "../../bridge/flv-feed.ts"
import { GatewayError } from "../../errors.ts"
import { type RecordingTimeZone, recordingTemplateProblem } from "../../flv/recording-name.ts"
import type { LiveStream } from "../../hub/live-stream.ts"
import type { StreamName } from "../../hub/stream-name.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import type { Logger } from "../log.ts"
import type { RecordingFiles } from "./files.ts"
import {
  Recording,
  type RecordingCause,
  type RecordingContext,
  type RecordingSettings,
  type RecordingSummary,
} from "./recording.ts"

/** A rule of the configuration: streams to record, and what is other for them. */
export interface RecordingRule
  extends Partial<{ [Key in keyof RecordingSettings]: RecordingSettings[Key] | undefined }> {
  /** Such as `live/*`. */
  readonly stream: string
}

/** How recordings are set up: the section of the configuration, and the gateway's parts. */
export interface RecordingsOptions extends RecordingSettings {
  readonly folder: string
  readonly timeZone: RecordingTimeZone
  readonly rules: readonly RecordingRule[]
  readonly allowPublishers: boolean
  readonly minFreeBytes: number
  readonly maxRecordings: number
  readonly queueMaxBytes: number
  readonly maxDelayMs: number
  readonly slowTimeoutMs: number
  readonly retryMs: number
  readonly registry: StreamRegistry
  readonly files: RecordingFiles
  readonly logger: Logger
  readonly nowMs: () => number
  readonly onBug: (error: unknown) => void
}

/** What an administrator may ask for beside the stream; the configuration stands for the rest. */
export type RecordingWishes = Omit<RecordingRule, "stream">

/** All recordings of a gateway: those that rules start with a stream, and those that somebody asks for. */
export class Recordings {
  readonly #options: RecordingsOptions
  readonly #context: RecordingContext
  /** Also those that have ended and still finish a file. */
  readonly #recordings = new Map<string, Recording>()
  /** Those that are over, newest last. */
  #ended: RecordingSummary[] = []
  /** Streams that are looked after: by a recording, or by nobody on purpose. */
  readonly #seen = new WeakSet<LiveStream>()
  /** When a stream's first media came, on the gateway's clock. */
  readonly #mediaSinceMs = new WeakMap<LiveStream, number>()
  /** Those whose publisher asked for a recording. */
  readonly #wished = new WeakSet<LiveStream>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #failures = 0
  #endedBytes = 0
  #isClosing = false

  constructor(options: RecordingsOptions) {
    this.#options = options
    const { queueMaxBytes, maxDelayMs, slowTimeoutMs, registry } = options
    const limits: FlvFeedLimits = { maxQueueBytes: queueMaxBytes, maxDelayMs, slowTimeoutMs }
    const isLive = (stream: LiveStream) => registry.get(stream.name) === stream
    this.#context = { ...options, limits, isLive, now: () => new Date() }
    if (options.rules.length === 0 && !options.allowPublishers) return
    this.#timers.add(setInterval(() => this.sweep(), SWEEP_INTERVAL_MS))
  }

  /** Since the start of the gateway. */
  get totals(): { readonly running: number; readonly failures: number; readonly bytes: number } {
    const recordings = [...this.#recordings.values()]
    const bytes = recordings.reduce((sum, recording) => sum + recording.bytes, this.#endedBytes)
    return { running: recordings.filter(({ isRunning }) => isRunning).length, failures: this.#failures, bytes }
  }

  /** Running recordings and the last ones that have ended, oldest first. */
  list(): RecordingSummary[] {
    return [...this.#ended, ...[...this.#recordings.values()].map((recording) => recording.describe())]
  }

  /** Records a live stream. Throws `stream.not_live`, `recording.template`, `session.limit` and `gateway.closing`. */
  start(stream: StreamName, wishes: RecordingWishes = {}): RecordingSummary {
    const settings = this.#settings(wishes)
    const problem = recordingTemplateProblem(settings.template)
    if (problem !== undefined) throw new GatewayError("recording.template", `the template ${problem}`)
    return this.#record(this.#options.registry.find(stream), "api", settings).describe()
  }

  /** Ends a recording; false where none of that id runs. */
  stop(id: string): boolean {
    const recording = this.#recordings.get(id)
    if (recording?.isRunning !== true) return false
    recording.stop("stopped by an administrator")
    return true
  }

  /** A publisher wants its stream to be recorded (RTMP `publish` of type `record` or `append`); it is where the configuration lets it. */
  wish(name: StreamName): void {
    const stream = this.#options.registry.get(name)
    if (stream === undefined || !this.#options.allowPublishers) return
    this.#wished.add(stream)
    if (!this.#isRecorded(stream)) this.#seen.delete(stream)
  }

  /** Begins what rules and publishers want. Call it some times a second. */
  sweep(): void {
    const { registry, nowMs } = this.#options
    for (const stream of registry.list()) {
      if (this.#seen.has(stream) || !this.#isReady(stream, nowMs())) continue
      this.#seen.add(stream)
      const rule = this.#options.rules.find((known) => matchesPattern(known.stream, stream.name))
      if (rule !== undefined) this.#tryToRecord(stream, "config", this.#settings(rule))
      else if (this.#wished.has(stream)) this.#tryToRecord(stream, "publisher", this.#settings({}))
    }
  }

  /** Ends all recordings; resolves when their files are complete, or the time is over. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosing = true
    for (const timer of this.#timers) clearTimeout(timer)
    const recordings = [...this.#recordings.values()]
    for (const recording of recordings) recording.stop("the gateway is closing")
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, timeoutMs)
    await Promise.race([Promise.all(recordings.map((recording) => recording.settled())), late.promise])
    clearTimeout(timer)
  }

  /** A file says at its beginning what it will hold, so both kinds should be known; sound or pictures alone are believed after a while. */
  #isReady(stream: LiveStream, nowMs: number): boolean {
    const { video, audio } = stream.sources
    if (video !== undefined && audio !== undefined) return true
    if (video === undefined && audio === undefined) return false
    const sinceMs = this.#mediaSinceMs.get(stream) ?? nowMs
    this.#mediaSinceMs.set(stream, sinceMs)
    return nowMs - sinceMs >= SECOND_TRACK_WAIT_MS
  }

  /** By a rule or for its publisher. */
  #isRecorded(stream: LiveStream): boolean {
    for (const recording of this.#recordings.values()) {
      if (recording.stream === stream && recording.cause !== "api" && recording.isRunning) return true
    }
    return false
  }

  #settings(wishes: RecordingWishes): RecordingSettings {
    const { template, audio, maxFileDurationMs, maxFileBytes } = this.#options
    return {
      template: wishes.template ?? template,
      audio: wishes.audio ?? audio,
      maxFileDurationMs: wishes.maxFileDurationMs ?? maxFileDurationMs,
      maxFileBytes: wishes.maxFileBytes ?? maxFileBytes,
    }
  }

  #tryToRecord(stream: LiveStream, cause: RecordingCause, settings: RecordingSettings): void {
    try {
      this.#record(stream, cause, settings)
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      this.#options.logger.error({ stream: stream.name, code: error.code, reason: error.message }, "recording failed")
      this.#failures++
      this.#retry(stream, cause, settings)
    }
  }

  #record(stream: LiveStream, cause: RecordingCause, settings: RecordingSettings): Recording {
    if (this.#isClosing) throw new GatewayError("gateway.closing", "the gateway is shutting down")
    if (this.#recordings.size >= this.#options.maxRecordings) {
      throw new GatewayError("session.limit", `${this.#recordings.size} recordings run, the most there may be`)
    }
    const recording = new Recording(stream, cause, settings, this.#context, () => void this.#onEnded(recording))
    this.#recordings.set(recording.id, recording)
    try {
      recording.start()
    } catch (error) {
      this.#recordings.delete(recording.id)
      throw error
    }
    return recording
  }

  async #onEnded(recording: Recording): Promise<void> {
    const { stream, cause, settings, error } = recording
    if (error !== undefined) {
      this.#failures++
      if (cause !== "api") this.#retry(stream, cause, settings)
    }
    await recording.settled()
    this.#recordings.delete(recording.id)
    this.#endedBytes += recording.bytes
    this.#ended.push(recording.describe())
    if (this.#ended.length > MAX_ENDED) this.#ended = this.#ended.slice(-MAX_ENDED)
  }

  #retry(stream: LiveStream, cause: RecordingCause, settings: RecordingSettings): void {
    if (this.#isClosing) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      if (this.#context.isLive(stream) && !this.#isRecorded(stream)) this.#tryToRecord(stream, cause, settings)
    }, this.#options.retryMs)
    this.#timers.add(timer)
  }
}

const SWEEP_INTERVAL_MS = 100
const SECOND_TRACK_WAIT_MS = 1_000
const MAX_ENDED = 100
