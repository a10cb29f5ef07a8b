import { unwrapU16 } from "../media/time.ts"
import type { RtpPacket } from "./packet.ts"
import { unpackRed } from "./red.ts"

/**
 * Takes the RED packets of an Opus source (RFC 2198) and gives plain Opus packets: those that were lost and are repeated in a packet,
 * then the packet's own, each sequence number once. Whoever counts what is missing counts these, so that nothing is asked for again
 * that redundancy has brought. It keeps a fixed number of timestamps for each source.
 */
export class RedReceiver {
  readonly #opusPayloadType: number
  #ssrc: number | undefined
  #first = 0
  #highest = 0
  /** Extended sequence numbers that were given out and their timestamps, by the lowest bits of the number. */
  readonly #numbers = new Float64Array(KEPT_PACKETS).fill(Number.NaN)
  readonly #timestamps = new Uint32Array(KEPT_PACKETS)

  /** `opusPayloadType` is what RED blocks of Opus carry, and what the packets that are given get. */
  constructor(opusPayloadType: number) {
    this.#opusPayloadType = opusPayloadType
  }

  /** Takes a packet, RED or, where its payload type says so, plain Opus. Throws `rtp.payload` for a malformed one. */
  push(packet: RtpPacket): RtpPacket[] {
    const isPlain = packet.payloadType === this.#opusPayloadType
    const { payloadType, payload, redundant } = isPlain ? { ...packet, redundant: [] } : unpackRed(packet.payload)
    const extended = this.#place(packet)
    if (extended === undefined) return []
    const packets: RtpPacket[] = []
    for (const [i, block] of redundant.entries()) {
      if (block.payloadType !== this.#opusPayloadType || block.payload.length === 0) continue
      // Blocks repeat the packets right before this one, the last block the last packet; times must bear that out.
      const lost = extended - (redundant.length - i)
      const timestamp = (packet.timestamp - block.timestampOffset) >>> 0
      if (!this.#isLost(lost, timestamp, extended, packet.timestamp)) continue
      this.#note(lost, timestamp)
      packets.push(this.#recovered(packet, lost, timestamp, block.payload))
    }
    if (payloadType === this.#opusPayloadType && payload.length > 0 && !this.#isKnown(extended)) {
      this.#note(extended, packet.timestamp)
      packets.push(isPlain ? packet : { ...packet, payloadType, payload })
    }
    return packets
  }

  /** Extends the packet's number; undefined for one that is too old to be told from a packet given before. */
  #place({ ssrc, sequenceNumber }: RtpPacket): number | undefined {
    const extended = unwrapU16(sequenceNumber, this.#highest)
    if (ssrc !== this.#ssrc || Math.abs(extended - this.#highest) > MAX_JUMP) {
      this.#ssrc = ssrc
      this.#first = sequenceNumber
      this.#highest = sequenceNumber
      this.#numbers.fill(Number.NaN)
      return sequenceNumber
    }
    this.#highest = Math.max(this.#highest, extended)
    return extended > this.#highest - KEPT_PACKETS ? extended : undefined
  }

  /**
   * True where a number was not given yet, and a timestamp lies between those of the nearest packets that were, with room for a frame
   * for each number. Before the source's first packet nothing is lost.
   */
  #isLost(lost: number, timestamp: number, later: number, laterTimestamp: number): boolean {
    if (lost <= this.#first || lost <= this.#highest - KEPT_PACKETS || this.#isKnown(lost)) return false
    let next = lost + 1
    while (next < later && !this.#isKnown(next)) next++
    const nextTimestamp = next === later ? laterTimestamp : (this.#timestamps[slotOf(next)] as number)
    if (((nextTimestamp - timestamp) | 0) < (next - lost) * MIN_FRAME_TICKS) return false
    let previous = lost - 1
    while (previous > lost - MAX_LOOK_BACK && !this.#isKnown(previous)) previous--
    if (!this.#isKnown(previous)) return true
    const previousTimestamp = this.#timestamps[slotOf(previous)] as number
    return ((timestamp - previousTimestamp) | 0) >= (lost - previous) * MIN_FRAME_TICKS
  }

  #isKnown(extended: number): boolean {
    return this.#numbers[slotOf(extended)] === extended
  }

  #note(extended: number, timestamp: number): void {
    this.#numbers[slotOf(extended)] = extended
    this.#timestamps[slotOf(extended)] = timestamp
  }

  /** Header extensions and marker are about the packet that came, not about the one repeated in it. */
  #recovered(packet: RtpPacket, extended: number, timestamp: number, payload: Uint8Array): RtpPacket {
    const sequenceNumber = extended & 0xffff
    const payloadType = this.#opusPayloadType
    return { ...packet, payloadType, sequenceNumber, timestamp, payload, marker: false, extensionProfile: 0 }
  }
}

function slotOf(extended: number): number {
  return extended & (KEPT_PACKETS - 1)
}

/** A power of two. */
const KEPT_PACKETS = 256
const MAX_LOOK_BACK = 32
/** Further is neither loss nor reordering (RFC 3550 appendix A.1). */
const MAX_JUMP = 3_000
/** 2.5 ms at 48 kHz, the shortest packet of Opus. */
const MIN_FRAME_TICKS = 120
