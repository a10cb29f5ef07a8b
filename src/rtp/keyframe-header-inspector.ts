import type { PictureSize } from "../media/picture-size.ts"
import { NOTHING_FOUND, type PayloadFinding, type PayloadInspector } from "./payload-inspector.ts"

/** What tells that a payload is the first one of a keyframe; the size is left out where the payload does not hold it. */
export type KeyframeStart = Partial<PictureSize>

/** Finds keyframes of codecs whose keyframes hold all that a decoder needs, and whose first packet says so. */
export class KeyframeHeaderInspector implements PayloadInspector {
  readonly #findStart: (payload: Uint8Array) => KeyframeStart | undefined
  #newest: { readonly timestamp: number; isStarted: boolean } | undefined

  constructor(findStart: (payload: Uint8Array) => KeyframeStart | undefined) {
    this.#findStart = findStart
  }

  startSource(): void {
    this.#newest = undefined
  }

  addParameterSet(): void {
    // There are none.
  }

  inspect(timestamp: number, payload: Uint8Array): PayloadFinding {
    if (this.#newest?.timestamp !== timestamp) {
      if (this.#newest !== undefined && ((timestamp - this.#newest.timestamp) | 0) < 0) return NOTHING_FOUND
      this.#newest = { timestamp, isStarted: false }
    }
    if (this.#newest.isStarted) return NOTHING_FOUND
    const start = this.#findStart(payload)
    if (start === undefined) return NOTHING_FOUND
    this.#newest.isStarted = true
    return { startsKeyframe: true, missingSets: [], ...start }
  }
}
