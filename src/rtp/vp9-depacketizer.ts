import { concat } from "../media/bytes.ts"
import type { Vp9Track } from "../media/frame.ts"
import { parseVp9Keyframe } from "../media/vp9.ts"
import type { DepacketizerOptions } from "./depacketizer.ts"
import { type AssembledPicture, FrameDepacketizer, type PictureAssembler } from "./frame-depacketizer.ts"
import { readVp9Descriptor } from "./vp9-payload.ts"

/**
 * RFC 9628 receiver. Of spatial layers only the lowest comes out: outside of WebRTC, decoders show each frame of a superframe, and so all
 * the layers one after the other.
 */
export class Vp9Depacketizer extends FrameDepacketizer<Vp9Track> {
  constructor(options: DepacketizerOptions = {}) {
    super(new Vp9Assembler(), options)
  }
}

/** A frame is whole from its beginning to its end, or to the marker from senders that do not say where it ends. */
class Vp9Assembler implements PictureAssembler<Vp9Track> {
  #parts: Uint8Array[] = []
  #isEnded = false
  #isDamaged = false
  #track: Vp9Track | undefined

  start(): void {
    this.#parts = []
    this.#isEnded = false
    this.#isDamaged = false
  }

  add(payload: Uint8Array, isAfterLoss: boolean): boolean {
    const { spatialId, startsFrame, endsFrame, lengthBytes } = readVp9Descriptor(payload)
    if (lengthBytes >= payload.length) return false
    const isFirst = this.#parts.length === 0
    if (isAfterLoss && !isFirst && !this.#isEnded) this.#isDamaged = true
    if (spatialId > 0) return true
    if (startsFrame !== isFirst || this.#isEnded) this.#isDamaged = true
    this.#parts.push(payload.subarray(lengthBytes))
    this.#isEnded = endsFrame
    return true
  }

  finish(isTailLost: boolean): AssembledPicture<Vp9Track> | "damaged" | "undecodable" {
    if (this.#isDamaged || this.#parts.length === 0 || (isTailLost && !this.#isEnded)) return "damaged"
    const frame = concat(this.#parts)
    const format = parseVp9Keyframe(frame)
    if (format !== undefined && !hasFormat(this.#track, format)) {
      this.#track = { kind: "video", codec: "vp9", ...format }
    }
    if (this.#track === undefined) return "undecodable"
    return { track: this.#track, isKeyframe: format !== undefined, units: [frame] }
  }
}

type KeyframeFormat = NonNullable<ReturnType<typeof parseVp9Keyframe>>

function hasFormat(track: Vp9Track | undefined, format: KeyframeFormat): boolean {
  return Object.entries(format).every(([name, value]) => track?.[name as keyof KeyframeFormat] === value)
}
