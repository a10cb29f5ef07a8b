import { ReplayWindow } from "./replay-window.ts"

/** What a receiver keeps of one SSRC: how often the sequence number wrapped, and which packets were seen. */
export class PacketIndexTracker {
  readonly window = new ReplayWindow()

  /**
   * The 48-bit index of a packet: its sequence number with the rollover counter that brings it nearest to the highest index so far,
   * so that even a loss of 32000 packets across a wrap is survived. Negative for a packet from before the beginning.
   * RFC 3711 section 3.3.1 and appendix A.
   */
  estimate(sequenceNumber: number): number {
    const highest = this.window.highest
    if (highest < 0) return sequenceNumber
    return highest + (((sequenceNumber - highest) << 16) >> 16)
  }
}

/**
 * Trackers by SSRC. An SSRC enters with its first authentic packet, and only so many do: a peer can make up as many as it likes.
 */
export class TrackerTable {
  readonly #trackers = new Map<number, PacketIndexTracker>()

  /** The tracker of an SSRC, a new one where it is unknown, or undefined where there are too many. */
  find(ssrc: number): PacketIndexTracker | undefined {
    const known = this.#trackers.get(ssrc)
    if (known || this.#trackers.size >= MAX_SSRCS) return known
    return new PacketIndexTracker()
  }

  /** Keeps a tracker that `find` returned, now that a packet was authentic. */
  keep(ssrc: number, tracker: PacketIndexTracker): void {
    this.#trackers.set(ssrc, tracker)
  }
}

const MAX_SSRCS = 32
