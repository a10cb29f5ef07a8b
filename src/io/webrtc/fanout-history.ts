import type { LanePacket } from "../../media/packet.ts"
import { RESENDABLE_PACKETS, type SourceId } from "./fanout.ts"

/** A packet as it was sent: by reference, so that a thousand viewers keep one copy. */
export interface SentPacket {
  readonly packet: LanePacket
  readonly timestamp: number
}

/** What a viewer's track follows, with what was sent to all by the lane's sequence numbers. */
export interface LiveSource {
  readonly id: SourceId
  readonly history: SentHistory
}

/** The newest packets, found by sequence number. */
export class SentHistory {
  readonly #packets: (LanePacket | undefined)[] = []
  readonly #sequenceNumbers = new Int32Array(RESENDABLE_PACKETS).fill(-1)
  readonly #timestamps = new Uint32Array(RESENDABLE_PACKETS)

  /** Keeps a packet; false where one with its number is there, which stays. */
  add(sequenceNumber: number, timestamp: number, packet: LanePacket): boolean {
    const slot = sequenceNumber % RESENDABLE_PACKETS
    if (this.#sequenceNumbers[slot] === sequenceNumber) return false
    this.#packets[slot] = packet
    this.#sequenceNumbers[slot] = sequenceNumber
    this.#timestamps[slot] = timestamp
    return true
  }

  find(sequenceNumber: number): SentPacket | undefined {
    const slot = sequenceNumber % RESENDABLE_PACKETS
    const packet = this.#packets[slot]
    if (!packet || this.#sequenceNumbers[slot] !== sequenceNumber) return undefined
    return { packet, timestamp: this.#timestamps[slot] as number }
  }
}
