import { randomUUID } from "node:crypto"
import { relative, resolve, sep } from "node:path"
import type { FlvFeedLimits } from "../../bridge/flv-feed.ts"
import { GatewayError } from "../../errors.ts"
import { type RecordingTimeZone, recordingName } from "../../flv/recording-name.ts"
import type { RotationLimits } from "../../flv/recording-rotation.ts"
import type { LiveStream } from "../../hub/live-stream.ts"
import type { VideoCodec } from "../../media/codec.ts"
import { FlvSubscriber } from "../flv-subscriber.ts"
import { type Logger, sessionLabel } from "../log.ts"
import type { RecordingFiles } from "./files.ts"
import { RecordingFile } from "./recording-file.ts"
import { RecordingOutput } from "./recording-output.ts"

/** What is recorded, and how. */
export interface RecordingSettings extends RotationLimits {
  readonly template: string
  /** `published` keeps Opus as it comes. */
  readonly audio: "aac" | "published"
}

/** What all recordings share. */
export interface RecordingContext {
  readonly folder: string
  readonly timeZone: RecordingTimeZone
  readonly minFreeBytes: number
  readonly limits: FlvFeedLimits
  readonly files: RecordingFiles
  readonly logger: Logger
  readonly nowMs: () => number
  /** False for a stream that is over. */
  readonly isLive: (stream: LiveStream) => boolean
  /** For the names of files. */
  readonly now: () => Date
  readonly onBug: (error: unknown) => void
}

/** Who wanted a recording. */
export type RecordingCause = "config" | "api" | "publisher"

/** A file of a recording, for lists. */
export interface RecordedFile {
  /** Below the folder of recordings, with `/`. */
  readonly name: string
  readonly state: "recording" | "complete" | "failed"
  readonly bytes: number
  readonly durationMs: number
}

/** A recording, for lists. */
export interface RecordingSummary {
  readonly id: string
  /** `app/stream`. */
  readonly stream: string
  readonly cause: RecordingCause
  /** Failed: it ended before the stream did, for the reason that `error` tells. */
  readonly state: "recording" | "finished" | "failed"
  readonly error?: { readonly code: string; readonly detail: string }
  /** RFC 3339. */
  readonly since: string
  /** Of all its files. */
  readonly bytes: number
  /** The newest ones, oldest first. */
  readonly files: readonly RecordedFile[]
}

/** The recording of one stream into one file after another, from its start to its end. */
export class Recording {
  readonly id = sessionLabel(randomUUID())
  readonly stream: LiveStream
  readonly cause: RecordingCause
  readonly settings: RecordingSettings
  readonly #context: RecordingContext
  readonly #startedAt: Date
  readonly #logger: Logger
  readonly #onEnded: () => void
  readonly #entries: FileEntry[] = []
  readonly #finishing = new Set<Promise<void>>()
  #session: { readonly subscriber: FlvSubscriber; readonly output: RecordingOutput } | undefined
  /** Of the video when the present file began. */
  #codec: VideoCodec | undefined
  #parts = 0
  #forgottenBytes = 0
  #error: GatewayError | undefined

  /** `onEnded` is called once, when a recording that has begun is over. */
  constructor(
    stream: LiveStream,
    cause: RecordingCause,
    settings: RecordingSettings,
    context: RecordingContext,
    onEnded: () => void,
  ) {
    this.stream = stream
    this.cause = cause
    this.settings = settings
    this.#startedAt = context.now()
    this.#context = context
    this.#logger = context.logger.child({ recording: this.id, protocol: "recording" })
    this.#onEnded = onEnded
  }

  /** Begins to record. Throws `session.limit`. */
  start(): void {
    this.#begin()
  }

  /** What it failed of; undefined as long as it has not. */
  get error(): GatewayError | undefined {
    return this.#error
  }

  /** False as soon as it takes no more, though its last file may still be written. */
  get isRunning(): boolean {
    return this.#session !== undefined
  }

  /** How many bytes it has recorded, in all files. */
  get bytes(): number {
    return this.#entries.reduce((sum, entry) => sum + factsOf(entry).bytes, this.#forgottenBytes)
  }

  /** How it stands. */
  describe(): RecordingSummary {
    const ended = this.#error === undefined ? "finished" : "failed"
    return {
      id: this.id,
      stream: this.stream.name,
      cause: this.cause,
      state: this.isRunning ? "recording" : ended,
      ...(this.#error !== undefined && { error: { code: this.#error.code, detail: this.#error.message } }),
      since: this.#startedAt.toISOString(),
      bytes: this.bytes,
      files: this.#entries.map((entry) => ({ state: entry.state, ...factsOf(entry) })),
    }
  }

  get #name(): { readonly stream: string } {
    return { stream: this.stream.name }
  }

  /** Ends it; its files are complete when `settled` resolves. */
  stop(reason: string): void {
    this.#session?.subscriber.stop(reason)
    this.#end(undefined)
  }

