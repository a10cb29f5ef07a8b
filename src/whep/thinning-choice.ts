/** What a viewer gets of its stream: all pictures, none that is disposable, or keyframes only. */
export type ThinningLevel = "none" | "disposable" | "keyframes"

/** How a viewer's link is doing. */
export interface LinkState {
  /** Bits per second that the link takes, as far as that is known. */
  readonly estimateBps: number | undefined
  /** What packets wait on their way, in ms. */
  readonly queueingMs: number
  /** All pictures of the stream, with sound. */
  readonly streamBps: number
  /** Those of them that can be left out without harm. */
  readonly disposableBps: number
}

/**
 * Chooses which pictures one viewer gets where there is no smaller layer: fewer when its link does not take the stream twice in a row, at once when
 * packets wait for more than half a second. Pictures that nothing refers to go first, then all but keyframes. After some calm
 * seconds it tries the next better level, since a link that is not filled tells little of what it takes; each try of a level that fails makes
 * the next one wait twice as long.
 */
export class ThinningChoice {
  #level: ThinningLevel = "none"
  #changedAtMs = Number.NEGATIVE_INFINITY
  #calmSinceMs = Number.NEGATIVE_INFINITY
  /** How long it waits before it tries a level. */
  readonly #tryAfterMs = { none: FIRST_TRY_MS, disposable: FIRST_TRY_MS, keyframes: 0 }
  #isTrying = false
  #isShort = false

  get level(): ThinningLevel {
    return this.#level
  }

  /** What is measured now tells nothing of the level, for example while cached pictures are sent. */
  hold(nowMs: number): void {
    this.#changedAtMs = Math.max(this.#changedAtMs, nowMs)
  }

  /** Looks at the link, about once a second; returns the level from now on. */
  choose(link: LinkState, nowMs: number): ThinningLevel {
    const isFull = link.queueingMs > FULL_MS
    if (nowMs - this.#changedAtMs < SETTLE_MS) return this.#level
    const wasShort = this.#isShort
    this.#isShort = this.#isTooMuch(link)
    if (this.#isShort) {
      this.#calmSinceMs = nowMs
      return wasShort || isFull ? this.#goDown(link, nowMs) : this.#level
    }
    if (this.#isTrying && nowMs - this.#changedAtMs >= PROVEN_MS) {
      this.#isTrying = false
      this.#tryAfterMs[this.#level] = FIRST_TRY_MS
    }
    if (this.#level === "none") return this.#level
    const next = better(this.#level, link)
    if (nowMs - Math.max(this.#calmSinceMs, this.#changedAtMs) < this.#tryAfterMs[next]) return this.#level
    this.#isTrying = true
    return this.#change(next, nowMs)
  }

  #isTooMuch(link: LinkState): boolean {
    if (link.queueingMs > QUEUE_MS) return true
    const { estimateBps } = link
    // With keyframes only, an estimate follows what little is sent.
    if (estimateBps === undefined || this.#level === "keyframes") return false
    const sentBps = link.streamBps - (this.#level === "disposable" ? link.disposableBps : 0)
    return estimateBps < sentBps * ENOUGH
  }

  #goDown(link: LinkState, nowMs: number): ThinningLevel {
    if (this.#level === "keyframes") return this.#level
    if (this.#isTrying) {
      this.#isTrying = false
      this.#tryAfterMs[this.#level] = Math.min(2 * this.#tryAfterMs[this.#level], LONGEST_TRY_MS)
    }
    const isEnough = this.#level === "none" && helps(link)
    return this.#change(isEnough ? "disposable" : "keyframes", nowMs)
  }

  #change(level: ThinningLevel, nowMs: number): ThinningLevel {
    this.#level = level
    this.#changedAtMs = nowMs
    this.#isShort = false
    return level
  }
}

function better(level: ThinningLevel, link: LinkState): ThinningLevel {
  return level === "keyframes" && helps(link) ? "disposable" : "none"
}

/** Disposable pictures are a part of the stream that is worth leaving out. */
function helps({ streamBps, disposableBps }: LinkState): boolean {
  return disposableBps > streamBps * LEAST_DISPOSABLE
}

/** The stream stays as it is while the estimate has at least this part of it: receivers' estimates swing. */
const ENOUGH = 0.8
/** Longer than the jitter of radio links. */
const QUEUE_MS = 300
const FULL_MS = 500
const LEAST_DISPOSABLE = 0.1
/** What is measured after a change still tells of the time before. */
const SETTLE_MS = 1_500
const PROVEN_MS = 10_000
const FIRST_TRY_MS = 2_000
const LONGEST_TRY_MS = 60_000
