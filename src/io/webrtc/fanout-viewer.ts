import { concat } from "../../media/bytes.ts"
import type { PassedExtension } from "../../media/header-extension.ts"
import type { LanePacket, RtpBatch } from "../../media/packet.ts"
import {
  MAX_PAYLOAD_BYTES,
  PACKETS_WITH_MID,
  RESENDABLE_PACKETS,
  type Thinning,
  type ViewerTrack,
  type ViewerTrackStats,
} from "./fanout.ts"
import { ExtensionWriter, liveExtensions, sentExtensions, type TransportCounter } from "./fanout-extensions.ts"
import { type LiveSource, SentHistory } from "./fanout-history.ts"
import { SentNumbers } from "./fanout-numbers.ts"
import { type ThinnableBatch, TrackThinning } from "./fanout-thinning.ts"
import type { RemoteAddress } from "./remote-address.ts"
import { swap32 } from "./srtp/keystream.ts"
import type { PacketRing } from "./srtp/packet-ring.ts"
import { type AlignedPayload, alignPayload, type SrtpProtector } from "./srtp/protect.ts"

/** Hands a finished datagram to the network. */
export type SendDatagram = (datagram: Uint8Array, to: RemoteAddress) => void

/** What all tracks of one viewer share. */
export interface SharedViewer {
  readonly remote: RemoteAddress
  readonly protector: SrtpProtector
  readonly transportCounter: TransportCounter
}

/** What all viewers share. */
export interface FanoutOutput {
  readonly ring: PacketRing
  readonly send: SendDatagram
  readonly nowUs: () => number
}

/** A batch for all viewers of a source: packets that fit, each with its payload as the protector takes it. */
export interface LiveBatch extends ThinnableBatch {
  readonly ptsUs: number
  readonly packets: readonly LanePacket[]
  readonly payloads: readonly AlignedPayload[]
}