  /** Resolves when no file is being finished. */
  async settled(): Promise<void> {
    await Promise.all(this.#finishing)
  }

  #begin(): void {
    const { stream } = this
    const { nowMs, limits } = this.#context
    const output = new RecordingOutput({
      ...this.settings,
      open: (startUs, properties) => this.#open(startUs, properties),
      finish: (file) => this.#finish(file),
      wantKeyframe: () => stream.requestKeyframe(nowMs()),
    })
    const subscriber = new FlvSubscriber({
      id: randomUUID(),
      protocol: "recording",
      transport: "file",
      role: "recording",
      remoteAddress: undefined,
      stream,
      start: "keyframe",
      accepts: { opus: this.settings.audio === "published", takesVideo: () => true },
      limits,
      output,
      logger: this.#logger,
      nowMs,
      onEnded: () => this.#onFeedEnded(),
      onError: (error) => {
        if (!(error instanceof GatewayError)) this.#context.onBug(error)
        this.#fail(error instanceof GatewayError ? error : new GatewayError("recording.failed", "a bug in the gateway"))
      },
    })
    this.#session = { subscriber, output }
    subscriber.start()
  }

  /** The stream is over, somebody has ended the session, or the feed could not go on. */
  #onFeedEnded(): void {
    const { stream } = this
    const { output } = this.#session ?? {}
    if (output === undefined) return
    const { isLive, limits } = this.#context
    if (!isLive(stream)) this.#end(undefined)
    else if (this.#codec !== stream.videoCodec) {
      output.end()
      this.#beginAnew()
    } else if (output.queuedBytes > limits.maxQueueBytes / 8 || output.delayMs > limits.maxDelayMs / 8) {
      this.#end(new GatewayError("recording.failed", "the disk is too slow for the stream: record to a faster one"))
    } else this.#end(undefined)
  }

  /** A file holds one codec. */
  #beginAnew(): void {
    try {
      this.#begin()
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      this.#end(error)
    }
  }

  #fail(error: GatewayError): void {
    if (this.#session === undefined) return
    this.#session.subscriber.stop(error.message)
    this.#end(error)
  }

  #end(error: GatewayError | undefined): void {
    const { output } = this.#session ?? {}
    if (output === undefined) return
    this.#session = undefined
    this.#error = error
    if (error !== undefined)
      this.#logger.error({ ...this.#name, code: error.code, reason: error.message }, "recording failed")
    output.end()
    this.#onEnded()
  }

  #open(startUs: number, properties: ReadonlyMap<string, number | boolean>): RecordingFile {
    const { folder, timeZone, minFreeBytes, files, nowMs, now } = this.#context
    this.#codec = this.stream.videoCodec
    const startedAt = now()
    const [app = "", stream = ""] = this.stream.name.split("/")
    const facts = { app, stream, startedAt, part: ++this.#parts, id: this.id }
    const path = pathBelow(folder, recordingName(this.settings.template, facts, timeZone))
    const onFailed = (error: GatewayError) => {
      entry.state = "failed"
      this.#fail(error)
    }
    const file = new RecordingFile({ path, files, startUs, startedAt, properties, minFreeBytes, nowMs, onFailed })
    const entry: FileEntry = { state: "recording", source: { file, folder: resolve(folder) } }
    this.#entries.push(entry)
    const forgotten = this.#entries.length > MAX_LISTED_FILES ? this.#entries.shift() : undefined
    if (forgotten !== undefined) this.#forgottenBytes += factsOf(forgotten).bytes
    return file
  }

  #finish(file: RecordingFile): void {
    const finishing = file.finish().then(() => {
      this.#finishing.delete(finishing)
      const entry = this.#entries.find(({ source }) => "file" in source && source.file === file)
      if (entry === undefined) return
      const facts = factsOf(entry)
      entry.source = facts
      if (entry.state === "recording") entry.state = "complete"
      const { bytes, durationMs } = facts
      this.#logger.info({ ...this.#name, file: file.path, bytes, durationMs, state: entry.state }, "recording written")
    })
    this.#finishing.add(finishing)
  }
}

/** A file in the list of its recording; what was needed to write it goes when it is done. */
interface FileEntry {
  state: RecordedFile["state"]
  source: { readonly file: RecordingFile; readonly folder: string } | FileFacts
}

type FileFacts = Omit<RecordedFile, "state">

function factsOf({ source }: FileEntry): FileFacts {
  if (!("file" in source)) return source
  const { path, progress } = source.file
  const name = relative(source.folder, path).replaceAll(sep, "/")
  return { name, bytes: progress?.bytes ?? 0, durationMs: progress?.durationMs ?? 0 }
}

/** The check of templates has seen to it already; this is what holds if it should ever miss something. */
function pathBelow(folder: string, name: string): string {
  const root = resolve(folder)
  const path = resolve(root, name)
  if (!path.startsWith(root.endsWith(sep) ? root : root + sep)) {
    throw new GatewayError("recording.failed", "the name of the recording leads out of its folder: change the template")
  }
  return path
}

/** So many files of one recording are remembered for lists. */
const MAX_LISTED_FILES = 100
