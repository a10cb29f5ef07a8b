import type { Vp8Track, Vp9Track } from "../media/frame.ts"
import type { PictureSize } from "../media/picture-size.ts"
import { parseVp8Keyframe } from "../media/vp8.ts"
import { parseVp9Keyframe, type Vp9Format } from "../media/vp9.ts"
import type { FlvPicture, FlvPictures } from "./flv-pictures.ts"

/** VP8; keyframes say all that configuration records do. */
export class Vp8Pictures implements FlvPictures {
  readonly codec = "vp8"
  #track: Vp8Track | undefined

  configure(): void {}

  read(data: Uint8Array): FlvPicture | undefined {
    const size = parseVp8Keyframe(data)
    if (size !== undefined && !hasSize(this.#track, size)) this.#track = { kind: "video", codec: "vp8", ...size }
    if (this.#track === undefined || data.length === 0) return undefined
    return { track: this.#track, units: [data], isKeyframe: size !== undefined }
  }
}

/** VP9 in the same way. */
export class Vp9Pictures implements FlvPictures {
  readonly codec = "vp9"
  #track: Vp9Track | undefined

  configure(): void {}

  read(data: Uint8Array): FlvPicture | undefined {
    const facts = parseVp9Keyframe(data)
    if (facts !== undefined && !(hasSize(this.#track, facts) && hasFormat(this.#track, facts))) {
      this.#track = { kind: "video", codec: "vp9", ...facts }
    }
    if (this.#track === undefined || data.length === 0) return undefined
    return { track: this.#track, units: [data], isKeyframe: facts !== undefined }
  }
}

function hasSize(track: PictureSize | undefined, { widthPx, heightPx }: PictureSize): boolean {
  return track?.widthPx === widthPx && track.heightPx === heightPx
}

function hasFormat(track: Vp9Format | undefined, format: Vp9Format): boolean {
  return FORMAT_FIELDS.every((field) => track?.[field] === format[field])
}

const FORMAT_FIELDS = ["profile", "bitDepth", "subsamplingX", "subsamplingY", "isFullRange"] as const
