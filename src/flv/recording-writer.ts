import type { AmfValue } from "../rtmp/amf-value.ts"
import { FLV_TAG_TYPE, flvFileHeader, flvTag, scriptTag } from "./file-writer.ts"
import { type IndexedKeyframe, KeyframeIndex } from "./recording-index.ts"

/** Media for a recording: the body of an FLV tag. */
export interface RecordingTag {
  readonly kind: "video" | "audio"
  /** On the clock of the stream: unsigned 32 bits, wraps. */
  readonly timestampMs: number
  readonly parts: readonly Uint8Array[]
}

/** How far a file has come; a copy that stays as it is. */
export interface RecordingProgress {
  /** Of the whole file. */
  readonly bytes: number
  /** From the first frame to the end of the last. */
  readonly durationMs: number
  readonly video: KindProgress
  readonly audio: KindProgress
  readonly keyframes: number
  readonly lastKeyframe: IndexedKeyframe | undefined
}

interface KindProgress {
  readonly frames: number
  /** Of tags. */
  readonly bytes: number
  readonly firstMs: number
  readonly lastMs: number
  /** From the last frame but one to the last. */
  readonly stepMs: number
}

/**
 * Makes the bytes of one FLV file whose length is not known beforehand. Its times begin with 0. What it begins with, the head, is
 * playable as it is and has room for all that is known at the end: then `head` makes it anew, in the same size, to be written over the first.
 */
export class RecordingWriter {
  readonly #createdAt: Date
  readonly #index = new KeyframeIndex(2 * MAX_INDEX_ENTRIES)
  readonly #kinds = { video: NOTHING, audio: NOTHING }
  #lastTimestampMs: number
  /** Of the last tag, from the file's beginning; negative for what is older. */
  #timeMs = 0
  #bytes = HEAD_BYTES
  #keyframes = 0
  #lastKeyframe: IndexedKeyframe | undefined
  /** Of a sequence header of video that the next tag follows on. */
  #configPosition: number | undefined

  /** `startTimestampMs` is what becomes 0. */
  constructor(startTimestampMs: number, createdAt: Date) {
    this.#lastTimestampMs = startTimestampMs
    this.#createdAt = createdAt
  }

  /** The number of bytes so far, the head included. */
  get bytes(): number {
    return this.#bytes
  }

