import { LinkLoss } from "../../rtp/link-loss.ts"
import { LossWindow } from "../../rtp/loss-window.ts"
import type { ReceivedReports } from "../../rtp/received-reports.ts"
import type { ReportBlock } from "../../rtp/rtcp-report.ts"
import type { TransportFeedback } from "../../rtp/rtcp-transport-feedback.ts"
import { LossBasedEstimate } from "../../rtp/send-rate.ts"
import { ThinningChoice, type ThinningLevel } from "../../whep/thinning-choice.ts"
import type { StreamPump } from "./stream-pump.ts"
import type { WhepLayers } from "./whep-layers.ts"
import type { WhepVideo } from "./whep-video.ts"

/** What a viewer's congestion control works with. */
export interface WhepCongestionOptions {
  readonly layers: WhepLayers
  readonly reports: ReceivedReports
  readonly nowMs: () => number
  /** Bits per second that the viewer was sent in the last second. */
  readonly sentBps: () => number
  /** What a viewer's link is taken to carry before it has reported anything. */
  readonly startBitrateBps: number
}

/** Keeps what one viewer is sent within what its link takes: by a smaller layer of simulcast, and where there is none by fewer pictures. */
export class WhepCongestion {
  readonly #options: WhepCongestionOptions
  readonly #thinning = new ThinningChoice()
  readonly #lossWindow = new LossWindow()
  #linkLoss = new LinkLoss()
  #pump: StreamPump | undefined
  #keyframesSinceMs: number | undefined
  #forLayers!: LossBasedEstimate
  #forThinning!: LossBasedEstimate

  constructor(options: WhepCongestionOptions) {
    this.#options = options
    this.forget()
  }

  /** What was learnt with other layers tells too little of the link: a receiver's estimate follows what it gets. */
  forget(): void {
    const { sentBps, startBitrateBps: startBps } = this.#options
    this.#forLayers = new LossBasedEstimate({ sentBps, startBps })
    // Few pictures are worse than lost packets, which are sent again: a radio link that loses some is no reason for them.
    this.#forThinning = new LossBasedEstimate({ sentBps, startBps, highLoss: CONGESTION_LOSS })
  }

  /** Some pictures are left out. */
  get isCongested(): boolean {
    return this.#thinning.level !== "none"
  }

  onRemb(bitrateBps: number): void {
    const nowMs = this.#options.nowMs()
    this.#forLayers.onRemb(bitrateBps, nowMs)
    this.#forThinning.onRemb(bitrateBps, nowMs)
  }

  onTransportFeedback(feedback: TransportFeedback): void {
    const nowMs = this.#options.nowMs()
    this.#forLayers.onTransportFeedback(feedback, nowMs)
    this.#forThinning.onTransportFeedback(feedback, nowMs)
  }

  /** Takes the report block on the video, which comes from this pump. */
  onReport(block: ReportBlock, pump: StreamPump): void {
    const nowMs = this.#options.nowMs()
    if (this.#pump !== pump) this.#linkLoss = new LinkLoss()
    this.#pump = pump
    const lossShare = this.#linkLoss.onReport(block, pump.missingPackets)
    const share = this.#lossWindow.onReport(block.extendedHighestSequenceNumber, lossShare, nowMs)
    if (share === undefined) return
    this.#forLayers.onReport({ fractionLost: 256 * share }, nowMs)
    this.#forThinning.onReport({ fractionLost: 256 * share }, nowMs)
  }

  /** Looks at the link, about once a second and after each change of the layers. Returns true where a keyframe would help the viewer. */
  apply(video: WhepVideo): boolean {
    const { layers, reports, nowMs } = this.#options
    layers.apply(video, this.#forLayers.estimateBps(nowMs()))
    if (!video.isLive || video.wish !== undefined || !layers.isAtLeast) this.#thinning.hold(nowMs())
    const before = this.#thinning.level
    const level = this.#thinning.choose(
      {
        estimateBps: this.#forThinning.estimateBps(nowMs()),
        queueingMs: reports.queueingMs,
        streamBps: video.current.bitrateBps,
        disposableBps: video.current.disposableBps,
      },
      nowMs(),
    )
    video.thin(level)
    this.#noteLevel(level)
    return before === "keyframes" && level !== before
  }

  /** Keyframes alone fill no link: what packets still wait after some time is how long the way has become. */
  #noteLevel(level: ThinningLevel): void {
    const { reports, nowMs } = this.#options
    if (level !== "keyframes") this.#keyframesSinceMs = undefined
    else {
      this.#keyframesSinceMs ??= nowMs()
      if (nowMs() - this.#keyframesSinceMs >= DRAINED_MS) reports.forgetShortest()
    }
  }
}

const CONGESTION_LOSS = 0.25
const DRAINED_MS = 8_000
