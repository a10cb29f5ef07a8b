import type { AccessGrant } from "../../access/access.ts"
import type { LiveStream } from "../../hub/live-stream.ts"
import type { SessionFacts, StreamEvent, SubscriberSession } from "../../hub/session.ts"
import { CODEC_TITLES } from "../../media/codec.ts"
import { CLOCK_RATE_HZ } from "../../media/packet.ts"
import { usToTicks } from "../../media/time.ts"
import { ReceivedReports } from "../../rtp/received-reports.ts"
import { parseRtcp, type RtcpPacket, serializeRtcp } from "../../rtp/rtcp.ts"
import type { Nack } from "../../rtp/rtcp-feedback.ts"
import type { ReportBlock } from "../../rtp/rtcp-report.ts"
import type { AnsweredMedia } from "../../sdp/answer.ts"
import type { WhepEventFeeds } from "../../whep/event-feeds.ts"
import { type Logger, sessionLabel } from "../log.ts"
import { describeClose } from "./close-reason.ts"
import type { PacketFanout, ViewerId } from "./fanout.ts"
import { senderReport } from "./sender-report.ts"
import type { SrtpKeys } from "./srtp/keys.ts"
import type { StreamPumps } from "./stream-pumps.ts"
import type { PeerCloseReason, WebRtcPeer } from "./transport-peer.ts"
import { WhepCongestion } from "./whep-congestion.ts"
import { WhepLayers } from "./whep-layers.ts"
import { WhepRequests } from "./whep-requests.ts"
import { planTracks, type WhepTrack } from "./whep-tracks.ts"
import { WhepVideo } from "./whep-video.ts"
import { WhepViewerEvents } from "./whep-viewer-events.ts"

/** What a viewer works with. */
export interface WhepViewerOptions {
  readonly peer: WebRtcPeer
  readonly media: readonly AnsweredMedia[]
  /** Index of the video's m-line. */
  readonly videoIndex: number
  /** See `SubscriberSession`; false if left out. */
  readonly needsPicturesInOrder?: boolean
  readonly stream: LiveStream
  readonly grant: AccessGrant
  readonly fanout: PacketFanout
  readonly pumps: StreamPumps
  readonly logger: Logger
  readonly nowMs: () => number
  readonly catchUpBitrateBps: number
  readonly startBitrateBps: number
  /** An error that nobody expected. */
  readonly onBug: (error: unknown) => void
}

/** One WHEP viewer: joins the fan-out when it is connected, answers its requests, and sends it reports and events. */
export class WhepViewer implements SubscriberSession {
  readonly id: string
  readonly protocol = "whep"
  readonly needsPicturesInOrder: boolean
  readonly layers: WhepLayers
  readonly #options: WhepViewerOptions
  readonly #logger: Logger
  readonly #tracks: readonly WhepTrack[]
  readonly #events: WhepViewerEvents
  readonly #startedAtMs: number
  /** Unix time at which the stream's timeline was 0. */
  readonly #epochUs: number
  readonly #reports: ReceivedReports
  readonly #congestion: WhepCongestion
  readonly #requests: WhepRequests
  readonly #totals = { packets: 0, bytes: 0, resent: 0, leftOut: 0 }
  /** Of the last second. */
  #bitrateBps = 0
  #countedAtMs: number
  #viewerId: ViewerId | undefined
  #video: WhepVideo | undefined
  #reportTimer: NodeJS.Timeout | undefined
  #isEnded = false

