import { flvMetadata, flvTimestampMs, frameToFlv, trackToFlv } from "../../bridge/frames-to-flv.ts"
import { GatewayError } from "../../errors.ts"
import { numberedName } from "../../flv/recording-name.ts"
import { HEAD_BYTES, type RecordingProgress, RecordingWriter } from "../../flv/recording-writer.ts"
import { concat, equalBytes } from "../../media/bytes.ts"
import { decodingTimeUs, isVideoFrame, type MediaFrame, type Track } from "../../media/frame.ts"
import { errorCode, type RecordingFiles, type RecordingHandle } from "./files.ts"

/** How a file is made. */
export interface RecordingFileOptions {
  /** Absolute; where it is taken, the name gets a number. */
  readonly path: string
  readonly files: RecordingFiles
  /** Place on the stream's timeline that becomes 0. */
  readonly startUs: number
  readonly startedAt: Date
  /** Properties of `onMetaData` as they are known at the beginning. */
  readonly properties: ReadonlyMap<string, number | boolean>
  /** Less than this must not be left free; 0: no matter. */
  readonly minFreeBytes: number
  readonly nowMs: () => number
  /** Nothing can be written any more; the file is closed with what it has. */
  readonly onFailed: (error: GatewayError) => void
}

/**
 * One FLV file that grows with a stream: takes frames at once and writes them in the background, in order and in batches of
 * whole tags. It is playable at any time; `finish` fills in its length and the index of keyframes.
 */
export class RecordingFile {
  readonly startUs: number
  readonly #options: RecordingFileOptions
  readonly #writer: RecordingWriter
  /** The first of each kind, which `onMetaData` describes. */
  readonly #tracks = new Map<Track["kind"], Track>()
  readonly #lastTrack: Partial<Record<Track["kind"], Track>> = {}
  readonly #idle: Promise<void>
  #path: string
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #queuedSinceMs: number | undefined
  #timer: NodeJS.Timeout | undefined
  #wake: (() => void) | undefined
  /** What has reached the file. */
  #written: RecordingProgress | undefined
  #state: "open" | "finishing" | "failed" = "open"

  constructor(options: RecordingFileOptions) {
    this.#options = options
    this.startUs = options.startUs
    this.#path = options.path
    this.#writer = new RecordingWriter(flvTimestampMs(options.startUs), options.startedAt)
    this.#idle = this.#run()
  }

  /** Where it is, which is known for sure as soon as something was written. */
  get path(): string {
    return this.#path
  }

  /** How many bytes it has, those included that wait. */
  get bytes(): number {
    return this.#writer.bytes
  }

