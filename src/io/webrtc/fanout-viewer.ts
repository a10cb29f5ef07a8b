import { concat } from "../../media/bytes.ts"
import type { LanePacket, RtpBatch } from "../../media/packet.ts"
import {
  type HeaderExtension,
  MAX_PAYLOAD_BYTES,
  PACKETS_WITH_EXTENSIONS,
  RESENDABLE_PACKETS,
  type ViewerTrack,
  type ViewerTrackStats,
} from "./fanout.ts"
import { SentHistory } from "./fanout-history.ts"
import type { RemoteAddress } from "./remote-address.ts"
import { swap32 } from "./srtp/keystream.ts"
import type { PacketRing } from "./srtp/packet-ring.ts"
import { type AlignedPayload, alignPayload, type SrtpProtector } from "./srtp/protect.ts"

/** Hands a finished datagram to the network. */
export type SendDatagram = (datagram: Uint8Array, to: RemoteAddress) => void

/** One viewer's side of one track. */
export class ViewerStream {
  readonly track: ViewerTrack
  readonly #ring: PacketRing
  readonly #protector: SrtpProtector
  readonly #remote: RemoteAddress
  readonly #send: SendDatagram
  readonly #ssrcWord: number
  readonly #timestampOffset: number
  readonly #extensionWords: Uint32Array
  readonly #stats = {
    packetCount: 0,
    octetCount: 0,
    resentCount: 0,
    rtpTimestamp: 0,
    ptsUs: undefined as number | undefined,
  }
  #sequenceOffset = 0
  /** The newest number in use, and the first one that belongs to the present offset; -1 before the first packet. */
  #newest = -1
  #earliest = -1
  #lastLive = -1
  /** So many sequence numbers up to the last live one belong to the present offset. */
  #liveSpan = 0
  /** What `sendTo` sent, with this viewer's own numbers and timestamps. */
  #replayed: SentHistory | undefined
  #replayedUntil = 0
  /** What the lane's timestamps became with `sendTo`: late packets of the same pictures come live and need the same. */
  readonly #replayedTimestamps = new Map<number, number>()
  #firstSequenceNumber = -1
  #nextRtxSequence = 0

  constructor(
    track: ViewerTrack,
    viewer: { readonly remote: RemoteAddress; readonly protector: SrtpProtector },
    output: { readonly ring: PacketRing; readonly send: SendDatagram },
  ) {
    this.track = track
    this.#ring = output.ring
    this.#send = output.send
    this.#remote = viewer.remote
    this.#protector = viewer.protector
    this.#ssrcWord = swap32(track.ssrc)
    this.#timestampOffset = track.timestampOffset ?? 0
    this.#extensionWords = serializeExtensions(track.headerExtensions ?? [])
  }

  get stats(): ViewerTrackStats {
    return { ...this.#stats }
  }

  /** Sends one packet. Header extensions depend on the sequence number alone, so that a packet sent again is the same to the bit. */
  sendPacket(sequenceNumber: number, timestamp: number, marker: boolean, payload: AlignedPayload): void {
    if (this.#firstSequenceNumber < 0) this.#firstSequenceNumber = sequenceNumber
    const stats = this.#stats
    const rtpTimestamp = (timestamp + this.#timestampOffset) >>> 0
    const isNew = ((sequenceNumber - this.#firstSequenceNumber) & 0xffff) < PACKETS_WITH_EXTENSIONS
    const { words } = this.#ring
    const offset = this.#ring.next()
    const at = offset >> 2
    const extension = this.#extensionWords
    const extensionWords = isNew ? extension.length : 0
    this.#writeHeader(at, this.track.payloadType, marker, sequenceNumber, rtpTimestamp, this.#ssrcWord)
    if (extensionWords > 0) {
      words[at] = (words[at] as number) | X_BIT
      for (let i = 0; i < extensionWords; i++) words[at + 3 + i] = extension[i] as number
    }
    const length = this.#protector.protect(this.#ring, offset, 12 + 4 * extensionWords, payload)
    stats.packetCount++
    stats.octetCount += payload.bytes.length
    this.#send(this.#ring.bytes.subarray(offset, offset + length), this.#remote)
  }

  /** Begins to follow the live track. What was sent live before had another offset, so it cannot be found again. */
  join(sequenceOffset: number): void {
    this.#setOffset(sequenceOffset)
    this.#lastLive = -1
    this.#liveSpan = 0
  }

  /** Sends a packet of the live track. */
  sendLive(packet: LanePacket, timestamp: number, payload: AlignedPayload): void {
    const sequenceNumber = (packet.sequenceNumber + this.#sequenceOffset) & 0xffff
    if (!this.#takesNumber(sequenceNumber)) return
    const advance = this.#lastLive < 0 ? 1 : (sequenceNumber - this.#lastLive) & 0xffff
    if (advance < 0x8000) {
      this.#lastLive = sequenceNumber
      this.#liveSpan = Math.min(this.#liveSpan + advance, RESENDABLE_PACKETS)
    }
    this.sendPacket(sequenceNumber, this.#ownTimestamp(timestamp), packet.marker, payload)
  }

  /** Notes the time of what was just sent to all. */
  markLive(timestamp: number, ptsUs: number): void {
    this.#markTime(timestamp, ptsUs)
    // Their sequence numbers come round again, and then mean other packets.
    if (this.#replayed === undefined || this.#stats.packetCount <= this.#replayedUntil) return
    this.#replayed = undefined
    this.#replayedTimestamps.clear()
  }

  /** Sends a batch to this viewer alone. */
  replay(batch: RtpBatch, sequenceOffset: number, timestamp: number): void {
    this.#replayed ??= new SentHistory()
    this.#setOffset(sequenceOffset)
    this.#replayedTimestamps.set(batch.timestamp, timestamp)
    for (const packet of batch.packets) {
      if (packet.payload.length > MAX_PAYLOAD_BYTES) continue
      const own = (packet.sequenceNumber + sequenceOffset) & 0xffff
      if (!this.#takesNumber(own)) continue
      this.#replayed.add(own, timestamp, packet)
      this.sendPacket(own, timestamp, packet.marker, alignPayload(packet.payload))
    }
    this.#markTime(timestamp, batch.ptsUs)
    this.#replayedUntil = this.#stats.packetCount + RESENDABLE_PACKETS
  }

  /** Sends one packet again; `live` has what all viewers of the track got. */
  resend(sequenceNumber: number, live: SentHistory | undefined): boolean {
    const isLive = this.#liveSpan > 0 && ((this.#lastLive - sequenceNumber) & 0xffff) < this.#liveSpan
    const sent = isLive
      ? live?.find((sequenceNumber - this.#sequenceOffset) & 0xffff)
      : this.#replayed?.find(sequenceNumber)
    if (!sent) return false
    const { packet } = sent
    const timestamp = isLive ? this.#ownTimestamp(sent.timestamp) : sent.timestamp
    const { rtx } = this.track
    this.#stats.resentCount++
    if (!rtx) {
      this.sendPacket(sequenceNumber, timestamp, packet.marker, alignPayload(packet.payload))
      return true
    }
    const original = Uint8Array.of(sequenceNumber >> 8, sequenceNumber)
    const rtpTimestamp = (timestamp + this.#timestampOffset) >>> 0
    const offset = this.#ring.next()
    const sequence = this.#nextRtxSequence
    this.#nextRtxSequence = (sequence + 1) & 0xffff
    this.#writeHeader(offset >> 2, rtx.payloadType, packet.marker, sequence, rtpTimestamp, swap32(rtx.ssrc))
    const length = this.#protector.protect(this.#ring, offset, 12, alignPayload(concat([original, packet.payload])))
    this.#send(this.#ring.bytes.subarray(offset, offset + length), this.#remote)
    return true
  }

  #ownTimestamp(timestamp: number): number {
    return this.#replayedTimestamps.size === 0 ? timestamp : (this.#replayedTimestamps.get(timestamp) ?? timestamp)
  }

  #setOffset(sequenceOffset: number): void {
    const offset = sequenceOffset & 0xffff
    if (offset === this.#sequenceOffset) return
    this.#sequenceOffset = offset
    this.#replayedTimestamps.clear()
    if (this.#newest >= 0) this.#earliest = (this.#newest + 1) & 0xffff
  }

  /** False for a late packet from before the first one under the present offset: under its number another one was sent. */
  #takesNumber(sequenceNumber: number): boolean {
    if (this.#newest < 0) {
      this.#newest = sequenceNumber
      this.#earliest = sequenceNumber
    }
    if (((sequenceNumber - this.#earliest) & 0xffff) >= 0x8000) return false
    if (((sequenceNumber - this.#newest) & 0xffff) < 0x8000) this.#newest = sequenceNumber
    if (((this.#newest - this.#earliest) & 0xffff) >= 0x4000) this.#earliest = (this.#newest - 0x2000) & 0xffff
    return true
  }

  #markTime(timestamp: number, ptsUs: number): void {
    this.#stats.rtpTimestamp = (timestamp + this.#timestampOffset) >>> 0
    this.#stats.ptsUs = ptsUs
  }

  #writeHeader(
    at: number,
    payloadType: number,
    marker: boolean,
    sequenceNumber: number,
    rtpTimestamp: number,
    ssrcWord: number,
  ): void {
    const { words } = this.#ring
    const second = marker ? payloadType | 0x80 : payloadType
    words[at] = 0x80 | (second << 8) | ((sequenceNumber >> 8) << 16) | (sequenceNumber << 24)
    words[at + 1] = swap32(rtpTimestamp)
    words[at + 2] = ssrcWord
  }
}

/** One-byte form: profile 0xbede, length in words, then for each element id and length in one byte, and its value. RFC 8285 section 4.2. */
function serializeExtensions(extensions: readonly HeaderExtension[]): Uint32Array {
  if (extensions.length === 0) return new Uint32Array(0)
  const elements = extensions.map(({ id, value }) => {
    if (id < 1 || id > 14 || value.length < 1 || value.length > 16) throw new RangeError(`header extension ${id}`)
    return Uint8Array.of((id << 4) | (value.length - 1), ...value)
  })
  const body = concat(elements)
  if (body.length > MAX_EXTENSION_BYTES) throw new RangeError(`header extensions of ${body.length} bytes`)
  const bodyWords = (body.length + 3) >> 2
  const bytes = new Uint8Array(4 + 4 * bodyWords)
  bytes.set([0xbe, 0xde, bodyWords >> 8, bodyWords])
  bytes.set(body, 4)
  return new Uint32Array(bytes.buffer)
}

/** The bit of the first header byte, as the lowest byte of a little-endian word. */
const X_BIT = 0x10

const MAX_EXTENSION_BYTES = 100
