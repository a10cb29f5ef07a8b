import { type FlvContents, flvMetadata } from "../../bridge/frames-to-flv.ts"
import { isFileFull, type RotationLimits } from "../../flv/recording-rotation.ts"
import { decodingTimeUs, isVideoFrame, type MediaFrame, type Track } from "../../media/frame.ts"
import type { FlvOutput } from "../flv-subscriber.ts"
import type { RecordingFile } from "./recording-file.ts"

/** How files follow one another. */
export interface RecordingOutputOptions extends RotationLimits {
  /** Begins a file. */
  open(startUs: number, properties: ReadonlyMap<string, number | boolean>): RecordingFile
  /** The file has all it gets; finish it. */
  finish(file: RecordingFile): void
  /** A new file is due: its first frame should come soon. */
  wantKeyframe(): void
}

/**
 * Spreads a feed over files: each begins with a keyframe where the stream has pictures, and holds the sound of its own span of time, also
 * where that comes after the next file has begun.
 */
export class RecordingOutput implements FlvOutput {
  readonly #options: RecordingOutputOptions
  readonly #tracks: { video: Track | undefined; audio: Track | undefined } = { video: undefined, audio: undefined }
  #file: RecordingFile | undefined
  /** Waits for the rest of its sound. */
  #previous: RecordingFile | undefined

  constructor(options: RecordingOutputOptions) {
    this.#options = options
  }

  get queuedBytes(): number {
    return (this.#file?.queuedBytes ?? 0) + (this.#previous?.queuedBytes ?? 0)
  }

  get delayMs(): number {
    return Math.max(this.#file?.delayMs ?? 0, this.#previous?.delayMs ?? 0)
  }

  metadata(properties: ReadonlyMap<string, number | boolean>, timeUs: number): number {
    this.#file ??= this.#options.open(timeUs, properties)
    return 0
  }

  /** The file that a frame comes to writes what its track begins with. */
  track(): number {
    return 0
  }

  frame(frame: MediaFrame): number {
    const timeUs = decodingTimeUs(frame)
    this.#tracks[frame.track.kind] = frame.track
    const canBegin = isVideoFrame(frame) ? frame.isKeyframe : this.#tracks.video === undefined
    let file = this.#file
    if (file === undefined) return 0
    const durationMs = (timeUs - file.startUs) / 1000
    const isFull = isFileFull(file.bytes, durationMs, this.#options)
    if (canBegin && (isFull || (durationMs >= MIN_CHANGED_MS && this.#hasChanged(file)))) {
      file = this.#rotate(file, timeUs)
    } else if (isFull) this.#options.wantKeyframe()
    if (this.#previous !== undefined) {
      if (!isVideoFrame(frame) && timeUs < file.startUs) return this.#previous.frame(frame)
      if (!isVideoFrame(frame) || timeUs > file.startUs + LATE_SOUND_US) this.#finishPrevious()
    }
    return file.frame(frame)
  }

  /** Finishes what is open. */
  end(): void {
    this.#finishPrevious()
    if (this.#file !== undefined) this.#options.finish(this.#file)
    this.#file = undefined
  }

  /** Whether the stream has other parameters than the file began with: programs that copy the file's media would lose the rest. */
  #hasChanged(file: RecordingFile): boolean {
    return Object.values(this.#tracks).some((track) => track !== undefined && !file.holds(track))
  }

  #rotate(file: RecordingFile, startUs: number): RecordingFile {
    this.#finishPrevious()
    this.#previous = file
    const { video, audio } = this.#tracks
    const contents = { video: video?.codec, audio: audio?.codec } as FlvContents
    const tracks = [audio, video].filter((track) => track !== undefined)
    this.#file = this.#options.open(startUs, flvMetadata(contents, tracks))
    return this.#file
  }

  #finishPrevious(): void {
    if (this.#previous !== undefined) this.#options.finish(this.#previous)
    this.#previous = undefined
  }
}

/** Parameters that change sooner go on in the same file: browsers begin small, and some encoders change them at every keyframe. */
const MIN_CHANGED_MS = 10_000
/** Sound that was made from another codec comes some frames after the pictures of its time. */
const LATE_SOUND_US = 1_000_000