/** One viewer's side of one track. */
export class ViewerStream {
  readonly #track: ViewerTrack
  readonly #viewer: SharedViewer
  readonly #output: FanoutOutput
  readonly #extensions: ExtensionWriter
  readonly #replayExtensions: ExtensionWriter
  readonly #timestampOffset: number
  readonly #ssrcWord: number
  readonly #numbers: SentNumbers
  readonly #stats = {
    packetCount: 0,
    octetCount: 0,
    resentCount: 0,
    rtpTimestamp: 0,
    ptsUs: undefined as number | undefined,
    latestTimestamp: undefined as number | undefined,
  }
  #source: LiveSource | undefined
  /** Of the present epoch; within one, each number stands for one packet of one lane. */
  #sequenceOffset = 0
  /** The first live packet decides the offset. */
  #runsOn = false
  #timestampShift = 0
  /** What `sendTo` sent and the last of a source that was left, with this viewer's own numbers and timestamps; not needed after number `#replayedUntil`. */
  #replayed: SentHistory | undefined
  #replayedUntil = 0
  /** What the lane's timestamps became with `sendTo`: late packets of the same pictures come live and need the same. */
  readonly #replayedTimestamps = new Map<number, number>()
  #nextRtxSequence = 0
  /** The lane's, of what came last. */
  #pictureTimestamp: number | undefined
  /** There once something was to be left out. */
  #thinning: TrackThinning | undefined

  constructor(track: ViewerTrack, viewer: SharedViewer, output: FanoutOutput) {
    const { ssrc, timestampOffset = 0, firstSequenceNumber = 0 } = track
    this.#track = track
    this.#viewer = viewer
    this.#output = output
    this.#extensions = new ExtensionWriter(liveExtensions(track), viewer.transportCounter, output.nowUs)
    this.#replayExtensions =
      track.extensions?.isTransportCcForSendTo === true
        ? new ExtensionWriter(sentExtensions(track), viewer.transportCounter, output.nowUs)
        : this.#extensions
    this.#timestampOffset = timestampOffset
    this.#ssrcWord = swap32(ssrc)
    this.#numbers = new SentNumbers(firstSequenceNumber)
  }

  /** What the track follows now. */
  get source(): LiveSource | undefined {
    return this.#source
  }

  get stats(): ViewerTrackStats {
    const thinning = this.#thinning
    return {
      ...this.#stats,
      nextSequenceNumber: this.#numbers.next,
      leftOutCount: thinning?.leftOutCount ?? 0,
      isWaitingForKeyframe: thinning?.isWaiting ?? false,
    }
  }

  /** Begins to follow a source. */
  join(source: LiveSource, sequenceOffset: number | undefined, timestampShift: number): void {
    this.#source = source
    this.#timestampShift = timestampShift
    this.#runsOn = sequenceOffset === undefined
    this.#thinning?.restart(this.#pictureTimestamp, this.#newestLaneNumber)
    if (sequenceOffset !== undefined) this.#setOffset(sequenceOffset)
  }

  /** Whatever comes next, live or not, may be of another source. What came last stays for a while, for `resend`. */
  leave(): void {
    this.#keepSent()
    this.#source = undefined
    this.#startEpoch()
  }

  /** Leaves out part of what the source brings. */
  setThinning(level: Thinning): void {
    if (this.#thinning === undefined && level === "none") return
    this.#thinning ??= new TrackThinning(this.#pictureTimestamp, this.#newestLaneNumber)
    this.#thinning.setLevel(level)
  }

  /** Sends a batch of the source. */
  sendLive(batch: LiveBatch): void {
    const { packets, payloads, timestamp, ptsUs } = batch
    const [first] = packets
    if (this.#runsOn && first !== undefined) this.#runOnWith(first.sequenceNumber)
    const thinning = this.#thinning
    const isLeftOut = thinning?.leavesOut(batch) ?? false
    this.#pictureTimestamp = timestamp
    this.#extensions.startBurst()
    let isSent = false
    for (let i = 0; i < packets.length; i++) {
      const packet = packets[i] as LanePacket
      const loss = thinning === undefined ? 0 : thinning.place(packet.sequenceNumber, isLeftOut)
      if (loss < 0) continue
      const sequenceNumber = (packet.sequenceNumber + this.#sequenceOffset - loss) & 0xffff
      if (!this.#numbers.take(sequenceNumber)) continue
      this.#sendPacket(sequenceNumber, this.#liveTimestamp(timestamp), packet, payloads[i] as AlignedPayload)
      isSent = true
    }
    if (isSent) this.#markTime(this.#liveTimestamp(timestamp), ptsUs)
    if (this.#replayed === undefined || ((this.#numbers.next - this.#replayedUntil) & 0xffff) >= 0x8000) return
    this.#replayed = undefined
    this.#replayedTimestamps.clear()
  }

  /** Sends a batch to this viewer alone, and returns the viewer's next transport-wide number, 16 bits. */
  replay(batch: RtpBatch, sequenceOffset: number, timestamp: number): number {
    this.#replayed ??= new SentHistory()
    this.#setOffset(sequenceOffset)
    if (!this.#replayedTimestamps.has(batch.timestamp)) this.#replayedTimestamps.set(batch.timestamp, timestamp)
    const extensions = this.#replayExtensions
    extensions.startBurst()
    let isSent = false
    for (const packet of batch.packets) {
      if (packet.payload.length > MAX_PAYLOAD_BYTES) continue
      const sequenceNumber = (packet.sequenceNumber + sequenceOffset) & 0xffff
      if (!this.#numbers.take(sequenceNumber)) continue
      this.#replayed.add(sequenceNumber, timestamp, packet)
      this.#sendPacket(sequenceNumber, timestamp, packet, alignPayload(packet.payload), extensions)
      isSent = true
    }
    if (isSent) this.#markTime(timestamp, batch.ptsUs)
    this.#pictureTimestamp = batch.timestamp
    this.#keepReplayed()
    return this.#viewer.transportCounter.next & 0xffff
  }

  /** Sends one packet again; false where it is not there any more. */
  resend(sequenceNumber: number): boolean {
    const age = this.#numbers.age(sequenceNumber)
    if (age < 0 || age >= RESENDABLE_PACKETS) return false
    const sent = this.#replayed?.find(sequenceNumber) ?? this.#findLive(sequenceNumber)
    if (!sent) return false
    const { packet, timestamp } = sent
    const { rtx } = this.#track
    this.#stats.resentCount++
    this.#extensions.startBurst()
    if (!rtx) {
      this.#sendPacket(sequenceNumber, timestamp, packet, alignPayload(packet.payload))
      return true
    }
    const original = Uint8Array.of(sequenceNumber >> 8, sequenceNumber)
    const payload = alignPayload(concat([original, packet.payload]))
    const second = packet.marker ? rtx.payloadType | MARKER_BIT : rtx.payloadType
    const isAtStart = this.#nextRtxSequence < PACKETS_WITH_MID
    this.#write(
      second,
      this.#nextRtxSequence & 0xffff,
      timestamp,
      swap32(rtx.ssrc),
      isAtStart,
      packet.extensions,
      payload,
    )
    this.#nextRtxSequence++
    return true
  }

  #findLive(sequenceNumber: number): { readonly packet: LanePacket; readonly timestamp: number } | undefined {
    if (this.#source === undefined || this.#runsOn || !this.#numbers.isOfEpoch(sequenceNumber)) return undefined
    const reduced = (sequenceNumber - this.#sequenceOffset) & 0xffff
    const laneNumber = this.#thinning === undefined ? reduced : this.#thinning.laneNumberOf(reduced)
    const sent = laneNumber < 0 ? undefined : this.#source.history.find(laneNumber)
    return sent && { packet: sent.packet, timestamp: this.#liveTimestamp(sent.timestamp) }
  }

  #keepSent(): void {
    for (let ago = PACKETS_KEPT; ago > 0; ago--) {
      const sequenceNumber = (this.#numbers.next - ago) & 0xffff
      const sent = this.#numbers.age(sequenceNumber) < 0 ? undefined : this.#findLive(sequenceNumber)
      if (sent === undefined) continue
      this.#replayed ??= new SentHistory()
      this.#replayed.add(sequenceNumber, sent.timestamp, sent.packet)
      this.#keepReplayed()
    }
  }

  #liveTimestamp(timestamp: number): number {
    if (this.#replayedTimestamps.size > 0) {
      const replayed = this.#replayedTimestamps.get(timestamp)
      if (replayed !== undefined) {
        this.#keepReplayed()
        return replayed
      }
    }
    return (timestamp + this.#timestampShift) >>> 0
  }

  #keepReplayed(): void {
    this.#replayedUntil = (this.#numbers.next + RESENDABLE_PACKETS) & 0xffff
  }

  #runOnWith(laneSequenceNumber: number): void {
    this.#runsOn = false
    this.#sequenceOffset = (this.#numbers.next - laneSequenceNumber) & 0xffff
    this.#startEpoch()
  }

  /** Of the present epoch, as long as nothing was left out in it; undefined where it has no packet yet. */
  get #newestLaneNumber(): number | undefined {
    const newest = (this.#numbers.next - 1) & 0xffff
    const isSent = this.#numbers.age(newest) >= 0 && this.#numbers.isOfEpoch(newest)
    return isSent ? (newest - this.#sequenceOffset) & 0xffff : undefined
  }

  #setOffset(sequenceOffset: number): void {
    const offset = sequenceOffset & 0xffff
    if (offset === this.#sequenceOffset) return
    this.#sequenceOffset = offset
    this.#startEpoch()
  }

  #startEpoch(): void {
    this.#numbers.startEpoch()
    this.#replayedTimestamps.clear()
    this.#pictureTimestamp = undefined
    this.#thinning?.restart(undefined, undefined)
  }

  #markTime(timestamp: number, ptsUs: number): void {
    const stats = this.#stats
    const latest = stats.latestTimestamp
    stats.rtpTimestamp = (timestamp + this.#timestampOffset) >>> 0
    stats.ptsUs = ptsUs
    if (latest === undefined || ((timestamp - latest) | 0) > 0) stats.latestTimestamp = timestamp >>> 0
  }

  #sendPacket(
    sequenceNumber: number,
    timestamp: number,
    packet: LanePacket,
    payload: AlignedPayload,
    extensions = this.#extensions,
  ): void {
    const { payloadType } = this.#track
    const second = packet.marker ? payloadType | MARKER_BIT : payloadType
    const isAtStart = this.#numbers.isAtStart(sequenceNumber)
    this.#write(second, sequenceNumber, timestamp, this.#ssrcWord, isAtStart, packet.extensions, payload, extensions)
    this.#stats.packetCount++
    this.#stats.octetCount += payload.bytes.length
  }

  #write(
    secondByte: number,
    sequenceNumber: number,
    timestamp: number,
    ssrcWord: number,
    isAtStart: boolean,
    passed: readonly PassedExtension[] | undefined,
    payload: AlignedPayload,
    extensions = this.#extensions,
  ): void {
    const { ring, send } = this.#output
    const { words } = ring
    const offset = ring.next()
    const at = offset >> 2
    const extensionWords = extensions.write(ring, at + HEADER_WORDS, isAtStart, passed)
    const firstByte = extensionWords > 0 ? VERSION_BITS | EXTENSION_BIT : VERSION_BITS
    words[at] = firstByte | (secondByte << 8) | ((sequenceNumber >> 8) << 16) | (sequenceNumber << 24)
    words[at + 1] = swap32((timestamp + this.#timestampOffset) >>> 0)
    words[at + 2] = ssrcWord
    const headerBytes = 4 * (HEADER_WORDS + extensionWords)
    const length = this.#viewer.protector.protect(ring, offset, headerBytes, payload)
    send(ring.bytes.subarray(offset, offset + length), this.#viewer.remote)
  }
}

/** Of a source that was left: a second of a good stream. */
const PACKETS_KEPT = 256
const HEADER_WORDS = 3
const VERSION_BITS = 0x80
const EXTENSION_BIT = 0x10
const MARKER_BIT = 0x80
