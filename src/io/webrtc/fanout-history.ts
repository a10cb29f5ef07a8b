import type { LanePacket } from "../../media/packet.ts"
import { RESENDABLE_PACKETS } from "./fanout.ts"

/** A packet as it was sent: by reference, so that a thousand viewers keep one copy. */
export interface SentPacket {
  readonly packet: LanePacket
  readonly timestamp: number
}

/** The newest packets, found by sequence number. */
export class SentHistory {
  readonly #packets: (LanePacket | undefined)[] = []
  readonly #sequenceNumbers = new Int32Array(RESENDABLE_PACKETS).fill(-1)
  readonly #timestamps = new Uint32Array(RESENDABLE_PACKETS)

  add(sequenceNumber: number, timestamp: number, packet: LanePacket): void {
    const slot = sequenceNumber % RESENDABLE_PACKETS
    this.#packets[slot] = packet
    this.#sequenceNumbers[slot] = sequenceNumber
    this.#timestamps[slot] = timestamp
  }

  find(sequenceNumber: number): SentPacket | undefined {
    const slot = sequenceNumber % RESENDABLE_PACKETS
    const packet = this.#packets[slot]
    if (!packet || this.#sequenceNumbers[slot] !== sequenceNumber) return undefined
    return { packet, timestamp: this.#timestamps[slot] as number }
  }
}