  /** Counts as a viewer at once. Throws `session.limit`. */
  constructor(options: WhepViewerOptions) {
    const { peer, media, stream, pumps, nowMs } = options
    this.id = peer.id
    this.needsPicturesInOrder = options.needsPicturesInOrder ?? false
    this.#options = options
    this.#logger = options.logger.child({ session: sessionLabel(peer.id), stream: stream.name, protocol: "whep" })
    this.#startedAtMs = nowMs()
    this.#countedAtMs = this.#startedAtMs
    this.#epochUs = Date.now() * 1000 - stream.timelineUs(this.#startedAtMs)
    this.#tracks = planTracks(media, pumps)
    this.layers = new WhepLayers({ ...options, mediaId: String(options.videoIndex) })
    const rtpTimestamp = (ptsUs: number) => this.#videoTimestamp(ptsUs)
    this.#events = new WhepViewerEvents({ stream, layers: this.layers, rtpTimestamp })
    this.#reports = new ReceivedReports(
      this.#tracks.map(({ kind, local }) => ({ ssrc: local.ssrc, clockRateHz: CLOCK_RATE_HZ[kind] })),
    )
    const hasPli = media.some(({ kind, feedback }) => kind === "video" && feedback.includes("nack pli"))
    this.#requests = new WhepRequests({ ...options, tracks: this.#tracks, hasPli, rid: () => this.layers.rid })
    const sentBps = () => this.#bitrateBps
    this.#congestion = new WhepCongestion({ ...options, layers: this.layers, reports: this.#reports, sentBps })
    stream.addSubscriber(this)
    this.#logger.debug("viewer answered")
  }

  /** The feeds of what this viewer is told. */
  get events(): WhepEventFeeds {
    return this.#events.feeds
  }

  /** Keys are agreed: media starts. */
  onConnected(keys: SrtpKeys): void {
    const { fanout, peer, nowMs, stream, catchUpBitrateBps } = this.#options
    const { address, port, transport } = peer.remote
    const codecs = this.#options.media.map(({ codec }) => codec)
    this.#logger.info({ remote: `${address}:${port}`, transport, profile: keys.profile, codecs }, "viewer connected")
    const tracks = this.#tracks.map(({ track }) => track)
    const viewerId = fanout.addViewer({ remote: peer.remote, keys, tracks })
    this.#viewerId = viewerId
    for (const { kind, pump, track } of this.#tracks) {
      if (kind === "audio") {
        pump.attach()
        fanout.joinTrack(viewerId, track.trackId, { sourceId: pump.sourceId })
        continue
      }
      this.#video = new WhepVideo({
        fanout,
        pump: this.layers.first(),
        viewerId,
        trackId: track.trackId,
        nowMs,
        hasTransportFeedback: track.rtx !== undefined && track.extensions?.transportCc !== undefined,
        catchUpBitrateBps,
        onError: (error) => this.#fail(error),
      })
      stream.requestKeyframe(nowMs(), this.layers.rid)
    }
    this.#countedAtMs = nowMs()
    this.#reportTimer = setInterval(() => this.#onSecond(), REPORT_INTERVAL_MS)
  }

  /** Takes a decrypted compound packet. Throws `rtcp.packet`. */
  onRtcp(compound: Uint8Array): void {
    for (const packet of parseRtcp(compound)) this.#onRtcpPacket(packet)
  }

  /** The transport is gone. */
  onClosed(reason: PeerCloseReason): void {
    this.#stop(describeClose(reason))
  }

  onStreamEvent(event: StreamEvent): void {
    this.#events.onStreamEvent(event)
    if (event.type === "layers") this.#applyLayers()
    else if (event.type === "codec") this.#onCodecChange()
  }

  /** The viewer wants other layers than before. Throws `sdp.unsupported` for one that the stream does not have. */
  selectLayer(constraint: Parameters<WhepLayers["select"]>[0]): void {
    this.layers.select(constraint)
    this.#congestion.forget()
    this.#applyLayers()
  }

  end(reason: string): void {
    this.#options.peer.close(reason)
    this.#stop(reason)
  }

  describe(): SessionFacts {
    const { remote } = this.#options.peer
    const { packets, bytes, resent, leftOut } = this.#sent()
    const { lostPackets, lossRatio, roundTripMs, jitterMs } = this.#reports
    return {
      remoteAddress: remote.isKnown ? `${remote.address}:${remote.port}` : undefined,
      transport: remote.transport,
      startedAtMs: this.#startedAtMs,
      packets,
      bytes,
      bitrateBps: this.#bitrateBps,
      lostPackets,
      ...(lossRatio !== undefined && { lossRatio }),
      resentPackets: resent,
      refusedFeedback: this.#requests.refusedCount,
      droppedFrames: leftOut,
      ...(roundTripMs !== undefined && { roundTripMs }),
      ...(jitterMs !== undefined && { jitterMs }),
      ...(this.layers.rid !== undefined && { layer: this.layers.rid }),
      codecs: this.#options.media.map(({ codec }) => CODEC_TITLES[codec]),
    }
  }

  #onRtcpPacket(packet: RtcpPacket): void {
    switch (packet.type) {
      case "nack":
        this.#onNack(packet)
        return
      case "pli":
        this.#requests.onPli(packet, this.#video)
        return
      case "fir":
        this.#requests.onFir(packet, this.#video)
        return
      case "bye":
        // Whoever only receives says so when it leaves, RFC 3550 section 6.6.
        if (packet.ssrcs.every((ssrc) => this.#tracks.every(({ local }) => local.ssrc !== ssrc))) {
          this.end("the viewer said BYE")
        }
        return
      case "remb":
        if (packet.ssrcs.length > 0 && !packet.ssrcs.some((ssrc) => this.#requests.isOwn(ssrc))) return
        this.#congestion.onRemb(packet.bitrateBps)
        this.#video?.onRemb(packet.bitrateBps)
        return
      case "transport_feedback":
        this.#video?.onTransportFeedback(packet)
        if (this.#isNumberedLive) this.#congestion.onTransportFeedback(packet)
        return
      case "receiver_report":
        for (const block of packet.reports) this.#onReportBlock(block)
    }
  }

  /** Reports on transport-wide numbers are about what is sent live as well, not only about what came from the cache. */
  get #isNumberedLive(): boolean {
    return this.#tracks.some(({ track }) => track.extensions?.isTransportCcForSendTo === false)
  }

  #onReportBlock(block: ReportBlock): void {
    // Browsers report on retransmissions too, which says nothing new.
    if (!this.#requests.isOwn(block.ssrc) || !this.#reports.onBlock(block, this.#unixUs())) return
    const isVideo = this.#tracks.some(({ kind, local }) => kind === "video" && local.ssrc === block.ssrc)
    if (isVideo && this.#video) this.#congestion.onReport(block, this.#video.current)
  }

  #onNack(packet: Nack): void {
    if (this.#viewerId === undefined) return
    const { roundTripMs } = this.#reports
    const { isCongested } = this.#congestion
    const situation = { nowMs: this.#options.nowMs(), sentBps: this.#bitrateBps, roundTripMs, isCongested }
    this.#requests.onNack(packet, this.#viewerId, situation, this.#video)
  }

  #onSecond(): void {
    const { nowMs } = this.#options
    const before = this.#totals.bytes
    Object.assign(this.#totals, this.#sent())
    this.#bitrateBps = Math.round(((this.#totals.bytes - before) * 8_000) / Math.max(1, nowMs() - this.#countedAtMs))
    this.#countedAtMs = nowMs()
    this.#sendReports()
    this.#applyLayers()
  }

  #sendReports(): void {
    const { fanout, peer, nowMs, stream } = this.#options
    const viewerId = this.#viewerId
    if (viewerId === undefined) return
    const timelineUs = stream.timelineUs(nowMs())
    for (const { kind, local, track } of this.#tracks) {
      if (kind === "video" && this.#video?.isLive !== true) continue // its times are not those of the stream
      const stats = fanout.stats(viewerId, track.trackId)
      const report = stats && senderReport(stats, { kind, local, timelineUs, unixUs: this.#epochUs + timelineUs })
      if (report !== undefined) peer.sendRtcp(serializeRtcp(report))
    }
  }

  #applyLayers(): void {
    if (this.#video === undefined || this.#isEnded) return
    if (this.#congestion.apply(this.#video)) this.#requests.askPublisher()
  }

  /** What was agreed on does not hold any more; a new session can agree on the new codec. */
  #onCodecChange(): void {
    const codec = this.#options.stream.videoCodec
    if (this.#options.media.every((section) => section.kind === "audio" || section.codec === codec)) return
    this.#events.reconnect()
    this.#options.peer.close("the stream's video has another codec now")
  }

  #unixUs(): number {
    return this.#epochUs + this.#options.stream.timelineUs(this.#options.nowMs())
  }

  /** What the viewer's video has for a point of the timeline, by the newest packet that it got. */
  #videoTimestamp(ptsUs: number): number | undefined {
    const video = this.#tracks.find(({ kind }) => kind === "video")
    if (video === undefined || this.#viewerId === undefined) return undefined
    const stats = this.#options.fanout.stats(this.#viewerId, video.track.trackId)
    if (stats?.ptsUs === undefined) return undefined
    return (stats.rtpTimestamp + usToTicks(ptsUs - stats.ptsUs, CLOCK_RATE_HZ.video)) >>> 0
  }

  #fail(error: unknown): void {
    this.#options.onBug(error)
    this.end("an error in the gateway")
  }

  #stop(reason: string): void {
    if (this.#isEnded) return
    this.#isEnded = true
    clearInterval(this.#reportTimer)
    this.#leave()
    const { stream, nowMs, grant } = this.#options
    stream.removeSubscriber(this)
    this.#events.end()
    const durationMs = Math.round(nowMs() - this.#startedAtMs)
    const { lostPackets, roundTripMs } = this.#reports
    const { keyframeRequests, refusedCount: refused } = this.#requests
    const totals = { ...this.#totals, keyframeRequests, refused, lostPackets }
    const rounded = roundTripMs === undefined ? undefined : Math.round(roundTripMs)
    this.#logger.info({ reason, durationMs, ...totals, roundTripMs: rounded }, "viewer gone")
    grant.ended({ sessionId: sessionLabel(this.id), reason, durationMs, bytes: this.#totals.bytes })
  }

  #sent(): { packets: number; bytes: number; resent: number; leftOut: number } {
    const sent = { packets: 0, bytes: 0, resent: 0, leftOut: 0 }
    for (const { track } of this.#tracks) {
      const stats = this.#viewerId === undefined ? undefined : this.#options.fanout.stats(this.#viewerId, track.trackId)
      sent.packets += stats?.packetCount ?? 0
      sent.bytes += stats?.octetCount ?? 0
      sent.resent += stats?.resentCount ?? 0
      sent.leftOut += stats?.leftOutCount ?? 0
    }
    return sent
  }

  #leave(): void {
    if (this.#viewerId === undefined) return
    Object.assign(this.#totals, this.#sent())
    for (const { kind, pump } of this.#tracks) if (kind === "audio") pump.detach()
    this.#video?.close()
    this.#options.fanout.removeViewer(this.#viewerId)
    this.#viewerId = undefined
  }
}

const REPORT_INTERVAL_MS = 1_000
