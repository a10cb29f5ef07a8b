import type { VideoTrack } from "../media/frame.ts"
import {
  createDepacketizerCounters,
  DEFAULT_MAX_UNIT_BYTES,
  type DepacketizedPicture,
  type DepacketizerCounters,
  type DepacketizerOptions,
  MAX_UNIT_PARTS,
  SequenceGap,
  type VideoDepacketizer,
  type VideoPacket,
} from "./depacketizer.ts"

/** Puts the payloads of one picture at a time together: what VP8, VP9 and AV1 do differently. */
export interface PictureAssembler<T extends VideoTrack> {
  /** Forgets what it holds: another picture begins. */
  start(): void
  /**
   * Takes the next payload of the picture. `isAfterLoss` says that packets are missing before it, which may or may not be of this picture.
   * False where the payload is cut off or against its specification.
   */
  add(payload: Uint8Array, isAfterLoss: boolean): boolean
  /** The picture, where it is whole; `isTailLost` says that packets are missing behind its last one. */
  finish(isTailLost: boolean): AssembledPicture<T> | "damaged" | "undecodable"
}

/** A picture as an assembler has it. */
export interface AssembledPicture<T extends VideoTrack> {
  readonly track: T
  readonly isKeyframe: boolean
  readonly units: readonly Uint8Array[]
}

/** Receiver of pictures that end with the marker, or with the first packet of another timestamp. */
export class FrameDepacketizer<T extends VideoTrack> implements VideoDepacketizer<T> {
  readonly counters: DepacketizerCounters = createDepacketizerCounters()
  readonly #assembler: PictureAssembler<T>
  readonly #maxUnitBytes: number
  readonly #gap = new SequenceGap()
  #picture: PictureInProgress | undefined

  constructor(assembler: PictureAssembler<T>, options: DepacketizerOptions = {}) {
    this.#assembler = assembler
    this.#maxUnitBytes = options.maxUnitBytes ?? DEFAULT_MAX_UNIT_BYTES
  }

  push({ sequenceNumber, timestamp, ptsUs, payload, marker }: VideoPacket): DepacketizedPicture<T>[] {
    const pictures: DepacketizedPicture<T>[] = []
    this.counters.lostPackets += this.#gap.note(sequenceNumber)
    if (this.#picture !== undefined && this.#picture.timestamp !== timestamp) this.#finish(pictures, this.#gap.isOpen)
    if (payload.length === 0) return pictures // padding, which senders use to probe the bandwidth
    if (this.#picture === undefined) {
      this.#picture = { timestamp, ptsUs, bytes: 0, parts: 0, isDamaged: false }
      this.#assembler.start()
    }
    this.#add(this.#picture, payload, this.#gap.close())
    if (marker) this.#finish(pictures, false)
    return pictures
  }

  #add(picture: PictureInProgress, payload: Uint8Array, isAfterLoss: boolean): void {
    picture.bytes += payload.length
    picture.parts++
    if (picture.bytes > this.#maxUnitBytes || picture.parts > MAX_UNIT_PARTS) {
      if (!picture.isDamaged) this.#assembler.start()
      picture.isDamaged = true
    }
    if (picture.isDamaged || this.#assembler.add(payload, isAfterLoss)) return
    this.counters.malformedPayloads++
    picture.isDamaged = true
  }

  #finish(pictures: DepacketizedPicture<T>[], isTailLost: boolean): void {
    const picture = this.#picture
    if (picture === undefined) return
    this.#picture = undefined
    const { timestamp, ptsUs, isDamaged } = picture
    const assembled = isDamaged ? "damaged" : this.#assembler.finish(isTailLost)
    this.#assembler.start()
    if (assembled === "damaged") this.counters.discardedUnits++
    else if (assembled === "undecodable") this.counters.undecodableUnits++
    else pictures.push({ ...assembled, timestamp, ptsUs })
  }
}

interface PictureInProgress {
  readonly timestamp: number
  readonly ptsUs: number
  bytes: number
  parts: number
  isDamaged: boolean
}
