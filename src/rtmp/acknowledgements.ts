import type { PeerBandwidthLimit } from "./message.ts"

/**
 * Both directions of acknowledgement on one connection, RTMP 1.0 sections 5.4.3 to 5.4.5: when this side has to acknowledge, and how
 * much of what it sent the peer has acknowledged. Sequence numbers are counts of bytes, which wrap at 32 bits on the wire only.
 */
export class Acknowledgements {
  #receiveWindowBytes: number
  #receivedAtLast = 0
  #sentBytes = 0
  #acknowledgedBytes = 0
  #hasPeerAcknowledged = false
  #announcedBytes: number | undefined
  #sendWindowBytes: number | undefined
  #limit: PeerBandwidthLimit | undefined

  /** `receiveWindowBytes` counts until the peer names its window with Window Acknowledgement Size. */
  constructor(receiveWindowBytes: number) {
    this.#receiveWindowBytes = Math.max(receiveWindowBytes, MIN_WINDOW_BYTES)
  }

  /** The peer sent Window Acknowledgement Size. Tiny windows would only cost messages, so there is a least one. */
  onWindowAckSize(windowBytes: number): void {
    this.#receiveWindowBytes = Math.max(windowBytes, MIN_WINDOW_BYTES)
  }

  /**
   * Takes the count of all bytes received so far, the handshake's too; returns the sequence number to acknowledge, undefined where it is
   * not yet time. Ask after every read and not only after whole messages: a peer may wait for it in the middle of a large one.
   */
  onReceived(totalBytes: number): number | undefined {
    if (totalBytes - this.#receivedAtLast < this.#receiveWindowBytes) return undefined
    this.#receivedAtLast = totalBytes
    return totalBytes % SEQUENCE_MODULUS
  }

  /** This side sent Window Acknowledgement Size. */
  onWindowAnnounced(windowBytes: number): void {
    this.#announcedBytes = windowBytes
  }

  /** This side sent `bytes` more. */
  onSent(bytes: number): void {
    this.#sentBytes += bytes
  }

  /** The peer acknowledged; numbers that go back or ahead of what was sent count as little as they can. */
  onAcknowledgement(sequenceNumber: number): void {
    this.#hasPeerAcknowledged = true
    const advance = (sequenceNumber - (this.#acknowledgedBytes % SEQUENCE_MODULUS)) >>> 0
    if (advance < SEQUENCE_MODULUS / 2) {
      this.#acknowledgedBytes = Math.min(this.#acknowledgedBytes + advance, this.#sentBytes)
    }
  }

  /**
   * The peer sent Set Peer Bandwidth: hard sets the window for sending, soft can only make it smaller, dynamic counts as hard after hard and is
   * ignored otherwise. Returns the size to answer with in Window Acknowledgement Size, undefined where the peer knows it already.
   */
  onSetPeerBandwidth(windowBytes: number, limit: PeerBandwidthLimit): number | undefined {
    if (limit === "dynamic" && this.#limit !== "hard") return undefined
    const isSmaller = this.#sendWindowBytes === undefined || windowBytes < this.#sendWindowBytes
    if (limit !== "soft" || isSmaller) this.#sendWindowBytes = windowBytes
    if (limit !== "dynamic") this.#limit = limit
    if (this.#announcedBytes === windowBytes) return undefined
    this.#announcedBytes = windowBytes
    return windowBytes
  }

  /** How much may be on its way unacknowledged, as the peer wants it; undefined where it named no limit. */
  get sendWindowBytes(): number | undefined {
    return this.#sendWindowBytes
  }

  /** What the peer has received of all that was sent. */
  get acknowledgedBytes(): number {
    return this.#acknowledgedBytes
  }

  /** What was sent and not acknowledged; undefined for a peer that never acknowledges, as many do. */
  get unacknowledgedBytes(): number | undefined {
    return this.#hasPeerAcknowledged ? this.#sentBytes - this.#acknowledgedBytes : undefined
  }
}

const SEQUENCE_MODULUS = 2 ** 32
const MIN_WINDOW_BYTES = 4_096
