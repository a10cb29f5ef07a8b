import { randomInt } from "node:crypto"
import type { AccessGrant } from "../../access/access.ts"
import type { LiveStream } from "../../hub/live-stream.ts"
import type { PublisherSession, SessionFacts } from "../../hub/session.ts"
import type { StreamName } from "../../hub/stream-name.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import { CODEC_TITLES } from "../../media/codec.ts"
import { RateMeter } from "../../media/rate-meter.ts"
import { readTransportSequenceNumber } from "../../rtp/header-extension.ts"
import { unixUsToNtp } from "../../rtp/ntp.ts"
import { parseRtpPacket, type RtpPacket } from "../../rtp/packet.ts"
import { ReceiverRoundTrip } from "../../rtp/round-trip.ts"
import { parseRtcp, type RtcpPacket, serializeRtcp } from "../../rtp/rtcp.ts"
import type { ExtendedReport } from "../../rtp/rtcp-extended-report.ts"
import { PublisherClock } from "../../rtp/timeline-clock.ts"
import { TransportFeedbackRecorder } from "../../rtp/transport-feedback.ts"
import type { AnsweredMedia } from "../../sdp/answer.ts"
import { type Logger, sessionLabel } from "../log.ts"
import { describeClose } from "./close-reason.ts"
import type { PeerCloseReason, WebRtcPeer } from "./transport-peer.ts"
import { WhipDemux } from "./whip-demux.ts"
import { WhipTrack } from "./whip-track.ts"

/** What a WHIP publication works with. */
export interface WhipPublisherOptions {
  readonly peer: Pick<WebRtcPeer, "id" | "remote" | "stats" | "sendRtcp" | "close">
  /** `pull` where it was us who asked for the media; such a publication may always return, as its gateway may. */
  readonly protocol: "whip" | "pull"
  readonly media: readonly AnsweredMedia[]
  readonly name: StreamName
  readonly grant: AccessGrant
  readonly registry: StreamRegistry
  readonly logger: Logger
  readonly nowMs: () => number
  /** Told to the publisher by REMB, so that its bandwidth estimation has no reason to stay low. */
  readonly maxBitrateBps: number
  readonly keyframeIntervalMs: number
  /**
   * An RTCP BYE for all that it sends is its end. Browsers say BYE too when they only pause, so that goes for clients alone that have no better
   * way to take their leave.
   */
  readonly endsOnBye?: boolean
}

/** One publication by WHIP: packets go to the stream's lanes as they come, reports and requests go back. */
export class WhipPublisher implements PublisherSession {
  readonly id: string
  readonly protocol: "whip" | "pull"
  readonly identity: string | undefined
  readonly #options: WhipPublisherOptions
  readonly #logger: Logger
  readonly #stream: LiveStream
  readonly #demux: WhipDemux
  readonly #tracks: readonly WhipTrack[]
  readonly #localSsrc = randomInt(1, 2 ** 32)
  readonly #startedAtMs: number
  readonly #rate = new RateMeter()
  readonly #roundTrip = new ReceiverRoundTrip()
  readonly #transportCcId: number | undefined
  #transportFeedback: TransportFeedbackRecorder | undefined
  #reportTimer: NodeJS.Timeout | undefined
  #feedbackTimer: NodeJS.Timeout | undefined
  #lastMediaMs: number
  /** Packets of payload types and layers that were not agreed on. */
  #strayPackets = 0
  readonly #goneSsrcs = new Set<number>()
  #wasConnected = false
  #isEnded = false

