import type { LiveStream } from "../../hub/live-stream.ts"
import { ResendBudget, type ResendSituation } from "../../rtp/resend-budget.ts"
import type { FullIntraRequest, Nack, PictureLossIndication } from "../../rtp/rtcp-feedback.ts"
import type { PacketFanout, ViewerId } from "./fanout.ts"
import type { WhepTrack } from "./whep-tracks.ts"
import type { WhepVideo } from "./whep-video.ts"

/** What answers a viewer's requests. */
export interface WhepRequestsOptions {
  readonly fanout: PacketFanout
  readonly stream: LiveStream
  readonly tracks: readonly WhepTrack[]
  /** The viewer agreed on PLI: then it means another thing by FIR. */
  readonly hasPli: boolean
  /** The layer that the viewer gets. */
  readonly rid: () => string | undefined
  readonly nowMs: () => number
}

/** Answers what one viewer asks for: packets again and keyframes, no more of both than its share; and counts what it asks in vain. */
export class WhepRequests {
  readonly #options: WhepRequestsOptions
  readonly #resends = new ResendBudget()
  #keyframeRequests = 0
  #foreignCount = 0
  #refusedKeyframes = 0
  /** How many keyframes the viewer may ask the publisher for now. */
  #keyframes = MAX_KEYFRAMES_AT_ONCE
  #filledAtMs: number
  #lastFirNumber: number | undefined
  #lastRequest: { readonly run: unknown; readonly atMs: number } | undefined

  constructor(options: WhepRequestsOptions) {
    this.#options = options
    this.#filledAtMs = options.nowMs()
  }

  get keyframeRequests(): number {
    return this.#keyframeRequests
  }

  /** Feedback of which nothing came: about sources that are not the viewer's, or asking for more than its share. */
  get refusedCount(): number {
    return this.#foreignCount + this.#refusedKeyframes + this.#resends.refusedCount
  }

  /** True for a source of this viewer; others are counted. */
  isOwn(ssrc: number): boolean {
    const isOwn = this.#options.tracks.some(({ local }) => local.ssrc === ssrc || local.rtxSsrc === ssrc)
    if (!isOwn) this.#foreignCount++
    return isOwn
  }

  /** Sends again what the budget has room for. */
  onNack(
    { mediaSsrc, sequenceNumbers }: Nack,
    viewerId: ViewerId,
    situation: ResendSituation,
    video?: WhepVideo,
  ): void {
    if (!this.isOwn(mediaSsrc)) return
    const requested = this.#options.tracks.find(({ local }) => local.ssrc === mediaSsrc)
    if (requested === undefined) return
    const granted = this.#resends.take(sequenceNumbers, situation)
    if (requested.kind === "video") video?.onNack(sequenceNumbers.length, granted.length)
    this.#options.fanout.resend(viewerId, requested.track.trackId, granted)
  }

  onPli({ mediaSsrc }: PictureLossIndication, video: WhepVideo | undefined): void {
    if (this.isOwn(mediaSsrc)) this.#onKeyframeRequest(true, video)
  }

  /**
   * A viewer that has PLI for pictures that it lost means something else by FIR: it can do with a keyframe, for others that join. A repeated
   * request has the number of the one before, RFC 5104 section 4.3.1.1.
   */
  onFir({ requests }: FullIntraRequest, video: WhepVideo | undefined): void {
    const own = requests.filter(({ ssrc }) => this.isOwn(ssrc)).at(0)
    if (own === undefined || own.sequenceNumber === this.#lastFirNumber) return
    this.#lastFirNumber = own.sequenceNumber
    this.#onKeyframeRequest(!this.#options.hasPli, video)
  }

  /** Asks for a keyframe. All viewers of a stream pay for it, so one of them may not have any number of them. */
  askPublisher(): void {
    const { stream, nowMs, rid } = this.#options
    const filled = this.#keyframes + ((nowMs() - this.#filledAtMs) / 1_000) * KEYFRAMES_PER_SECOND
    this.#keyframes = Math.min(filled, MAX_KEYFRAMES_AT_ONCE)
    this.#filledAtMs = nowMs()
    if (this.#keyframes < 1) {
      this.#refusedKeyframes++
      return
    }
    this.#keyframes--
    stream.requestKeyframe(nowMs(), rid())
  }

  /** The publisher is asked first; for a lost picture the cache helps where it cannot be asked or does not answer. */
  #onKeyframeRequest(isLost: boolean, video: WhepVideo | undefined): void {
    const { nowMs, stream } = this.#options
    this.#keyframeRequests++
    const run = video?.current.cached
    const before = this.#lastRequest
    const isUnanswered = before !== undefined && before.run === run && nowMs() - before.atMs >= UNANSWERED_MS
    if (isLost && (stream.sources.video === "frames" || isUnanswered)) video?.restart()
    if (before?.run !== run) this.#lastRequest = { run, atMs: nowMs() }
    this.askPublisher()
  }
}

const UNANSWERED_MS = 1_000
const MAX_KEYFRAMES_AT_ONCE = 3
const KEYFRAMES_PER_SECOND = 0.5
