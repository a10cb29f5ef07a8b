import type { RtpBatch } from "../media/packet.ts"
import { RateMeter } from "../media/rate-meter.ts"
import type { Lane } from "./lane.ts"
import { LayerSwitcher } from "./layer-switcher.ts"
import { batchBytes, createVideoPacketLane, type LaneSetup } from "./stream-lanes.ts"

/** One simulcast layer: the same picture in another size or quality. */
export interface VideoLayer {
  /** The publisher's name for it (RFC 8851). */
  readonly rid: string
  readonly lane: Lane<RtpBatch>
  /** Of the last keyframe, where its bitstream tells. */
  readonly widthPx: number | undefined
  readonly heightPx: number | undefined
  bitrateBps(nowMs: number): number
  /** False where no packet has come for a while: encoders leave out layers that the network does not carry. */
  isActive(nowMs: number): boolean
}

/** What the layers of a stream work with. */
export interface VideoLayersOptions {
  /** The limits of the lane of all; the layers divide them among themselves. */
  readonly setup: LaneSetup
  /** Takes the packets of the best layer, joined into one numbering and one clock. */
  readonly emit: (batch: RtpBatch) => void
  readonly requestKeyframe: (rid: string, nowMs: number) => void
  /** The list, its order, a size or an activity has changed. */
  readonly onChange: () => void
}

/**
 * The simulcast layers of a stream, each with a lane of its own, and the best active one as what the lane of all gets. A better layer is
 * taken at its next keyframe; when the current one falls silent, the best that is left is asked for one.
 */
export class VideoLayers {
  readonly #options: VideoLayersOptions
  readonly #switcher = new LayerSwitcher()
  /** All that have a lane; those of publishers before keep theirs, so that numbers go on when a name comes back. */
  readonly #known = new Map<string, LayerState>()
  #list: readonly LayerState[] = []
  #nextCheckMs = Number.NEGATIVE_INFINITY

  constructor(options: VideoLayersOptions) {
    this.#options = options
  }

  /** Those that the publisher sends or has sent, best first: by size, or by bitrate where sizes do not tell. */
  get list(): readonly VideoLayer[] {
    return this.#list
  }

  /** The lane of a layer, also before its first packet. */
  lane(rid: string): Lane<RtpBatch> {
    return this.#get(rid).lane
  }

  /** The best layer that is active, or the best of all where none is. */
  best(nowMs: number): VideoLayer | undefined {
    return this.#list.find((layer) => layer.isActive(nowMs)) ?? this.#list[0]
  }

