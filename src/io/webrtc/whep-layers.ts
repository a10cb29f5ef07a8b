import { GatewayError } from "../../errors.ts"
import type { LiveStream } from "../../hub/live-stream.ts"
import { LayerChoice, type LayerConstraint } from "../../whep/layer-choice.ts"
import type { StreamPump } from "./stream-pump.ts"
import type { StreamPumps } from "./stream-pumps.ts"
import type { WhepVideo } from "./whep-video.ts"

/** A simulcast layer in the words of the WHEP extension's `layers` event; it is active where it has a bitrate. */
export interface LayerDescription {
  readonly rid: string
  /** In bit/s; 0 where nothing is sent at present. */
  readonly bitrate: number
  readonly width?: number | undefined
  readonly height?: number | undefined
}

/** What the layers of a viewer work with. */
export interface WhepLayersOptions {
  readonly stream: LiveStream
  readonly pumps: StreamPumps
  /** Index of the video's m-line, as text. */
  readonly mediaId: string
  readonly nowMs: () => number
  /** What a viewer's link is taken to carry before it has reported anything. */
  readonly startBitrateBps: number
}

/** Which simulcast layer one viewer gets: by its link, or by its own wish. */
export class WhepLayers {
  readonly mediaId: string
  readonly #options: WhepLayersOptions
  readonly #choice: LayerChoice
  #constraint: LayerConstraint = {}
  #rid: string | undefined
  #isAtLeast = true

  constructor(options: WhepLayersOptions) {
    this.mediaId = options.mediaId
    this.#options = options
    this.#choice = new LayerChoice(options)
  }

  /** The layer that the viewer gets or is about to get; undefined without simulcast. */
  get rid(): string | undefined {
    return this.#rid
  }

  /** There is no smaller layer for this viewer: none at all, or none that it wants. */
  get isAtLeast(): boolean {
    return this.#isAtLeast
  }

  /** All layers, best first. */
  list(): LayerDescription[] {
    const nowMs = this.#options.nowMs()
    return this.#options.stream.layers.map((layer) => ({
      rid: layer.rid,
      bitrate: layer.isActive(nowMs) ? Math.round(layer.bitrateBps(nowMs)) : 0,
      width: layer.widthPx,
      height: layer.heightPx,
    }))
  }

  /** Limits what the viewer gets, from the next `apply` on. Throws `sdp.unsupported` for a layer that the stream does not have. */
  select(constraint: LayerConstraint): void {
    const { rid } = constraint
    const rids = this.#options.stream.layers.map((layer) => layer.rid)
    if (rid !== undefined && !rids.includes(rid)) {
      const known = rids.length === 0 ? "it has none" : `it has ${rids.join(", ")}`
      throw new GatewayError("sdp.unsupported", `the stream has no layer ${JSON.stringify(rid.slice(0, 32))}: ${known}`)
    }
    this.#constraint = constraint
    this.#choice.constrain(constraint)
  }

  /** What a viewer's video begins with: the right layer, or whatever has a keyframe already. */
  first(): StreamPump {
    const wanted = this.#choose(undefined)
    return wanted.cached.length > 0 ? wanted : this.#options.pumps.video
  }

  /** Sees to it that the viewer's video is that of the right layer. */
  apply(video: WhepVideo, estimateBps: number | undefined): void {
    const { stream, nowMs } = this.#options
    video.switchTo(this.#choose(estimateBps))
    if (video.wish !== undefined) stream.requestKeyframe(nowMs(), this.#rid)
  }

  #choose(estimateBps: number | undefined): StreamPump {
    const { stream, pumps, nowMs } = this.#options
    const active = stream.layers.filter((layer) => layer.isActive(nowMs()))
    const layers = active.map((layer) => ({
      rid: layer.rid,
      bitrateBps: layer.bitrateBps(nowMs()),
      widthPx: layer.widthPx,
      heightPx: layer.heightPx,
    }))
    this.#rid = this.#choice.choose(layers, estimateBps, nowMs())
    this.#isAtLeast = this.#rid === layers.at(-1)?.rid || this.#constraint.rid !== undefined
    // The best layer comes by the lane of all, which goes on with the next one at once where the best falls silent.
    const isBest = this.#rid === undefined || (this.#rid === layers[0]?.rid && this.#constraint.rid === undefined)
    return isBest ? pumps.video : pumps.layer(this.#rid as string)
  }
}
