import { randomInt } from "node:crypto"
import type { LiveStream } from "../../hub/live-stream.ts"
import type { PublisherSession, SessionFacts } from "../../hub/session.ts"
import type { StreamName } from "../../hub/stream-name.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import { parseRtpPacket } from "../../rtp/packet.ts"
import { parseRtcp, type RtcpPacket, serializeRtcp } from "../../rtp/rtcp.ts"
import { PublisherClock } from "../../rtp/timeline-clock.ts"
import type { AnsweredMedia } from "../../sdp/answer.ts"
import { type Logger, sessionLabel } from "../log.ts"
import { describeClose } from "./close-reason.ts"
import type { PeerCloseReason, WebRtcPeer } from "./transport-peer.ts"
import { WhipTrack } from "./whip-track.ts"

/** What a WHIP publication works with. */
export interface WhipPublisherOptions {
  readonly peer: WebRtcPeer
  readonly media: readonly AnsweredMedia[]
  readonly name: StreamName
  readonly token: string | undefined
  readonly registry: StreamRegistry
  readonly logger: Logger
  readonly nowMs: () => number
  /** Told to the publisher by REMB, so that its bandwidth estimation has no reason to stay low. */
  readonly maxBitrateBps: number
  readonly keyframeIntervalMs: number
}

/** One publication by WHIP: packets go to the stream's lanes as they come, reports and requests go back. */
export class WhipPublisher implements PublisherSession {
  readonly id: string
  readonly protocol = "whip"
  readonly identity: string | undefined
  readonly #options: WhipPublisherOptions
  readonly #logger: Logger
  readonly #stream: LiveStream
  readonly #tracks: readonly WhipTrack[]
  readonly #localSsrc = randomInt(1, 2 ** 32)
  readonly #startedAtMs: number
  #reportTimer: NodeJS.Timeout | undefined
  #feedbackTimer: NodeJS.Timeout | undefined
  #lastMediaMs: number
  #isEnded = false