  /** Takes packets of a layer at the time of their arrival. */
  push(rid: string, batch: RtpBatch, nowMs: number): void {
    const layer = this.#get(rid)
    if (!this.#list.includes(layer)) {
      if (this.#list.length === MAX_LAYERS) return
      this.#list = [...this.#list, layer]
    }
    const isNewPicture = layer.lane.last?.timestamp !== batch.timestamp
    layer.push(batch, nowMs)
    if (isNewPicture) for (const other of this.#list) other.onPictureOf(layer)
    if (rid === this.#switcher.rid) {
      const placed = this.#switcher.push(batch)
      if (placed !== undefined) this.#options.emit(placed)
    } else if (batch.startsKeyframe && this.#isWanted(layer, nowMs)) {
      // A beginning may have been overtaken by what follows it, which the layer's lane holds behind it.
      const [first = batch, ...rest] = layer.lane.cached
      for (const placed of this.#switcher.switchTo(rid, [first, ...rest])) this.#options.emit(placed)
    }
    if (layer.hasNews || nowMs >= this.#nextCheckMs) this.check(nowMs)
  }

  /** Puts the layers in order, notices which ones fell silent, and asks for a keyframe where a change is due. */
  check(nowMs: number): void {
    this.#nextCheckMs = nowMs + CHECK_INTERVAL_MS
    const before = this.#list
    this.#list = inOrder(before, nowMs)
    let hasChanged = this.#list.some((layer, i) => layer !== before[i])
    for (const layer of this.#list) hasChanged = layer.takeNews(nowMs) || hasChanged
    const best = this.best(nowMs)
    if (best?.isActive(nowMs) && best.rid !== this.#switcher.rid) this.#options.requestKeyframe(best.rid, nowMs)
    if (hasChanged) this.#options.onChange()
  }

  /** Another publisher begins, behind the last batch of the lane of all; layers of the same names go on in the same lanes. */
  restart(previous: RtpBatch | undefined): void {
    this.#list = []
    this.#switcher.restart(previous)
    for (const layer of this.#known.values()) layer.reset()
  }

  #isWanted(layer: LayerState, nowMs: number): boolean {
    const current = this.#list.find(({ rid }) => rid === this.#switcher.rid)
    return current === undefined || !current.isActive(nowMs) || isBetter(layer, current, nowMs)
  }

  #get(rid: string): LayerState {
    let layer = this.#known.get(rid)
    if (layer === undefined) {
      if (this.#known.size >= MAX_KNOWN_LAYERS) this.#forgetOne()
      layer = new LayerState(rid, this.#options.setup)
      this.#known.set(rid, layer)
    }
    return layer
  }

  /** The oldest that the publisher does not send, if possible one that nobody watches. */
  #forgetOne(): void {
    const unused = [...this.#known.values()].filter((layer) => !this.#list.includes(layer))
    const layer = unused.find(({ lane }) => !lane.hasSubscribers) ?? unused[0]
    if (layer !== undefined) this.#known.delete(layer.rid)
  }
}

class LayerState implements VideoLayer {
  readonly rid: string
  readonly lane: Lane<RtpBatch>
  widthPx: number | undefined
  heightPx: number | undefined
  #meter = new RateMeter(RATE_WINDOW_MS)
  /** Pictures of each other layer since the last packet of this one. */
  readonly #missed = new Map<LayerState, number>()
  #lastPacketMs = Number.NEGATIVE_INFINITY
  #wasActive = false
  #hasNewSize = false

  constructor(rid: string, setup: LaneSetup) {
    this.rid = rid
    this.lane = createVideoPacketLane({ ...setup, cacheMaxBytes: setup.cacheMaxBytes / MAX_LAYERS })
  }

  /** True from a packet that changes what is known of the layer until `takeNews`. */
  get hasNews(): boolean {
    return this.#hasNewSize || !this.#wasActive
  }

  bitrateBps(nowMs: number): number {
    return this.#meter.bitrateBps(nowMs)
  }

  isActive(nowMs: number): boolean {
    const silentMs = nowMs - this.#lastPacketMs
    if (silentMs >= SILENCE_MS) return false
    if (silentMs < SHORT_SILENCE_MS) return true
    for (const count of this.#missed.values()) if (count >= MISSED_PICTURES) return false
    return true
  }

  /** Another layer has a new picture, of which this one should have one, too. */
  onPictureOf(other: LayerState): void {
    if (other !== this) this.#missed.set(other, (this.#missed.get(other) ?? 0) + 1)
  }

  push(batch: RtpBatch, nowMs: number): void {
    this.#lastPacketMs = nowMs
    this.#missed.clear()
    this.#meter.add(batchBytes(batch), nowMs)
    if (batch.widthPx !== undefined && batch.heightPx !== undefined) {
      this.#hasNewSize ||= batch.widthPx !== this.widthPx || batch.heightPx !== this.heightPx
      this.widthPx = batch.widthPx
      this.heightPx = batch.heightPx
    }
    this.lane.push(batch)
  }

  /** True where size or activity have changed since the last call. */
  takeNews(nowMs: number): boolean {
    const isActive = this.isActive(nowMs)
    const hasNews = this.#hasNewSize || isActive !== this.#wasActive
    this.#hasNewSize = false
    this.#wasActive = isActive
    return hasNews
  }

  /** Its publisher is gone. */
  reset(): void {
    this.lane.detach()
    this.widthPx = undefined
    this.heightPx = undefined
    this.#meter = new RateMeter(RATE_WINDOW_MS)
    this.#lastPacketMs = Number.NEGATIVE_INFINITY
    this.#missed.clear()
    this.#wasActive = false
  }
}

/** Lets each layer move up past worse ones; those before it are in order already. */
function inOrder(layers: readonly LayerState[], nowMs: number): LayerState[] {
  const list = [...layers]
  for (let i = list.length - 1; i > 0; i--) {
    const [above, below] = [list[i - 1] as LayerState, list[i] as LayerState]
    if (isBetter(below, above, nowMs)) list.splice(i - 1, 2, below, above)
  }
  return list
}

function isBetter(a: LayerState, b: LayerState, nowMs: number): boolean {
  const difference = pixels(a) - pixels(b)
  if (difference === 0 || Number.isNaN(difference)) return a.bitrateBps(nowMs) > b.bitrateBps(nowMs) * CLEARLY
  return difference > 0
}

/** NaN where the size is not known. */
function pixels({ widthPx = Number.NaN, heightPx = Number.NaN }: VideoLayer): number {
  return widthPx * heightPx
}

/** A layer is out after this time whatever the others do, */
const SILENCE_MS = 1_500
/** and after this one where another layer has had that many pictures meanwhile: the source has not paused, the encoder leaves this layer out. */
const SHORT_SILENCE_MS = 400
const MISSED_PICTURES = 8
const CHECK_INTERVAL_MS = 250
/** Bitrates swing, and an order that follows them must not. */
const CLEARLY = 1.25
/** As many as are agreed on with a publisher. */
const MAX_LAYERS = 4
/** Over the life of a stream, whose publishers may name theirs differently. */
const MAX_KNOWN_LAYERS = 16
/** Longer than what keyframes make of a second. */
const RATE_WINDOW_MS = 3_000
