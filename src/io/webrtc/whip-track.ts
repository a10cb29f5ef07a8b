import { RtpPassthrough } from "../../bridge/rtp-passthrough.ts"
import { MAX_RETRANSMISSION_MS } from "../../bridge/rtp-to-frames.ts"
import { CLOCK_RATE_HZ, type RtpBatch } from "../../media/packet.ts"
import { readPassedExtensions } from "../../rtp/header-extension.ts"
import { NackGenerator } from "../../rtp/nack-generator.ts"
import type { RtpPacket } from "../../rtp/packet.ts"
import { ReceiverStatistics } from "../../rtp/receiver-statistics.ts"
import { RedReceiver } from "../../rtp/red-receiver.ts"
import type { ReceiverRoundTrip } from "../../rtp/round-trip.ts"
import type { RtcpPacket } from "../../rtp/rtcp.ts"
import type { SenderReport } from "../../rtp/rtcp-report.ts"
import { type PublisherClock, TimelineClock } from "../../rtp/timeline-clock.ts"
import type { AnsweredMedia } from "../../sdp/answer.ts"

/** What a track of a WHIP publisher is made for. */
export interface WhipTrackOptions {
  readonly media: AnsweredMedia
  /** The simulcast layer, where the section has some. */
  readonly rid: string | undefined
  /** Takes the batches for the lane. */
  readonly emit: (batch: RtpBatch) => void
  readonly clock: PublisherClock
  /** Of the path that all tracks of the publisher share. */
  readonly roundTrip: ReceiverRoundTrip
  /** The lane's last batch before this publisher. */
  readonly previous: RtpBatch | undefined
  /** Our SSRC in feedback. */
  readonly localSsrc: number
  /** A keyframe that is older than this is asked for anew. */
  readonly keyframeIntervalMs: number
  /**
   * How keyframes are asked for that viewers want: an encoder understands PLI, another gateway FIR. To that, PLI means that the picture is lost here, and
   * a gateway whose own publisher makes no keyframes repairs it by sending all since the last one again, which would be seen by everybody. RFC 5104 section 4.3.1.
   */
  readonly wishes: "pli" | "fir"
}

/** One section of a publisher's session, or one simulcast layer of it: its packets become batches of a lane. */
export class WhipTrack {
  readonly kind: "audio" | "video"
  readonly rid: string | undefined
  /** `dropped`: packets that have no place in the lane, `nacked`: numbers asked for again, `plis`: keyframes asked for. */
  readonly totals = { packets: 0, bytes: 0, retransmitted: 0, lost: 0, dropped: 0, nacked: 0, plis: 0 }
  readonly #media: AnsweredMedia
  readonly #clock: PublisherClock
  readonly #roundTrip: ReceiverRoundTrip
  readonly #localSsrc: number
  readonly #keyframeIntervalMs: number
  readonly #wishes: "pli" | "fir"
  readonly #passthrough: RtpPassthrough
  readonly #emit: (batch: RtpBatch) => void
  #source: Source | undefined
  #isFirDue = false
  #firSequenceNumber = 0
  /** SSRCs of sources before, of media and retransmissions; the latest is the last. */
  readonly #retiredSsrcs: number[] = []

  constructor(options: WhipTrackOptions) {
    const { media, rid, emit, clock, roundTrip, previous, localSsrc, keyframeIntervalMs, wishes } = options
    this.kind = media.kind
    this.rid = rid
    this.#emit = emit
    this.#media = media
    this.#clock = clock
    this.#roundTrip = roundTrip
    this.#localSsrc = localSsrc
    this.#keyframeIntervalMs = keyframeIntervalMs
    this.#wishes = wishes
    this.#passthrough = new RtpPassthrough({ codec: media.codec, previous, isPayloadBorrowed: false })
    for (const nalUnit of media.parameterSets) this.#passthrough.addParameterSet(nalUnit)
  }

  /** The source that its packets are of at present. */
  get ssrc(): number | undefined {
    return this.#source?.statistics.ssrc
  }

  /** Interarrival jitter of the source, in ms; undefined before its first packet. */
  get jitterMs(): number | undefined {
    const ticks = this.#source?.statistics.jitterTicks
    return ticks === undefined ? undefined : (ticks * 1000) / CLOCK_RATE_HZ[this.kind]
  }