  /** Takes the name in the registry. Throws `stream.busy` or `session.limit`. */
  constructor(options: WhipPublisherOptions) {
    const { peer, protocol, media, name, registry, nowMs } = options
    this.id = peer.id
    this.protocol = protocol
    this.identity = options.grant.identity
    this.#options = options
    this.#logger = options.logger.child({ session: sessionLabel(peer.id), stream: name, protocol })
    this.#startedAtMs = nowMs()
    this.#lastMediaMs = this.#startedAtMs
    this.#stream = registry.publish(name, this, this.#startedAtMs)
    this.#demux = new WhipDemux(media)
    const clock = new PublisherClock(this.#stream.startUs(this.#startedAtMs))
    this.#tracks = media.flatMap((section) => {
      if (section.rids.length === 0) return [this.#createTrack(section, undefined, clock)]
      return section.rids.map((rid) => this.#createTrack(section, rid, clock))
    })
    for (const { codec } of media) {
      if (codec === "opus") this.#stream.useAudio("packets")
      else this.#stream.useVideo("packets", codec)
    }
    // An id means the same in all sections of a bundle (RFC 8843 section 9.2).
    this.#transportCcId = media.find(({ feedback }) => feedback.includes("transport-cc"))?.extensionIds.transportCc
    if (this.#transportCcId !== undefined) {
      this.#transportFeedback = new TransportFeedbackRecorder({ senderSsrc: this.#localSsrc })
    }
    this.#logger.debug("publisher answered")
  }

  get lastMediaMs(): number {
    return this.#lastMediaMs
  }

  /** Media may come from now on. */
  onConnected(): void {
    this.#wasConnected = true
    const { address, port, transport } = this.#options.peer.remote
    const tracks = this.#tracks.map(({ kind, rid }) => (rid === undefined ? kind : `${kind} ${rid}`))
    const codecs = this.#options.media.map(({ codec }) => codec)
    this.#logger.info({ remote: `${address}:${port}`, transport, tracks, codecs }, "publisher connected")
    this.#sendReports()
    this.#reportTimer = setInterval(() => this.#sendReports(), REPORT_INTERVAL_MS)
    this.#feedbackTimer = setInterval(() => this.#sendFeedback(), FEEDBACK_INTERVAL_MS)
  }

  /** Takes a decrypted packet; one of a payload type or layer that was not agreed on is dropped. Throws `rtp.packet`. */
  onRtp(bytes: Uint8Array): void {
    if (this.#isEnded) return
    const nowMs = this.#options.nowMs()
    this.#lastMediaMs = nowMs
    this.#rate.add(bytes.length, nowMs)
    const packet = parseRtpPacket(bytes)
    const arrivalUs = this.#stream.timelineUs(nowMs)
    this.#recordArrival(packet, arrivalUs)
    const route = this.#demux.route(packet)
    const track = this.#tracks.find(({ kind, rid }) => kind === route?.media.kind && rid === route.rid)
    if (track === undefined) this.#strayPackets++
    else track.push(packet, arrivalUs)
  }

  /** Takes a decrypted compound packet. Throws `rtcp.packet`. */
  onRtcp(compound: Uint8Array): void {
    const arrivalUs = this.#stream.timelineUs(this.#options.nowMs())
    for (const packet of parseRtcp(compound)) {
      if (packet.type === "sender_report") for (const track of this.#tracks) track.onSenderReport(packet, arrivalUs)
      else if (packet.type === "extended_report") this.#onAnswers(packet)
      else if (packet.type === "bye" && this.#options.endsOnBye) this.#onBye(packet.ssrcs)
    }
  }

  /** The transport is gone. */
  onClosed(reason: PeerCloseReason): void {
    const isGoodbye = reason.type === "closedByPeer" && this.protocol === "pull"
    const isLost = reason.type === "silent" || reason.type === "failed" || isGoodbye
    this.#stop(describeClose(reason), isLost && this.#wasConnected)
  }

  requestKeyframe(wantedRid?: string): void {
    for (const track of this.#tracks) {
      const isWanted = track.kind === "video" && (wantedRid === undefined || track.rid === wantedRid)
      if (isWanted) track.wantKeyframe(this.#nowOnTimelineMs())
    }
    this.#sendFeedback()
  }

  end(reason: string): void {
    this.#options.peer.close(reason)
    this.#stop(reason, false)
  }

  describe(nowMs: number): SessionFacts {
    const { remote, stats } = this.#options.peer
    const sum = (count: (totals: WhipTrack["totals"]) => number) =>
      this.#tracks.reduce((total, track) => total + count(track.totals), 0)
    const roundTripMs = this.#roundTrip.ms
    const jittersMs = this.#tracks.map(({ jitterMs }) => jitterMs).filter((jitterMs) => jitterMs !== undefined)
    return {
      remoteAddress: remote.isKnown ? `${remote.address}:${remote.port}` : undefined,
      transport: remote.transport,
      startedAtMs: this.#startedAtMs,
      bytes: stats.receivedBytes,
      bitrateBps: this.#rate.bitrateBps(nowMs),
      packets: sum((totals) => totals.packets),
      lostPackets: sum((totals) => totals.lost),
      droppedPackets: stats.droppedPackets + this.#strayPackets + sum((totals) => totals.dropped),
      ...(roundTripMs !== undefined && { roundTripMs }),
      ...(jittersMs.length > 0 && { jitterMs: Math.max(...jittersMs) }),
      codecs: this.#options.media.map(({ codec }) => CODEC_TITLES[codec]),
    }
  }

  #createTrack(media: AnsweredMedia, rid: string | undefined, clock: PublisherClock): WhipTrack {
    const { lanes } = this.#stream
    const lane = media.kind === "video" ? this.#stream.videoPacketLane(rid) : lanes.audioPackets
    return new WhipTrack({
      media,
      rid,
      emit: (batch) => this.#stream.pushPackets(batch, rid),
      clock,
      roundTrip: this.#roundTrip,
      previous: lane.last,
      localSsrc: this.#localSsrc,
      keyframeIntervalMs: this.#options.keyframeIntervalMs,
      wishes: this.protocol === "pull" ? "fir" : "pli",
    })
  }

  /** RFC 3550 section 6.6; one without sources is for all of them. */
  #onBye(ssrcs: readonly number[]): void {
    const sources = this.#tracks.map(({ ssrc }) => ssrc).filter((ssrc) => ssrc !== undefined)
    for (const ssrc of sources) if (ssrcs.includes(ssrc)) this.#goneSsrcs.add(ssrc)
    if (ssrcs.length === 0 || sources.every((ssrc) => this.#goneSsrcs.has(ssrc))) this.end("the publisher said BYE")
  }

  /** The sender's answers to our reference times. */
  #onAnswers({ answers }: ExtendedReport): void {
    const nowUs = this.#options.nowMs() * 1000
    for (const answer of answers) if (answer.ssrc === this.#localSsrc) this.#roundTrip.onAnswer(answer, nowUs)
  }

  /** All packets count, also those that no track takes: probes for bandwidth are padding without a rid. */
  #recordArrival(packet: RtpPacket, arrivalUs: number): void {
    if (this.#transportFeedback === undefined) return
    const sequenceNumber = readTransportSequenceNumber(packet, this.#transportCcId)
    if (sequenceNumber !== undefined) this.#transportFeedback.onPacket(sequenceNumber, arrivalUs, packet.ssrc)
  }

  #stop(reason: string, mayReturn: boolean): void {
    if (this.#isEnded) return
    this.#isEnded = true
    clearInterval(this.#reportTimer)
    clearInterval(this.#feedbackTimer)
    for (const track of this.#tracks) track.close()
    const { nowMs, registry, grant, peer } = this.#options
    registry.unpublish(this.#stream, this, reason, { mayReturn, nowMs: nowMs() })
    const durationMs = Math.round(nowMs() - this.#startedAtMs)
    const totals = Object.fromEntries(
      this.#tracks.map(({ kind, rid, totals }) => [rid === undefined ? kind : `${kind} ${rid}`, totals]),
    )
    this.#logger.info({ reason, durationMs, ...totals }, "publisher gone")
    grant.ended({ sessionId: sessionLabel(this.id), reason, durationMs, bytes: peer.stats.receivedBytes })
  }

  #sendReports(): void {
    const nowUs = this.#stream.timelineUs(this.#options.nowMs())
    const reports = this.#tracks.map((track) => track.report(nowUs)).filter((report) => report !== undefined)
    const packets: RtcpPacket[] = [{ type: "receiver_report", senderSsrc: this.#localSsrc, reports }]
    // Nobody but us reads it, so it may be of any clock.
    const referenceTime = unixUsToNtp(this.#options.nowMs() * 1000)
    packets.push({ type: "extended_report", senderSsrc: this.#localSsrc, referenceTime, answers: [] })
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
    const nowMs = this.#nowOnTimelineMs()
    const feedback = this.#tracks.flatMap((track) => track.pollFeedback(nowMs))
    const arrivals = this.#transportFeedback?.poll(nowMs * 1000)
    if (arrivals !== undefined) feedback.push(arrivals)
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
