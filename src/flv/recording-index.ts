/** Where a keyframe stands in a file. */
export interface IndexedKeyframe {
  readonly timeMs: number
  /** Of the tag to begin reading with, from the start of the file. */
  readonly position: number
}

/** Remembers the keyframes of a file, in bounded memory: when there are too many, every other one is forgotten. */
export class KeyframeIndex {
  readonly #maxEntries: number
  #entries: IndexedKeyframe[] = []
  #stride = 1
  #skipped = 0

  /** `maxEntries` bounds what is remembered, not what `thinned` gives. */
  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries
  }

  add(keyframe: IndexedKeyframe): void {
    if (this.#entries.length > 0 && ++this.#skipped < this.#stride) return
    this.#skipped = 0
    this.#entries.push(keyframe)
    if (this.#entries.length < this.#maxEntries) return
    this.#entries = this.#entries.filter((_, index) => index % 2 === 0)
    this.#stride *= 2
    // Of an even number of entries the last one goes, and half of the new stride has passed since the one before it.
    this.#skipped = this.#maxEntries % 2 === 0 ? this.#stride / 2 : 0
  }

  /** Not more than so many of the keyframes before a position, evenly spread, the first of them included. */
  thinned(count: number, endPosition: number): IndexedKeyframe[] {
    const entries = this.#entries.filter(({ position }) => position < endPosition)
    const stride = Math.ceil(entries.length / count)
    return stride <= 1 ? entries : entries.filter((_, index) => index % stride === 0)
  }
}
