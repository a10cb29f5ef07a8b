import { DisposablePictures } from "../media/disposable.ts"
import { isFrameOf, type VideoFrame, type VideoTrack } from "../media/frame.ts"
import { canTellReorderDepth, ReorderDepth } from "../rtp/h264-reordering.ts"

/** Finds out how the pictures of a stream stand to one another: whether they are reordered, and what can be done about it. */
export class PictureOrder {
  readonly #disposable = new DisposablePictures()
  #track: VideoTrack | undefined
  #depth: ReorderDepth | undefined
  #isReordered = false
  #isReferencedReordered = false
  /** Of the group of pictures; without those that can be left out. */
  #highestPtsUs = Number.NEGATIVE_INFINITY

  /** True once a picture was shown before one that was decoded ahead of it. */
  get isReordered(): boolean {
    return this.#isReordered
  }

  /**
   * Whether the rest is in order once pictures that no other one refers to are left out, as far as is seen and said: an encoder that
   * announces one reordered picture makes no B-frames of B-frames.
   */
  get isDroppable(): boolean {
    return !this.#isReferencedReordered && (this.#depth?.declared ?? 1) <= 1
  }

  /** Whether the decoder of an H.264 viewer can be told how many pictures to hold back. HEVC always says it. */
  get canTellDepth(): boolean {
    const { measured = 0 } = this.#depth ?? {}
    return this.#track?.codec !== "h264" || canTellReorderDepth(this.#track, measured)
  }

  /** Takes the next frame in decoding order; true for one that has to be left out where order is to be had by leaving out. */
  push(frame: VideoFrame): boolean {
    if (frame.track !== this.#track) this.#begin(frame.track)
    if (isFrameOf(frame, "h264")) this.#depth?.push(frame)
    const isDisposable = this.#disposable.isDisposable(frame)
    const goesBack = !frame.isKeyframe && frame.ptsUs < this.#highestPtsUs
    if (!goesBack) {
      this.#highestPtsUs = frame.ptsUs
      return false
    }
    this.#isReordered = true
    if (!isDisposable) this.#isReferencedReordered = true
    return isDisposable
  }

  #begin(track: VideoTrack): void {
    this.#track = track
    this.#isReordered = false
    this.#isReferencedReordered = false
    this.#highestPtsUs = Number.NEGATIVE_INFINITY
    this.#depth = track.codec === "h264" ? new ReorderDepth(track) : undefined
  }
}
