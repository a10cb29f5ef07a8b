import { randomInt } from "node:crypto"
import type { LiveStream } from "../../hub/live-stream.ts"
import type { SessionFacts, SubscriberSession } from "../../hub/session.ts"
import { CLOCK_RATE_HZ } from "../../media/packet.ts"
import { usToTicks } from "../../media/time.ts"
import { unixUsToNtp } from "../../rtp/ntp.ts"
import { roundTripMs } from "../../rtp/round-trip.ts"
import { parseRtcp, type RtcpPacket, serializeRtcp } from "../../rtp/rtcp.ts"
import type { AnsweredMedia } from "../../sdp/answer.ts"
import type { LocalTrack } from "../../sdp/serialize.ts"
import { type Logger, sessionLabel } from "../log.ts"
import { describeClose } from "./close-reason.ts"
import type { PacketFanout, ViewerId, ViewerTrack } from "./fanout.ts"
import type { SrtpKeys } from "./srtp/keys.ts"
import type { StreamPump } from "./stream-pump.ts"
import type { PeerCloseReason, WebRtcPeer } from "./transport-peer.ts"
import { WhepVideo } from "./whep-video.ts"

/** What a viewer works with. */
export interface WhepViewerOptions {
  readonly peer: WebRtcPeer
  readonly media: readonly AnsweredMedia[]
  readonly stream: LiveStream
  readonly fanout: PacketFanout
  readonly pumps: { readonly audio: StreamPump; readonly video: StreamPump }
  readonly logger: Logger
  readonly nowMs: () => number
  readonly catchUpBitrateBps: number
  /** An error that nobody expected. */
  readonly onBug: (error: unknown) => void
}

/** One WHEP viewer: joins the fan-out when it is connected, answers its requests, and sends it reports. */
export class WhepViewer implements SubscriberSession {
  readonly id: string
  readonly protocol = "whep"
  readonly #options: WhepViewerOptions
  readonly #logger: Logger
  readonly #tracks: readonly ViewerTrackPlan[]
  readonly #startedAtMs: number
  /** Unix time at which the stream's timeline was 0. */
  readonly #epochUs: number
  readonly #totals = { packets: 0, bytes: 0, resent: 0, keyframeRequests: 0, lostPackets: 0 }
  #viewerId: ViewerId | undefined
  #video: WhepVideo | undefined
  #reportTimer: NodeJS.Timeout | undefined
  #roundTripMs: number | undefined
  #lastRequest: { readonly run: unknown; readonly atMs: number } | undefined
  #isEnded = false

