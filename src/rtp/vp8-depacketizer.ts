import { concat } from "../media/bytes.ts"
import type { Vp8Track } from "../media/frame.ts"
import { parseVp8Keyframe } from "../media/vp8.ts"
import type { DepacketizerOptions } from "./depacketizer.ts"
import { type AssembledPicture, FrameDepacketizer, type PictureAssembler } from "./frame-depacketizer.ts"
import { readVp8Payload } from "./vp8-payload.ts"

/** RFC 7741 receiver. */
export class Vp8Depacketizer extends FrameDepacketizer<Vp8Track> {
  constructor(options: DepacketizerOptions = {}) {
    super(new Vp8Assembler(), options)
  }
}

/** A frame is whole from the start of its first partition to the marker, with nothing missing between. */
class Vp8Assembler implements PictureAssembler<Vp8Track> {
  #parts: Uint8Array[] = []
  #isDamaged = false
  #track: Vp8Track | undefined

  start(): void {
    this.#parts = []
    this.#isDamaged = false
  }

  add(payload: Uint8Array, isAfterLoss: boolean): boolean {
    const part = readVp8Payload(payload)
    if (part === undefined) return false
    const isFirst = this.#parts.length === 0
    if (part.startsFrame !== isFirst || (isAfterLoss && !isFirst)) this.#isDamaged = true
    this.#parts.push(part.data)
    return true
  }

  finish(isTailLost: boolean): AssembledPicture<Vp8Track> | "damaged" | "undecodable" {
    if (this.#isDamaged || isTailLost) return "damaged"
    const frame = concat(this.#parts)
    const size = parseVp8Keyframe(frame)
    if (size !== undefined && (size.widthPx !== this.#track?.widthPx || size.heightPx !== this.#track.heightPx)) {
      this.#track = { kind: "video", codec: "vp8", ...size }
    }
    if (this.#track === undefined) return "undecodable"
    return { track: this.#track, isKeyframe: size !== undefined, units: [frame] }
  }
}
