import type { TagMessage } from "../flv/ex-header.ts"

/** Chooses the track that becomes the stream from messages with several: the lowest number seen, which is 0, the default, as a rule. */
export class FlvTrackChoice {
  #chosen: number | undefined
  readonly #others = new Set<number>()

  /** How many tracks are left out. */
  get others(): number {
    return this.#others.size
  }

  /** The tag of the chosen track, if the message has one; `isOther` where the track is another one than before. */
  choose<Tag>({ tracks }: TagMessage<Tag>): { readonly tag: Tag; readonly isOther: boolean } | undefined {
    const before = this.#chosen
    let found: Tag | undefined
    for (const { trackId, tag } of tracks) {
      if (this.#chosen === undefined || trackId <= this.#chosen) {
        if (this.#chosen !== undefined && trackId < this.#chosen) this.#others.add(this.#chosen)
        this.#chosen = trackId
        found = tag
      } else this.#others.add(trackId)
    }
    if (found === undefined) return undefined
    return { tag: found, isOther: before !== undefined && before !== this.#chosen }
  }
}
