import { GatewayError } from "../errors.ts"
import { ByteReader } from "../media/bytes.ts"
import { FLV_TAG_HEADER_BYTES, FLV_TAG_SIZE_BYTES, FLV_TAG_TYPE } from "./file-writer.ts"

/** What a file or an endless stream of FLV holds, in its order. */
export type FlvFileEvent =
  /** Comes first. Many writers set both flags whatever follows. */
  | { readonly type: "header"; readonly hasAudio: boolean; readonly hasVideo: boolean }
  | FlvFileTag<"audio" | "video">
  | FlvFileTag<"script">

/** A tag: the body of video and audio is that of an RTMP message, that of a script tag AMF0. */
export interface FlvFileTag<Type extends TagType> {
  readonly type: Type
  /** Unsigned 32 bits, wraps. */
  readonly timestampMs: number
  /** Belongs to the receiver. */
  readonly payload: Uint8Array
}

type TagType = "audio" | "video" | "script"

/**
 * Reads an FLV file or stream as it comes (FLV 10.1 annex E): bytes go in, tags come out, and any split of the input gives the same ones.
 * The sizes of previous tags are left unread, as writers get them wrong. Memory grows with what has come, not with what is announced.
 */
export class FlvFileReader {
  readonly #maxTagBytes: number
  #part: "fileHeader" | "skipped" | "tagHeader" | "body" = "fileHeader"
  /** What the present part has of its bytes. */
  #bytes = new Uint8Array(FILE_HEADER_BYTES)
  #length = 0
  #wantedBytes = FILE_HEADER_BYTES
  #tag: { readonly type: TagType; readonly timestampMs: number } | undefined

  /** Tags with a larger body are refused. */
  constructor(maxTagBytes: number) {
    this.#maxTagBytes = maxTagBytes
  }

  /**
   * Takes the next bytes, which are borrowed until it returns, and hands over what they complete. Throws `flv.file` after all that precedes
   * the fault; there is no way to go on after that.
   */
  push(input: Uint8Array, emit: (event: FlvFileEvent) => void): void {
    let at = 0
    while (at < input.length) {
      const taken = Math.min(input.length - at, this.#wantedBytes - this.#length)
      if (this.#part !== "skipped") this.#keep(input.subarray(at, at + taken))
      this.#length += taken
      at += taken
      // A part without bytes is over before another byte comes.
      while (this.#length === this.#wantedBytes) this.#finishPart(emit)
    }
  }

  #keep(input: Uint8Array): void {
    const needed = this.#length + input.length
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(this.#wantedBytes, Math.max(needed, this.#bytes.length * 2)))
      grown.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = grown
    }
    this.#bytes.set(input, this.#length)
  }

  #finishPart(emit: (event: FlvFileEvent) => void): void {
    switch (this.#part) {
      case "fileHeader":
        emit(this.#fileHeader())
        return
      case "skipped":
        this.#begin("tagHeader", FLV_TAG_HEADER_BYTES)
        return
      case "tagHeader":
        this.#tagHeader()
        return
      case "body":
        if (this.#tag !== undefined) emit({ ...this.#tag, payload: this.#bytes })
        this.#begin("skipped", FLV_TAG_SIZE_BYTES)
    }
  }

  #fileHeader(): FlvFileEvent {
    const reader = new ByteReader(this.#bytes)
    if (reader.u24() !== SIGNATURE) {
      throw new GatewayError("flv.file", 'this is no FLV: it does not begin with "FLV"; check the address')
    }
    const version = reader.u8()
    if (version !== 1) throw new GatewayError("flv.file", `version ${version} of FLV is not known; send version 1`)
    const flags = reader.u8()
    const headerBytes = reader.u32()
    if (headerBytes < FILE_HEADER_BYTES || headerBytes > MAX_FILE_HEADER_BYTES) {
      throw new GatewayError("flv.file", `a file header of ${headerBytes} bytes; it has ${FILE_HEADER_BYTES} as a rule`)
    }
    this.#begin("skipped", headerBytes - FILE_HEADER_BYTES + FLV_TAG_SIZE_BYTES)
    return { type: "header", hasAudio: (flags & HAS_AUDIO) !== 0, hasVideo: (flags & HAS_VIDEO) !== 0 }
  }

  #tagHeader(): void {
    const reader = new ByteReader(this.#bytes)
    const first = reader.u8()
    if ((first & FILTER) !== 0) {
      throw new GatewayError("flv.file", "the tags are encrypted, which is not supported; send them in the clear")
    }
    const type = TAG_TYPES[first & TYPE_MASK]
    if (type === undefined) {
      throw new GatewayError("flv.file", `there is no tag type ${first & TYPE_MASK}: the file or stream is damaged`)
    }
    const bodyBytes = reader.u24()
    if (bodyBytes > this.#maxTagBytes) {
      throw new GatewayError(
        "flv.file",
        `a tag of ${bodyBytes} bytes is larger than the ${this.#maxTagBytes} that are allowed; set rtmp.maxMessageBytes higher if it is meant so`,
      )
    }
    this.#tag = { type, timestampMs: (reader.u24() | (reader.u8() << 24)) >>> 0 }
    this.#begin("body", bodyBytes)
  }

  #begin(part: "skipped" | "tagHeader" | "body", wantedBytes: number): void {
    this.#part = part
    this.#length = 0
    this.#wantedBytes = wantedBytes
    // What was collected before belongs to an event.
    if (part === "body") this.#bytes = new Uint8Array(Math.min(wantedBytes, FIRST_BUFFER_BYTES))
    else if (part === "tagHeader") this.#bytes = new Uint8Array(FLV_TAG_HEADER_BYTES)
  }
}

const TAG_TYPES: Readonly<Record<number, TagType>> = {
  [FLV_TAG_TYPE.audio]: "audio",
  [FLV_TAG_TYPE.video]: "video",
  [FLV_TAG_TYPE.script]: "script",
}
const TYPE_MASK = 0x1f
const FILTER = 0x20
const FILE_HEADER_BYTES = 9
/** Room for additions that nobody has made yet. */
const MAX_FILE_HEADER_BYTES = 1_024
/** "FLV" */
const SIGNATURE = 0x46_4c_56
const HAS_AUDIO = 4
const HAS_VIDEO = 1
const FIRST_BUFFER_BYTES = 4_096
