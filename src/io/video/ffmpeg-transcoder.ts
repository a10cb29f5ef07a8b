import { type ChildProcess, spawn } from "node:child_process"
import { createFlvPictures } from "../../bridge/flv-pictures.ts"
import { frameToFlv, trackToFlv } from "../../bridge/frames-to-flv.ts"
import type { VideoTranscoder, VideoTranscoderEvents } from "../../bridge/video-transcoder.ts"
import { type FlvFileEvent, FlvFileReader } from "../../flv/file-reader.ts"
import { FLV_TAG_TYPE, flvFileHeader, flvTag } from "../../flv/file-writer.ts"
import { parseVideoTag } from "../../flv/video-tag.ts"
import type { H264Track, VideoFrame } from "../../media/frame.ts"

/** How a process of ffmpeg is run. */
export interface FfmpegTranscoderOptions {
  readonly command: string
  readonly args: readonly string[]
  /** What may wait for the process; when there is more, pictures are left out up to the next keyframe. */
  readonly maxQueueBytes: number
  /** It has fallen behind, or is over; once each time. */
  readonly onTrouble: (sentence: string) => void
  /** There is no such program. */
  readonly onMissing: () => void
  readonly onClosed: () => void
}

/** One process of ffmpeg that decodes a stream and encodes it again. A picture keeps its time to the microsecond, though FLV has milliseconds. */
export class FfmpegTranscoder implements VideoTranscoder {
  readonly #options: FfmpegTranscoderOptions
  readonly #events: VideoTranscoderEvents
  readonly #process: ChildProcess
  readonly #reader = new FlvFileReader(MAX_TAG_BYTES)
  readonly #pictures = createFlvPictures("h264")
  /** Presentation times of what is inside, by the millisecond that FLV has for them. */
  readonly #ptsUsByMs = new Map<number, number>()
  #track: H264Track | undefined
  #baseUs = 0
  #complaints = ""
  #isBehind = false
  #isOver = false

  /** `options.args` as `ffmpegArguments` makes them. */
  constructor(options: FfmpegTranscoderOptions, events: VideoTranscoderEvents) {
    this.#options = options
    this.#events = events
    this.#process = spawn(options.command, options.args, { stdio: ["pipe", "pipe", "pipe"] })
    const { stdin, stdout, stderr } = this.#process
    stdin?.on("error", () => undefined) // its exit tells
    stdout?.on("data", (chunk: Uint8Array) =>
      this.#guard(() => this.#reader.push(chunk, (event) => this.#onTag(event))),
    )
    stderr?.on("data", (chunk: Uint8Array) => {
      this.#complaints = `${this.#complaints}${chunk}`.slice(-MAX_COMPLAINT_CHARACTERS)
    })
    this.#process.on("error", () => this.#end("ffmpeg cannot be run", options.onMissing))
    this.#process.on("close", (code, signal) =>
      this.#fail(`ffmpeg ended (${signal ?? code}): ${this.#complaints.trim()}`),
    )
    stdin?.write(flvFileHeader({ hasVideo: true, hasAudio: false }))
  }

  push(frame: VideoFrame<H264Track>): void {
    if (this.#isOver || this.#mustSkip(frame)) return
    if (this.#track === undefined) this.#baseUs = frame.dtsUs - FIRST_TIME_US
    const dtsUs = frame.dtsUs - this.#baseUs
    const ptsUs = frame.ptsUs - this.#baseUs
    const bodies = [frameToFlv({ ...frame, dtsUs, ptsUs })]
    if (this.#track !== frame.track) bodies.unshift(...trackToFlv(frame.track, dtsUs))
    this.#track = frame.track
    this.#ptsUsByMs.set(Math.round(ptsUs / 1000), frame.ptsUs)
    if (this.#ptsUsByMs.size > MAX_INSIDE) this.#forgetUntil(this.#ptsUsByMs.keys().next().value ?? 0)
    for (const body of bodies) this.#process.stdin?.write(flvTag({ typeId: FLV_TAG_TYPE.video, ...body }))
  }

  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#process.stdin?.destroy()
    this.#process.stdout?.destroy()
    this.#process.kill("SIGKILL") // it has nothing to put in order
    this.#options.onClosed()
  }

  #mustSkip({ isKeyframe }: VideoFrame): boolean {
    const queuedBytes = this.#process.stdin?.writableLength ?? 0
    if (this.#isBehind) this.#isBehind = !isKeyframe || queuedBytes > this.#options.maxQueueBytes / 4
    else if (queuedBytes > this.#options.maxQueueBytes) {
      this.#isBehind = true
      this.#options.onTrouble(
        "the encoder falls behind: pictures are left out up to a keyframe; choose a quicker preset",
      )
    }
    return this.#isBehind
  }

  #onTag(event: FlvFileEvent): void {
    if (event.type !== "video" || this.#isOver || event.payload.length === 0) return
    const tag = parseVideoTag(event.payload).tracks[0]?.tag
    if (tag?.type === "config") this.#pictures.configure(tag.record)
    if (tag?.type !== "frame") return
    const picture = this.#pictures.read(tag.data, tag.isKeyframe)
    if (picture === undefined) return
    const { track, isKeyframe, units } = picture
    const timeMs = event.timestampMs + tag.compositionTimeMs
    const ptsUs = this.#ptsUsByMs.get(timeMs) ?? this.#baseUs + timeMs * 1000
    this.#forgetUntil(timeMs)
    this.#events.onFrame({ track: track as H264Track, dtsUs: ptsUs, ptsUs, isKeyframe, units })
  }

  /** Pictures come out in the order of their presentation. */
  #forgetUntil(timeMs: number): void {
    for (const ms of this.#ptsUsByMs.keys()) if (ms <= timeMs) this.#ptsUsByMs.delete(ms)
  }

  #guard(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.#fail(`what ffmpeg wrote cannot be read: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #fail(reason: string): void {
    this.#end(reason, () => this.#options.onTrouble(reason))
  }

  #end(reason: string, tell: () => void): void {
    if (this.#isOver) return
    this.close()
    tell()
    this.#events.onFailure(reason)
  }
}

/** Leaves room for presentation times before the first decoding time. */
const FIRST_TIME_US = 1_000_000
const MAX_TAG_BYTES = 8 * 1024 * 1024
/** Far above what decoder and encoder hold. */
const MAX_INSIDE = 1_024
const MAX_COMPLAINT_CHARACTERS = 500
