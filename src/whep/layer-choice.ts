/** A simulcast layer as the choice sees it. */
export interface ChoosableLayer {
  readonly rid: string
  /** What its packets take at the moment; 0 until that is known. */
  readonly bitrateBps: number
  readonly widthPx?: number | undefined
  readonly heightPx?: number | undefined
}

/** What a viewer has asked for; every part may be left out. */
export interface LayerConstraint {
  /** This layer and no other. */
  readonly rid?: string | undefined
  readonly maxWidthPx?: number | undefined
  readonly maxHeightPx?: number | undefined
}

/** How the choice is made. */
export interface LayerChoiceOptions {
  /** What a viewer's link is taken to carry before it has reported anything. */
  readonly startBitrateBps: number
}

/**
 * Chooses one viewer's simulcast layer by what its link carries. Down when the estimate is below what the layer takes twice in a row, up
 * when the estimate leaves room. An estimate made by the receiver (REMB) hardly grows beyond what is sent, so after a while without trouble the next
 * better layer is tried; each try that fails makes the next one wait longer.
 */
export class LayerChoice {
  readonly #startBitrateBps: number
  #constraint: LayerConstraint = {}
  #rid: string | undefined
  #changedAtMs = Number.NEGATIVE_INFINITY
  #calmSinceMs = Number.NEGATIVE_INFINITY
  #probeAfterMs = FIRST_PROBE_MS
  #isProbing = false
  #isShort = false

  constructor({ startBitrateBps }: LayerChoiceOptions) {
    this.#startBitrateBps = startBitrateBps
  }

  /** Asks for something in place of what was asked for before; `{}` leaves the choice to the gateway again. */
  constrain(constraint: LayerConstraint): void {
    this.#constraint = constraint
    this.#rid = undefined
  }

  /** The layer to send now, of the active ones, best first; undefined where there is none. */
  choose(layers: readonly ChoosableLayer[], estimateBps: number | undefined, nowMs: number): string | undefined {
    const allowed = permitted(layers, this.#constraint)
    const at = allowed.findIndex(({ rid }) => rid === this.#rid)
    const current = allowed[at]
    if (current === undefined) return this.#start(allowed, estimateBps, nowMs)
    if (estimateBps === undefined || nowMs - this.#changedAtMs < SETTLE_MS) return current.rid
    const wasShort = this.#isShort
    this.#isShort = estimateBps < current.bitrateBps * ENOUGH
    if (this.#isShort) return wasShort ? this.#goDown(allowed, at, estimateBps, nowMs) : current.rid
    if (this.#isProbing && nowMs - this.#changedAtMs >= PROVEN_MS) {
      this.#isProbing = false
      this.#probeAfterMs = FIRST_PROBE_MS
    }
    const better = allowed[at - 1]
    if (better === undefined) return current.rid
    if (better.bitrateBps > 0 && estimateBps > better.bitrateBps * ROOM) return this.#change(better.rid, nowMs)
    if (nowMs - Math.max(this.#calmSinceMs, this.#changedAtMs) < this.#probeAfterMs) return current.rid
    this.#isProbing = true
    return this.#change(better.rid, nowMs)
  }

  #start(allowed: readonly ChoosableLayer[], estimateBps: number | undefined, nowMs: number): string | undefined {
    const limitBps = estimateBps ?? this.#startBitrateBps
    const fitting = allowed.find(({ bitrateBps }) => bitrateBps <= limitBps) ?? allowed.at(-1)
    return fitting && this.#change(fitting.rid, nowMs)
  }

  #goDown(allowed: readonly ChoosableLayer[], at: number, estimateBps: number, nowMs: number): string {
    this.#calmSinceMs = nowMs
    const worse = allowed.slice(at + 1)
    const fitting = worse.find(({ bitrateBps }) => bitrateBps <= estimateBps) ?? worse.at(-1)
    if (fitting === undefined) return (allowed[at] as ChoosableLayer).rid
    if (this.#isProbing) {
      this.#isProbing = false
      this.#probeAfterMs = Math.min(2 * this.#probeAfterMs, LONGEST_PROBE_MS)
    }
    return this.#change(fitting.rid, nowMs)
  }

  #change(rid: string, nowMs: number): string {
    this.#rid = rid
    this.#changedAtMs = nowMs
    this.#isShort = false
    return rid
  }
}

/** A layer that is asked for by name is taken as it is; a limit that no layer keeps to leaves the smallest one. */
function permitted(layers: readonly ChoosableLayer[], constraint: LayerConstraint): readonly ChoosableLayer[] {
  const { rid, maxWidthPx = Number.POSITIVE_INFINITY, maxHeightPx = Number.POSITIVE_INFINITY } = constraint
  const named = rid === undefined ? [] : layers.filter((layer) => layer.rid === rid)
  if (named.length > 0) return named
  const small = layers.filter(({ widthPx = 0, heightPx = 0 }) => widthPx <= maxWidthPx && heightPx <= maxHeightPx)
  return small.length > 0 ? small : layers.slice(-1)
}

/** A layer stays while the estimate has at least this part of what it takes: receivers' estimates swing. */
const ENOUGH = 0.85
const ROOM = 1.2
/** After a change the estimate still tells of the layer before. */
const SETTLE_MS = 2_000
/** A layer that was tried and is still there after this time fits. */
const PROVEN_MS = 8_000
const FIRST_PROBE_MS = 10_000
const LONGEST_PROBE_MS = 120_000