  /** Takes a packet of this section and layer; `arrivalUs` is on the stream's timeline. */
  push(packet: RtpPacket, arrivalUs: number): void {
    this.totals.bytes += packet.payload.length
    if (packet.payload.length > MAX_PAYLOAD_BYTES) this.totals.dropped++
    else if (packet.payloadType === this.#media.rtxPayloadType) this.#pushRetransmission(packet, arrivalUs)
    else this.#pushMedia(packet, arrivalUs)
  }

  /** Takes a sender report that may or may not be of this track. */
  onSenderReport(report: SenderReport, arrivalUs: number): void {
    if (this.#source === undefined || report.senderSsrc !== this.#source.statistics.ssrc) return
    this.#source.statistics.onSenderReport(report, arrivalUs)
    this.#source.timeline.onSenderReport(report)
  }

  /** A viewer needs a keyframe. */
  wantKeyframe(nowMs: number): void {
    if (this.#wishes === "fir") this.#isFirDue = true
    else this.#source?.nack.wantKeyframe(nowMs)
  }

  /** Requests that are due: retransmissions and keyframes. */
  pollFeedback(nowMs: number): RtcpPacket[] {
    if (this.#source === undefined || this.kind === "audio") return []
    const { nack, statistics, lastKeyframeMs, lastArrivalUs } = this.#source
    const isSending = this.rid === undefined || nowMs - lastArrivalUs / 1000 < KEYFRAME_PATIENCE_MS
    if (isSending && nowMs - lastKeyframeMs > this.#keyframeIntervalMs) nack.wantKeyframe(nowMs)
    const { sequenceNumbers, wantsKeyframe } = nack.poll(nowMs, this.#roundTrip.ms)
    this.totals.nacked += sequenceNumbers.length
    if (wantsKeyframe) this.totals.plis++
    const target = { senderSsrc: this.#localSsrc, mediaSsrc: statistics.ssrc }
    const packets: RtcpPacket[] = []
    if (sequenceNumbers.length > 0) packets.push({ type: "nack", ...target, sequenceNumbers })
    if (wantsKeyframe) packets.push({ type: "pli", ...target })
    else if (this.#isFirDue) packets.push(this.#createFir(statistics.ssrc))
    this.#isFirDue = false
    return packets
  }

  /** The block for the next receiver report, and the SSRC that it is about. */
  report(nowUs: number) {
    const block = this.#source?.statistics.report(nowUs)
    if (block !== undefined) this.totals.lost = Math.max(0, block.cumulativeLost)
    return block
  }

  close(): void {
    this.#source?.timeline.close()
  }

  #createFir(ssrc: number): RtcpPacket {
    this.#firSequenceNumber = (this.#firSequenceNumber + 1) & 0xff
    const requests = [{ ssrc, sequenceNumber: this.#firSequenceNumber }]
    return { type: "fir", senderSsrc: this.#localSsrc, requests }
  }

  #pushMedia(packet: RtpPacket, arrivalUs: number): void {
    if (this.#source?.statistics.ssrc !== packet.ssrc) {
      if (this.#isLeftover(packet.ssrc, arrivalUs)) {
        this.totals.dropped++
        return
      }
      this.#startSource(packet.ssrc, arrivalUs / 1000)
    }
    const source = this.#source as Source
    source.statistics.onPacket(packet.sequenceNumber, packet.timestamp, arrivalUs)
    source.lastArrivalUs = arrivalUs
    this.totals.packets++
    const packets = packet.payloadType === this.#media.redPayloadType ? source.red.push(packet) : [packet]
    for (const one of packets) if (!this.#forward(one, source, arrivalUs)) this.totals.dropped++
  }

  /** Which SSRC retransmissions have is said by the offer or not at all, so the first one of each source tells. */
  #pushRetransmission(packet: RtpPacket, arrivalUs: number): void {
    if (packet.payload.length === 0) return // padding, which senders use to probe the bandwidth
    const source = this.#isLeftover(packet.ssrc, arrivalUs) ? undefined : this.#source
    if (source !== undefined) source.rtxSsrc ??= packet.ssrc
    const original = source?.rtxSsrc === packet.ssrc ? unwrapRtx(packet, source.statistics.ssrc) : undefined
    if (source === undefined || original === undefined) {
      this.totals.dropped++
      return
    }
    this.totals.retransmitted++
    this.#forward(original, source, arrivalUs) // or not: browsers send what has arrived once more to probe the bandwidth
  }

  /** True for late packets of a source that another has followed; an SSRC may come back once its successor is silent. */
  #isLeftover(ssrc: number, arrivalUs: number): boolean {
    if (this.#source === undefined || !this.#retiredSsrcs.includes(ssrc)) return false
    return arrivalUs - this.#source.lastArrivalUs < SILENCE_US
  }

  /** False for a packet that has no place in the lane. */
  #forward(packet: RtpPacket, source: Source, arrivalUs: number): boolean {
    const ptsUs = source.timeline.toTimelineUs(packet.timestamp, arrivalUs)
    const extensions = readPassedExtensions(packet, this.#media.extensionIds)
    const batch = this.#passthrough.push(extensions === undefined ? packet : { ...packet, extensions }, ptsUs)
    if (batch === undefined) return false
    if (this.kind === "video") {
      const repairMs = source.nack.onPacket(packet.sequenceNumber, arrivalUs / 1000)
      if (repairMs !== undefined) this.#roundTrip.onRepair(repairMs)
    }
    if (batch.startsKeyframe) {
      source.nack.onKeyframe(packet.sequenceNumber)
      source.lastKeyframeMs = arrivalUs / 1000
    }
    this.#emit(batch)
    return true
  }

  /** Not only the SSRCs of the offer: OBS leaves them out with simulcast, and encoders that restart take new ones. */
  #startSource(ssrc: number, arrivalMs: number): void {
    this.#retireSource()
    const clockRateHz = CLOCK_RATE_HZ[this.kind]
    const nack = new NackGenerator({ giveUpMs: MAX_RETRANSMISSION_MS })
    // Unless one begins with this very packet: what was lost before it, nobody can know.
    nack.wantKeyframe(arrivalMs)
    this.#source = {
      statistics: new ReceiverStatistics(ssrc, clockRateHz),
      timeline: new TimelineClock(this.#clock, { kind: this.kind, clockRateHz }),
      nack,
      red: new RedReceiver(this.#media.payloadType),
      rtxSsrc: undefined,
      lastArrivalUs: 0,
      lastKeyframeMs: arrivalMs,
    }
  }

  #retireSource(): void {
    if (this.#source === undefined) return
    const { timeline, statistics, rtxSsrc } = this.#source
    timeline.close()
    this.#passthrough.restart()
    this.#retiredSsrcs.push(statistics.ssrc)
    if (rtxSsrc !== undefined) this.#retiredSsrcs.push(rtxSsrc)
    this.#retiredSsrcs.splice(0, this.#retiredSsrcs.length - MAX_RETIRED_SSRCS)
  }
}

/** What is known of the SSRC that sends now. */
interface Source {
  readonly statistics: ReceiverStatistics
  readonly timeline: TimelineClock
  readonly nack: NackGenerator
  readonly red: RedReceiver
  rtxSsrc: number | undefined
  lastArrivalUs: number
  lastKeyframeMs: number
}

/** Takes the packet out of its retransmission: the first two bytes are its sequence number (RFC 4588 section 4). */
function unwrapRtx(packet: RtpPacket, ssrc: number): RtpPacket | undefined {
  const { payload } = packet
  if (payload.length < 2) return undefined
  const sequenceNumber = ((payload[0] as number) << 8) | (payload[1] as number)
  return { ...packet, ssrc, sequenceNumber, payload: payload.subarray(2) }
}

/** What fits into a packet for a viewer: a longer one would reach nobody by WebRTC, and no network of publishers' carries it whole. */
const MAX_PAYLOAD_BYTES = 1_800
const SILENCE_US = 2_000_000
const MAX_RETIRED_SSRCS = 16
/** A layer that the encoder leaves out for now is not asked for pictures. */
const KEYFRAME_PATIENCE_MS = 1_500
