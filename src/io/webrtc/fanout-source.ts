import { performance } from "node:perf_hooks"
import type { SourceId } from "./fanout.ts"
import type { LiveSource } from "./fanout-history.ts"
import { SentHistory } from "./fanout-history.ts"
import type { LiveBatch, ViewerStream } from "./fanout-viewer.ts"

/**
 * A source and the viewers' tracks that follow it. A picture for hundreds of them takes longer than everything else may wait, so they get it in slices of
 * time; each gets all batches in their order, and only those that came after it joined.
 */
export class FollowedSource implements LiveSource {
  readonly id: SourceId
  readonly history = new SentHistory()
  /** With the number of batches that had come when each of them got its last one. */
  readonly #viewers = new Map<ViewerStream, number>()
  #batchCount = 0
  /** The newest batches, which some have not got yet. */
  readonly #waiting: LiveBatch[] = []
  #pass: { readonly viewers: Iterator<ViewerStream>; readonly batchCount: number } | undefined
  #failure: { readonly error: unknown } | undefined

  constructor(id: SourceId) {
    this.id = id
  }

  get isUnused(): boolean {
    return this.#viewers.size === 0
  }

  /** Batches that some have not got yet. */
  get waitingCount(): number {
    return this.#waiting.length
  }

  add(viewer: ViewerStream): void {
    this.#viewers.set(viewer, this.#batchCount)
  }

  remove(viewer: ViewerStream): void {
    this.#viewers.delete(viewer)
  }

  /** Takes a batch, which `deliver` brings to the viewers. */
  push(batch: LiveBatch): void {
    this.#waiting.push(batch)
    this.#batchCount++
  }

  /** Goes on until that time, of `performance.now()`, and says whether all have everything then. */
  deliver(untilMs: number): boolean {
    while (this.#waiting.length > 0) {
      this.#pass ??= { viewers: this.#viewers.keys(), batchCount: this.#batchCount }
      const { viewers, batchCount } = this.#pass
      for (let next = viewers.next(); !next.done; next = viewers.next()) {
        this.deliverTo(next.value)
        if (performance.now() >= untilMs) return false
      }
      this.#pass = undefined
      this.#waiting.splice(0, this.#waiting.length - (this.#batchCount - batchCount))
    }
    return true
  }

  /** Brings one viewer what it has not got yet: before anything else is done with it. Never throws, see `throwFailure`. */
  deliverTo(viewer: ViewerStream): void {
    const batchCount = this.#viewers.get(viewer)
    if (batchCount === undefined || batchCount === this.#batchCount) return
    this.#viewers.set(viewer, this.#batchCount)
    const waiting = this.#waiting
    try {
      const first = waiting.length - (this.#batchCount - batchCount)
      for (let i = first; i < waiting.length; i++) viewer.sendLive(waiting[i] as LiveBatch)
    } catch (error) {
      this.#failure ??= { error }
    }
  }

  /** Throws the first error that a viewer caused since the last call. */
  throwFailure(): void {
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) throw failure.error
  }
}
