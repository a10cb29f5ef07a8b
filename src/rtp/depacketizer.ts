import type { VideoTrack } from "../media/frame.ts"

/** One RTP packet of a video track, in sequence order; the payload must stay as it is, pictures borrow from it. */
export interface VideoPacket {
  readonly sequenceNumber: number
  readonly timestamp: number
  readonly marker: boolean
  readonly payload: Uint8Array
  /** Handed through to the picture. */
  readonly ptsUs: number
}

/** A complete picture. */
export interface DepacketizedPicture<T extends VideoTrack = VideoTrack> {
  readonly track: T
  readonly timestamp: number
  /** That of the first packet of the picture. */
  readonly ptsUs: number
  readonly isKeyframe: boolean
  /** As `VideoFrame` has them. */
  readonly units: readonly Uint8Array[]
}

/** What a depacketizer could not use, counted since it was made. */
export interface DepacketizerCounters {
  /** Sequence numbers that never came. */
  lostPackets: number
  /** Pictures that were begun and thrown away because something of them is missing or wrong. */
  discardedUnits: number
  /** Complete pictures before all that a decoder needs. */
  undecodableUnits: number
  /** Payloads cut off or against their specification. */
  malformedPayloads: number
  /** Payload types that are not agreed on (interleaved modes), and reserved ones. */
  unsupportedPayloads: number
}

/** Limits of a picture. */
export interface DepacketizerOptions {
  readonly maxUnitBytes?: number
}

/**
 * The receiver of one payload format. Packets go in, in sequence order (a missing number is a loss); complete pictures come out. It never
 * throws: what a peer gets wrong is counted and costs the picture that it stands in.
 */
export interface VideoDepacketizer<T extends VideoTrack = VideoTrack> {
  readonly counters: Readonly<DepacketizerCounters>
  /** Takes the next packet; returns the pictures that it completes: none, one, or two where the one before had no marker. */
  push(packet: VideoPacket): DepacketizedPicture<T>[]
}

/** Counters that begin at 0. */
export function createDepacketizerCounters(): DepacketizerCounters {
  return { lostPackets: 0, discardedUnits: 0, undecodableUnits: 0, malformedPayloads: 0, unsupportedPayloads: 0 }
}

/** Notes which sequence numbers came. A gap stays open over packets of padding, which hold nothing. */
export class SequenceGap {
  #next: number | undefined
  #isOpen = false

  /** True where packets are missing between the last one that held something and the newest one. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Takes note of a packet; returns how many are missing before it. */
  note(sequenceNumber: number): number {
    const lost = this.#next === undefined ? 0 : (sequenceNumber - this.#next) & 0xffff
    this.#next = (sequenceNumber + 1) & 0xffff
    if (lost > 0) this.#isOpen = true
    return lost
  }

  /** The newest packet holds something: what comes after it follows it. Returns whether the gap was open. */
  close(): boolean {
    const wasOpen = this.#isOpen
    this.#isOpen = false
    return wasOpen
  }
}

/** Bound of a picture where none is given. */
export const DEFAULT_MAX_UNIT_BYTES = 8 * 1024 * 1024
/** Bound of the parts of a picture, whatever their size. */
export const MAX_UNIT_PARTS = 16_384