  /** Takes the name in the registry. Throws `stream.busy` or `session.limit`. */
  constructor(options: WhipPublisherOptions) {
    const { peer, media, name, registry, nowMs } = options
    this.id = peer.id
    this.identity = options.token
    this.#options = options
    this.#logger = options.logger.child({ session: sessionLabel(peer.id), stream: name, protocol: "whip" })
    this.#startedAtMs = nowMs()
    this.#lastMediaMs = this.#startedAtMs
    this.#stream = registry.publish(name, this, this.#startedAtMs)
    const clock = new PublisherClock(this.#stream.startUs(this.#startedAtMs))
    const { videoPackets, audioPackets } = this.#stream.lanes
    this.#tracks = media.map((section) => {
      const lane = section.kind === "video" ? videoPackets : audioPackets
      const { keyframeIntervalMs } = options
      return new WhipTrack({
        media: section,
        clock,
        previous: lane.last,
        localSsrc: this.#localSsrc,
        keyframeIntervalMs,
      })
    })
    for (const { kind } of media) {
      if (kind === "video") this.#stream.useVideo("packets", "h264")
      else this.#stream.useAudio("packets")
    }
    this.#logger.debug("publisher answered")
  }

  get lastMediaMs(): number {
    return this.#lastMediaMs
  }

  /** Media may come from now on. */
  onConnected(): void {
    const { address, port } = this.#options.peer.remote
    const tracks = this.#tracks.map(({ kind }) => kind)
    this.#logger.info({ remote: `${address}:${port}`, tracks }, "publisher connected")
    this.#sendReports()
    this.#reportTimer = setInterval(() => this.#sendReports(), REPORT_INTERVAL_MS)
    this.#feedbackTimer = setInterval(() => this.#sendFeedback(), FEEDBACK_INTERVAL_MS)
  }

  /** Takes a decrypted packet; one of a payload type that was not agreed on is dropped. Throws `rtp.packet`. */
  onRtp(bytes: Uint8Array): void {
    if (this.#isEnded) return
    this.#lastMediaMs = this.#options.nowMs()
    const packet = parseRtpPacket(bytes)
    const track = this.#tracks.find((candidate) => candidate.takes(packet.payloadType))
    const batch = track?.push(packet, this.#stream.timelineUs(this.#options.nowMs()))
    if (batch !== undefined) this.#stream.pushPackets(batch)
  }

  /** Takes a decrypted compound packet. Throws `rtcp.packet`. */
  onRtcp(compound: Uint8Array): void {
    const arrivalUs = this.#stream.timelineUs(this.#options.nowMs())
    for (const packet of parseRtcp(compound)) {
      if (packet.type === "sender_report") for (const track of this.#tracks) track.onSenderReport(packet, arrivalUs)
    }
  }

  /** The transport is gone. */
  onClosed(reason: PeerCloseReason): void {
    this.#stop(describeClose(reason), reason.type === "silent" || reason.type === "failed")
  }

  requestKeyframe(): void {
    for (const track of this.#tracks) if (track.kind === "video") track.wantKeyframe(this.#nowOnTimelineMs())
    this.#sendFeedback()
  }

  end(reason: string): void {
    this.#options.peer.close(reason)
    this.#stop(reason, false)
  }

  describe(nowMs: number): SessionFacts {
    const { address, port } = this.#options.peer.remote
    const sum = (count: (totals: WhipTrack["totals"]) => number) =>
      this.#tracks.reduce((total, track) => total + count(track.totals), 0)
    const bytes = sum((totals) => totals.bytes)
    return {
      remoteAddress: `${address}:${port}`,
      transport: "udp",
      startedAtMs: this.#startedAtMs,
      bytes,
      bitrateBps: Math.round((8000 * bytes) / Math.max(1, nowMs - this.#startedAtMs)),
      packets: sum((totals) => totals.packets),
      lostPackets: sum((totals) => totals.lost),
      codecs: this.#options.media.map(({ codec }) => codec),
    }
  }

  #stop(reason: string, mayReturn: boolean): void {
    if (this.#isEnded) return
    this.#isEnded = true
    clearInterval(this.#reportTimer)
    clearInterval(this.#feedbackTimer)
    for (const track of this.#tracks) track.close()
    const nowMs = this.#options.nowMs()
    this.#options.registry.unpublish(this.#stream, this, reason, { mayReturn, nowMs })
    const durationMs = Math.round(nowMs - this.#startedAtMs)
    const totals = Object.fromEntries(this.#tracks.map(({ kind, totals }) => [kind, totals]))
    this.#logger.info({ reason, durationMs, ...totals }, "publisher gone")
  }

  #sendReports(): void {
    const nowUs = this.#stream.timelineUs(this.#options.nowMs())
    const reports = this.#tracks.map((track) => track.report(nowUs)).filter((report) => report !== undefined)
    const packets: RtcpPacket[] = [{ type: "receiver_report", senderSsrc: this.#localSsrc, reports }]
    if (reports.length > 0) {
      packets.push({
        type: "remb",
        senderSsrc: this.#localSsrc,
        bitrateBps: this.#options.maxBitrateBps,
        ssrcs: reports.map(({ ssrc }) => ssrc),
      })
    }
    this.#options.peer.sendRtcp(serializeRtcp(packets))
  }

  #sendFeedback(): void {
    const feedback = this.#tracks.flatMap((track) => track.pollFeedback(this.#nowOnTimelineMs()))
    if (feedback.length === 0) return
    const report: RtcpPacket = { type: "receiver_report", senderSsrc: this.#localSsrc, reports: [] }
    this.#options.peer.sendRtcp(serializeRtcp([report, ...feedback]))
  }

  /** The clock that the tracks' arrival times are of. */
  #nowOnTimelineMs(): number {
    return this.#stream.timelineUs(this.#options.nowMs()) / 1000
  }
}

const REPORT_INTERVAL_MS = 500
const FEEDBACK_INTERVAL_MS = 20