  get progress(): RecordingProgress {
    const { video, audio } = this.#kinds
    const endMs = Math.max(video.lastMs + video.stepMs, audio.lastMs + audio.stepMs)
    const [keyframes, lastKeyframe] = [this.#keyframes, this.#lastKeyframe]
    return { bytes: this.#bytes, durationMs: endMs, video, audio, keyframes, lastKeyframe }
  }

  /**
   * Makes the first `HEAD_BYTES` of the file: header and `onMetaData` with the given properties and, at the end, what a progress of this writer
   * tells, with an index of keyframes (`keyframes.times` in seconds, `keyframes.filepositions`).
   */
  head(properties: ReadonlyMap<string, AmfValue>, progress?: RecordingProgress): Uint8Array {
    const has = { hasVideo: properties.has("videocodecid"), hasAudio: properties.has("audiocodecid") }
    const values = new Map<string, AmfValue>([...properties, ...Object.entries(has)])
    values.set("creationdate", this.#createdAt.toISOString()).set("metadatacreator", "Whipstitch")
    if (progress !== undefined) for (const [name, value] of this.#facts(progress)) values.set(name, value)
    const bare = scriptTag("onMetaData", values.set(PADDING, []), 0).length
    const tag = scriptTag("onMetaData", values.set(PADDING, padding(SCRIPT_BYTES - bare)), 0)
    const head = new Uint8Array(HEAD_BYTES)
    const header = flvFileHeader(has)
    head.set(header)
    head.set(tag, header.length)
    return head
  }

  /** Makes the tag of a sequence header, or of what else precedes the frames of a track. */
  config(tag: RecordingTag): Uint8Array {
    const position = this.#bytes
    const bytes = this.#tag(tag)
    this.#configPosition = tag.kind === "video" ? (this.#configPosition ?? position) : undefined
    return bytes
  }

  /** Makes the tag of a frame. */
  frame(tag: RecordingTag, isKeyframe: boolean): Uint8Array {
    const position = this.#configPosition ?? this.#bytes
    const bytes = this.#tag(tag)
    const timeMs = Math.max(0, this.#timeMs)
    this.#kinds[tag.kind] = advance(this.#kinds[tag.kind], timeMs, bytes.length)
    if (tag.kind === "video" && isKeyframe) {
      this.#keyframes++
      this.#lastKeyframe = { timeMs, position }
      this.#index.add(this.#lastKeyframe)
    }
    this.#configPosition = undefined
    return bytes
  }

  #tag({ kind, timestampMs, parts }: RecordingTag): Uint8Array {
    this.#timeMs += (timestampMs - this.#lastTimestampMs) | 0 // 32 bits, so that times go on where the stream's wrap
    this.#lastTimestampMs = timestampMs
    const bytes = flvTag({ typeId: FLV_TAG_TYPE[kind], timestampMs: Math.max(0, this.#timeMs) >>> 0, parts })
    this.#bytes += bytes.length
    return bytes
  }

  /** The customary names of what players and servers look for; rates are in kbit/s, times in seconds. */
  #facts({ bytes, durationMs, video, audio, keyframes, lastKeyframe }: RecordingProgress): [string, AmfValue][] {
    const facts: [string, AmfValue][] = [
      ["duration", durationMs / 1000],
      ["filesize", bytes],
      ["datasize", bytes - HEAD_BYTES],
      ["lasttimestamp", Math.max(video.lastMs, audio.lastMs) / 1000],
    ]
    if (audio.frames > 0) {
      facts.push(["audiosize", audio.bytes], ["audiodatarate", rateKbps(audio.bytes, durationMs)])
    }
    if (video.frames === 0) return facts
    const spanMs = video.lastMs - video.firstMs
    facts.push(["videosize", video.bytes], ["videodatarate", rateKbps(video.bytes, durationMs)])
    if (spanMs > 0) facts.push(["framerate", Math.round(((video.frames - 1) * 1e6) / spanMs) / 1000])
    facts.push(["hasKeyframes", keyframes > 0], ["canSeekToEnd", lastKeyframe?.timeMs === video.lastMs])
    if (lastKeyframe === undefined) return facts
    facts.push(["lastkeyframetimestamp", lastKeyframe.timeMs / 1000], ["lastkeyframelocation", lastKeyframe.position])
    const index = this.#index.thinned(MAX_INDEX_ENTRIES, bytes)
    if (index.length === 1) return facts // ffmpeg warns of an index with one entry
    const times = index.map(({ timeMs }) => timeMs / 1000)
    const filepositions = index.map(({ position }) => position)
    return [...facts, ["keyframes", { times, filepositions }]]
  }
}

function advance({ frames, bytes, firstMs, lastMs }: KindProgress, timeMs: number, tagBytes: number): KindProgress {
  if (frames === 0) return { frames: 1, bytes: tagBytes, firstMs: timeMs, lastMs: timeMs, stepMs: 0 }
  return { frames: frames + 1, bytes: bytes + tagBytes, firstMs, lastMs: timeMs, stepMs: Math.max(0, timeMs - lastMs) }
}

function rateKbps(bytes: number, durationMs: number): number {
  return durationMs === 0 ? 0 : Math.round((bytes * 8 * 1000) / durationMs) / 1000
}

/**
 * An array that takes so many bytes, beside what an empty one takes: every player reads booleans and numbers, while some refuse long strings
 * and others nulls. Booleans take two bytes, one number nine.
 */
function padding(bytes: number): AmfValue[] {
  const isOdd = bytes % 2 === 1
  const values: AmfValue[] = new Array((bytes - (isOdd ? 9 : 0)) / 2).fill(false)
  return isOdd ? [0, ...values] : values
}

const NOTHING: KindProgress = { frames: 0, bytes: 0, firstMs: 0, lastMs: 0, stepMs: 0 }

/** So many keyframes stand in the index of a file; of more, evenly spread ones. */
export const MAX_INDEX_ENTRIES = 1_000
/** The properties without the index take less than 1 KiB, an entry takes 18 bytes. */
const SCRIPT_BYTES = 20_000
/** What a file begins with, before the first tag of media. */
export const HEAD_BYTES = 13 + SCRIPT_BYTES
const PADDING = "padding"