  /** What it has, or has kept after a failure; undefined where that is nothing and the file is gone. */
  get progress(): RecordingProgress | undefined {
    return this.#state === "failed" ? this.#written : this.#writer.progress
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** For how long the oldest bytes that are not written yet have been waiting. */
  get delayMs(): number {
    return this.#queuedSinceMs === undefined ? 0 : this.#options.nowMs() - this.#queuedSinceMs
  }

  /** Queues a frame, with what precedes the first one of its track; returns how many bytes that takes. */
  frame(frame: MediaFrame): number {
    const { track } = frame
    const isKeyframe = isVideoFrame(frame) && frame.isKeyframe
    // Players know the first header of a file wherever they begin to play, another one only where it stands.
    const isOther = isKeyframe && this.#tracks.get("video") !== track
    const headerBytes = isOther || this.#lastTrack[track.kind] !== track ? this.#begin(frame) : 0
    return headerBytes + this.#append(this.#writer.frame(frameToFlv(frame), isKeyframe))
  }

  /** Whether what a track begins with is what the file has begun with. */
  holds(track: Track): boolean {
    const first = this.#tracks.get(track.kind)
    return first === undefined || first === track || equalBytes(headerOf(first), headerOf(track))
  }

  /** Writes what waits, completes the head, closes the file; resolves when that is done, also after a failure. */
  finish(): Promise<void> {
    if (this.#state === "open") this.#state = "finishing"
    this.#flush()
    return this.#idle
  }

  #begin(frame: MediaFrame): number {
    const { track } = frame
    let bytes = 0
    for (const body of trackToFlv(track, decodingTimeUs(frame))) bytes += this.#append(this.#writer.config(body))
    this.#lastTrack[track.kind] = track
    if (!this.#tracks.has(track.kind)) this.#tracks.set(track.kind, track)
    return bytes
  }

  #append(bytes: Uint8Array): number {
    if (this.#state !== "open") return 0
    this.#queue.push(bytes)
    this.#queuedBytes += bytes.length
    this.#queuedSinceMs ??= this.#options.nowMs()
    if (this.#queuedBytes >= BATCH_BYTES) this.#flush()
    else this.#timer ??= setTimeout(() => this.#flush(), BATCH_MS)
    return bytes.length
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#wake?.()
  }

  async #run(): Promise<void> {
    let handle: RecordingHandle | undefined
    try {
      await this.#checkSpace()
      handle = await this.#create()
      await handle.write(this.#writer.head(this.#options.properties), 0)
      await this.#writeQueue(handle)
    } catch (error) {
      this.#state = "failed"
      this.#queue = []
      this.#queuedBytes = 0
      this.#options.onFailed(failure(error))
    }
    this.#flush()
    // What a full disk has no room for has no place here any more, while what is there can still be written over.
    await this.#complete(handle).catch((error) => {
      if (this.#state !== "failed") this.#options.onFailed(failure(error))
    })
  }

  async #writeQueue(handle: RecordingHandle): Promise<void> {
    let checkedMs = this.#options.nowMs()
    let position = HEAD_BYTES
    while (this.#state === "open" || this.#queue.length > 0) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      if (this.#state === "open" && this.#queuedBytes < BATCH_BYTES) await woken
      if (this.#queue.length === 0) continue
      const batch = concat(this.#queue.splice(0))
      const progress = this.#writer.progress
      await handle.write(batch, position)
      position += batch.length
      this.#written = progress
      this.#queuedBytes -= batch.length
      this.#queuedSinceMs = this.#queue.length === 0 ? undefined : this.#options.nowMs()
      if (this.#options.nowMs() - checkedMs < SPACE_CHECK_MS) continue
      checkedMs = this.#options.nowMs()
      await this.#checkSpace()
    }
  }

  async #create(): Promise<RecordingHandle> {
    const { files, path } = this.#options
    for (let number = 1; ; number++) {
      try {
        this.#path = numberedName(path, number)
        return await files.create(this.#path)
      } catch (error) {
        if (errorCode(error) !== "EEXIST" || number === MAX_NAME_TRIES) throw error
      }
    }
  }

  async #checkSpace(): Promise<void> {
    const { files, minFreeBytes, path } = this.#options
    if (minFreeBytes === 0) return
    const freeBytes = await files.freeBytes(path)
    if (freeBytes >= minFreeBytes) return
    throw new GatewayError(
      "recording.failed",
      `only ${freeBytes} bytes are free where recordings go, less than recordings.minFreeBytes: make room`,
    )
  }

  async #complete(handle: RecordingHandle | undefined): Promise<void> {
    if (handle === undefined) return
    const written = this.#written
    try {
      if (written !== undefined) {
        if (this.#state === "failed") await handle.truncate(written.bytes)
        const contents = { video: this.#codec("video"), audio: this.#codec("audio") } as Parameters<
          typeof flvMetadata
        >[0]
        await handle.write(this.#writer.head(flvMetadata(contents, this.#tracks.values()), written), 0)
      }
    } finally {
      await handle.close()
    }
    if (written === undefined) await this.#options.files.remove(this.#path)
  }

  #codec(kind: Track["kind"]): Track["codec"] | undefined {
    return this.#tracks.get(kind)?.codec
  }
}

function headerOf(track: Track): Uint8Array {
  return concat(trackToFlv(track, 0).flatMap(({ parts }) => parts))
}

/** What went wrong, in words that tell what to do; paths stay out of what the API shows. */
function failure(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error
  const code = errorCode(error)
  const reason = code === undefined ? undefined : REASONS[code]
  const message = reason ?? `the file system refused to write (${code ?? "unknown error"})`
  return new GatewayError("recording.failed", message, { cause: error })
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full: make room, or record to another folder (recordings.folder)",
  EDQUOT: "the quota of the disk is used up: make room, or record to another folder (recordings.folder)",
  EACCES: "the gateway may not write where recordings go: give its user the right, or set recordings.folder",
  EPERM: "the gateway may not write where recordings go: give its user the right, or set recordings.folder",
  EROFS: "the folder of recordings is read-only: set recordings.folder to one that can be written",
  ENOTDIR: "a file is in the way of a folder of recordings: move it, or change recordings.folder or the template",
  ENAMETOOLONG: "the name of the recording is too long: shorten the template",
  EEXIST: "too many files have the name of the recording: put {time} or {n} into the template",
  EMFILE: "too many files are open: raise the limit of open files",
}

/** What waits is written when it is so much, or so old. */
const BATCH_BYTES = 256 * 1024
const BATCH_MS = 250
const SPACE_CHECK_MS = 5_000
const MAX_NAME_TRIES = 1_000
