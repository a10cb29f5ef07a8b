import { unwrapU32 } from "../../media/time.ts"

/**
 * How far a source is ahead of the time. A live one sends what it keeps and then goes at its own speed; a file would come as fast as the
 * network carries it.
 */
export class ReadAhead {
  #startedAtMs = 0
  #startMs: number | undefined
  #lastMs = 0

  /** A tag came; its timestamp has 32 bits and wraps. Where timestamps jump, it begins anew. */
  note(timestampMs: number, nowMs: number): void {
    const timeMs = unwrapU32(timestampMs, this.#lastMs)
    const hasJumped = timeMs < this.#lastMs - JUMP_MS || timeMs > this.#lastMs + JUMP_MS
    if (this.#startMs === undefined || hasJumped) {
      this.#startMs = timeMs
      this.#startedAtMs = nowMs
      this.#lastMs = timeMs
    } else this.#lastMs = Math.max(this.#lastMs, timeMs)
  }

  /** How long to read nothing; 0 as a rule. */
  waitMs(nowMs: number): number {
    const aheadMs = this.#lastMs - (this.#startMs ?? this.#lastMs) - (nowMs - this.#startedAtMs)
    return Math.max(0, aheadMs - MAX_AHEAD_MS)
  }
}

/** More than what any server keeps of a stream for new viewers. */
const MAX_AHEAD_MS = 30_000
const JUMP_MS = 10_000