  /** Counts as a viewer at once. Throws `session.limit`. */
  constructor(options: WhepViewerOptions) {
    const { peer, media, stream, pumps, nowMs } = options
    this.id = peer.id
    this.#options = options
    this.#logger = options.logger.child({ session: sessionLabel(peer.id), stream: stream.name, protocol: "whep" })
    this.#startedAtMs = nowMs()
    this.#epochUs = Date.now() * 1000 - stream.timelineUs(this.#startedAtMs)
    this.#tracks = media.flatMap((section) => {
      const { kind, local } = section
      return local === undefined ? [] : [{ kind, local, pump: pumps[kind], track: viewerTrack(section, local) }]
    })
    stream.addSubscriber(this)
    this.#logger.debug("viewer answered")
  }

  /** Keys are agreed: media starts. */
  onConnected(keys: SrtpKeys): void {
    const { fanout, peer, nowMs, stream, catchUpBitrateBps } = this.#options
    const { address, port } = peer.remote
    this.#logger.info({ remote: `${address}:${port}`, profile: keys.profile }, "viewer connected")
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
        pump,
        viewerId,
        trackId: track.trackId,
        nowMs,
        catchUpBytesPerMs: catchUpBitrateBps / 8000,
        onError: (error) => this.#fail(error),
      })
      stream.requestKeyframe(nowMs())
    }
    this.#reportTimer = setInterval(() => this.#sendReports(), REPORT_INTERVAL_MS)
  }

  /** Takes a decrypted compound packet. Throws `rtcp.packet`. */
  onRtcp(compound: Uint8Array): void {
    for (const packet of parseRtcp(compound)) this.#onRtcpPacket(packet)
  }

  /** The transport is gone. */
  onClosed(reason: PeerCloseReason): void {
    this.#stop(describeClose(reason))
  }

  end(reason: string): void {
    this.#options.peer.close(reason)
    this.#stop(reason)
  }

  describe(nowMs: number): SessionFacts {
    const { address, port } = this.#options.peer.remote
    const sent = { packets: 0, bytes: 0 }
    for (const { track } of this.#viewerId === undefined ? [] : this.#tracks) {
      const stats = this.#options.fanout.stats(this.#viewerId as ViewerId, track.trackId)
      sent.packets += stats?.packetCount ?? 0
      sent.bytes += stats?.octetCount ?? 0
    }
    return {
      ...sent,
      remoteAddress: `${address}:${port}`,
      transport: "udp",
      startedAtMs: this.#startedAtMs,
      bitrateBps: Math.round((8000 * sent.bytes) / Math.max(1, nowMs - this.#startedAtMs)),
      lostPackets: this.#totals.lostPackets,
      ...(this.#roundTripMs !== undefined && { roundTripMs: this.#roundTripMs }),
      codecs: this.#options.media.map(({ codec }) => codec),
    }
  }

  #onRtcpPacket(packet: RtcpPacket): void {
    const { fanout } = this.#options
    if (packet.type === "nack") {
      const requested = this.#tracks.find(({ local }) => local.ssrc === packet.mediaSsrc)
      if (requested === undefined || this.#viewerId === undefined) return
      fanout.resend(this.#viewerId, requested.track.trackId, packet.sequenceNumbers.slice(0, MAX_RESENT_AT_ONCE))
    } else if (packet.type === "pli" || packet.type === "fir") {
      this.#onKeyframeRequest()
    } else if (packet.type === "receiver_report") {
      for (const block of packet.reports) {
        const isVideo = this.#tracks.some(({ kind, local }) => kind === "video" && local.ssrc === block.ssrc)
        if (isVideo) this.#totals.lostPackets = Math.max(0, block.cumulativeLost)
        this.#roundTripMs = roundTripMs(block, this.#unixUs()) ?? this.#roundTripMs
      }
    }
  }

  /** The publisher is asked first; the cache helps where it cannot be asked or does not answer. */
  #onKeyframeRequest(): void {
    const { nowMs, stream } = this.#options
    this.#totals.keyframeRequests++
    const run = stream.lanes.videoPackets.cached
    const before = this.#lastRequest
    const isUnanswered = before?.run === run && nowMs() - before.atMs >= UNANSWERED_MS
    if (stream.sources.video === "frames" || isUnanswered) this.#video?.restart()
    if (before?.run !== run) this.#lastRequest = { run, atMs: nowMs() }
    stream.requestKeyframe(nowMs())
  }

  /** Reports join the tracks' clocks, so that the viewer can bring sound and picture together. */
  #sendReports(): void {
    const { fanout, peer, nowMs, stream } = this.#options
    if (this.#viewerId === undefined) return
    const timelineUs = stream.timelineUs(nowMs())
    for (const { kind, local, track } of this.#tracks) {
      const stats = fanout.stats(this.#viewerId, track.trackId)
      const isTrueTime = kind === "audio" || this.#video?.isLive === true
      if (stats?.ptsUs === undefined || !isTrueTime) continue
      const sinceTicks = usToTicks(timelineUs - stats.ptsUs, CLOCK_RATE_HZ[kind])
      const report: RtcpPacket = {
        type: "sender_report",
        senderSsrc: local.ssrc,
        ...unixUsToNtp(this.#epochUs + timelineUs),
        rtpTimestamp: (stats.rtpTimestamp + sinceTicks) >>> 0,
        packetCount: stats.packetCount,
        octetCount: stats.octetCount,
        reports: [],
      }
      const description: RtcpPacket = { type: "sdes", chunks: [{ ssrc: local.ssrc, cname: local.cname }] }
      peer.sendRtcp(serializeRtcp([report, description]))
    }
  }

  #unixUs(): number {
    return this.#epochUs + this.#options.stream.timelineUs(this.#options.nowMs())
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
    this.#options.stream.removeSubscriber(this)
    const durationMs = Math.round(this.#options.nowMs() - this.#startedAtMs)
    const roundTripMs = this.#roundTripMs === undefined ? undefined : Math.round(this.#roundTripMs)
    this.#logger.info({ reason, durationMs, ...this.#totals, roundTripMs }, "viewer gone")
  }

  #leave(): void {
    if (this.#viewerId === undefined) return
    for (const { kind, pump, track } of this.#tracks) {
      const stats = this.#options.fanout.stats(this.#viewerId, track.trackId)
      this.#totals.packets += stats?.packetCount ?? 0
      this.#totals.bytes += stats?.octetCount ?? 0
      this.#totals.resent += stats?.resentCount ?? 0
      if (kind === "audio") pump.detach()
    }
    this.#video?.close()
    this.#options.fanout.removeViewer(this.#viewerId)
  }
}

interface ViewerTrackPlan {
  readonly kind: "audio" | "video"
  readonly local: LocalTrack
  readonly pump: StreamPump
  readonly track: ViewerTrack
}

function viewerTrack(media: AnsweredMedia, local: LocalTrack): ViewerTrack {
  const { kind, mid, extensionIds, payloadType, rtxPayloadType } = media
  const { mid: midId, rid: _rid, repairedRid: _repairedRid, absSendTime, transportCc, ...passed } = extensionIds
  return {
    trackId: kind,
    ssrc: local.ssrc,
    payloadType,
    firstSequenceNumber: randomInt(1, 2 ** 15),
    timestampOffset: randomInt(2 ** 32),
    extensions: {
      ...(mid !== undefined && midId !== undefined && { mid: { id: midId, value: mid } }),
      ...(absSendTime !== undefined && { absSendTime }),
      ...(transportCc !== undefined && { transportCc }),
      passed,
    },
    ...(rtxPayloadType !== undefined && { rtx: { ssrc: local.rtxSsrc, payloadType: rtxPayloadType } }),
  }
}

const REPORT_INTERVAL_MS = 1_000
const UNANSWERED_MS = 1_000
/** One datagram can ask for thousands; a second of a good stream is plenty. */
const MAX_RESENT_AT_ONCE = 256
