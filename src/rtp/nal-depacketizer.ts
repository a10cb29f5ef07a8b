import { concat } from "../media/bytes.ts"
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

/** What H.264 (RFC 6184) and HEVC (RFC 7798) do differently. */
export interface NalPacketFormat<T extends VideoTrack> {
  /** Bytes of a NAL unit's header, and of a payload's. */
  readonly headerBytes: number
  readonly nalType: (nalUnit: Uint8Array) => number
  /** False for the types of packets, and for reserved ones. */
  readonly isNalUnitType: (type: number) => boolean
  /** Types of the packets that hold several NAL units, and a part of one. */
  readonly aggregationType: number
  readonly fragmentType: number
  /** The bits of a fragment's header that hold the type. */
  readonly fragmentTypeMask: number
  /** The header of the NAL unit that a fragment is of. */
  readonly fragmentedHeader: (payload: Uint8Array, type: number) => Uint8Array
  readonly isSlice: (type: number) => boolean
  /** True for the slice that a picture begins with. */
  readonly startsPicture: (slice: Uint8Array) => boolean
  readonly isKeyframeType: (type: number) => boolean
  readonly isParameterSet: (type: number) => boolean
  /** True for NAL units that do not belong into frames. */
  readonly isDropped: (nalUnit: Uint8Array) => boolean
  readonly createSets: () => NalParameterSets<T>
}

/** The parameter sets of a stream, which make its track. */
export interface NalParameterSets<T extends VideoTrack> {
  /** Takes a set; false where it is damaged or one too many. */
  add(nalUnit: Uint8Array): boolean
  onLoss(): void
  activate(): T | undefined
}

/**
 * Receiver of NAL units: alone, in aggregation packets and in fragments. An access unit ends with the marker or with the first packet of
 * another timestamp, so senders without markers work a frame later; a sender that sets the marker on every slice is noticed and then treated
 * in the same way.
 */
export class NalDepacketizer<T extends VideoTrack> implements VideoDepacketizer<T> {
  readonly counters: DepacketizerCounters = createDepacketizerCounters()
  readonly #format: NalPacketFormat<T>
  readonly #maxUnitBytes: number
  readonly #parameterSets: NalParameterSets<T>
  readonly #gap = new SequenceGap()
  #unit: UnitInProgress | undefined
  #lastTimestamp: number | undefined
  #isMarkerReliable = true

  constructor(format: NalPacketFormat<T>, options: DepacketizerOptions = {}) {
    this.#format = format
    this.#parameterSets = format.createSets()
    this.#maxUnitBytes = options.maxUnitBytes ?? DEFAULT_MAX_UNIT_BYTES
  }

  push(packet: VideoPacket): DepacketizedPicture<T>[] {
    const units: DepacketizedPicture<T>[] = []
    this.#noteSequence(packet.sequenceNumber)
    if (this.#unit !== undefined && this.#unit.timestamp !== packet.timestamp) this.#complete(units, this.#gap.isOpen)
    if (packet.payload.length === 0) return units // padding, which senders use to probe the bandwidth
    const isAfterLoss = this.#gap.close()
    this.#unit ??= startUnit(packet)
    if (isAfterLoss) this.#unit.isContinuous = false
    this.#takePayload(this.#unit, packet.payload)
    if (packet.marker && this.#isMarkerReliable) this.#complete(units, false)
    return units
  }

  #noteSequence(sequenceNumber: number): void {
    const lost = this.#gap.note(sequenceNumber)
    if (lost === 0) return
    this.counters.lostPackets += lost
    this.#parameterSets.onLoss()
    if (this.#unit !== undefined && this.#unit.fragments.length > 0) this.#unit.isDamaged = true
  }

  #takePayload(unit: UnitInProgress, payload: Uint8Array): void {
    const fault = this.#takeByType(unit, payload)
    if (fault === undefined) return
    this.counters[fault]++
    unit.isDamaged = true
    unit.fragments = []
  }

  #takeByType(unit: UnitInProgress, payload: Uint8Array): PayloadFault | undefined {
    const { nalType, fragmentType, aggregationType, isNalUnitType } = this.#format
    const type = nalType(payload)
    if (type === fragmentType) return this.#takeFragment(unit, payload)
    if (unit.fragments.length > 0) return "malformedPayloads" // the fragments before it have no end
    if (type === aggregationType) return this.#takeAggregate(unit, payload)
    return isNalUnitType(type) ? this.#takeNalUnit(unit, payload) : "unsupportedPayloads"
  }

  #takeAggregate(unit: UnitInProgress, payload: Uint8Array): PayloadFault | undefined {
    const { headerBytes, nalType, isNalUnitType } = this.#format
    let offset = headerBytes
    while (offset < payload.length) {
      const start = offset + 2
      const length = start <= payload.length ? (at(payload, offset) << 8) | at(payload, offset + 1) : 0
      if (length === 0 || length > payload.length - start) return "malformedPayloads"
      const nalUnit = payload.subarray(start, start + length)
      const fault = isNalUnitType(nalType(nalUnit)) ? this.#takeNalUnit(unit, nalUnit) : "malformedPayloads"
      if (fault !== undefined) return fault
      offset = start + length
    }
    return undefined
  }

  #takeFragment(unit: UnitInProgress, payload: Uint8Array): PayloadFault | undefined {
    const { headerBytes, nalType, fragmentTypeMask, fragmentedHeader, isNalUnitType } = this.#format
    const fragmentHeader = at(payload, headerBytes)
    const type = fragmentHeader & fragmentTypeMask
    if (payload.length < headerBytes + 2 || !isNalUnitType(type)) return "malformedPayloads"
    const isStart = (fragmentHeader & FRAGMENT_START) !== 0
    if (isStart !== (unit.fragments.length === 0)) {
      unit.isDamaged = true // an end or a beginning is missing; after a loss that is nobody's fault
      unit.fragments = []
      if (!isStart) return undefined
    }
    if (isStart) unit.fragments.push(fragmentedHeader(payload, type))
    else if (nalType(unit.fragments[0] as Uint8Array) !== type) return "malformedPayloads"
    if (!this.#hasRoom(unit, payload.length)) return undefined
    unit.fragments.push(payload.subarray(headerBytes + 1))
    if ((fragmentHeader & FRAGMENT_END) === 0) return undefined
    const nalUnit = concat(unit.fragments)
    unit.fragments = []
    return this.#keepNalUnit(unit, nalUnit)
  }

  #takeNalUnit(unit: UnitInProgress, nalUnit: Uint8Array): PayloadFault | undefined {
    return this.#hasRoom(unit, nalUnit.length) ? this.#keepNalUnit(unit, nalUnit) : undefined
  }

  #keepNalUnit(unit: UnitInProgress, nalUnit: Uint8Array): PayloadFault | undefined {
    const { headerBytes, nalType, isDropped, isParameterSet, isSlice } = this.#format
    if (nalUnit.length < headerBytes) return "malformedPayloads"
    if (isDropped(nalUnit)) return undefined
    const type = nalType(nalUnit)
    if (isParameterSet(type)) return this.#parameterSets.add(nalUnit) ? undefined : "malformedPayloads"
    if (isSlice(type)) this.#noteSlice(unit, nalUnit)
    unit.nalUnits.push(nalUnit)
    return undefined
  }

  #noteSlice(unit: UnitInProgress, slice: Uint8Array): void {
    const isPictureStart = this.#format.startsPicture(slice)
    const isFirst = unit.sliceCount++ === 0
    // After a loss nothing but the slice of the picture's beginning proves that no slice before it is missing.
    if (!unit.isContinuous && !(isFirst && isPictureStart)) unit.isDamaged = true
    else if (isFirst && !isPictureStart && unit.timestamp === this.#lastTimestamp) {
      this.#isMarkerReliable = false
      unit.isDamaged = true
    }
    unit.isContinuous = true
    if (this.#format.isKeyframeType(this.#format.nalType(slice))) unit.isKeyframe = true
  }

  #hasRoom(unit: UnitInProgress, bytes: number): boolean {
    unit.bytes += bytes
    unit.parts++
    if (unit.bytes <= this.#maxUnitBytes && unit.parts <= MAX_UNIT_PARTS) return true
    unit.isDamaged = true
    unit.nalUnits = []
    unit.fragments = []
    return false
  }

  /** Ends the unit; `isTailLost` says that packets are missing between its last one and the next unit's first. */
  #complete(units: DepacketizedPicture<T>[], isTailLost: boolean): void {
    const unit = this.#unit
    if (unit === undefined) return
    this.#unit = undefined
    const isDamaged = unit.isDamaged || isTailLost || unit.fragments.length > 0 || !unit.isContinuous
    if (unit.sliceCount === 0) {
      if (unit.fragments.length > 0 || unit.isDamaged) this.counters.discardedUnits++
      return // parameter sets or SEI alone are no picture
    }
    const track = this.#parameterSets.activate()
    if (isDamaged) this.counters.discardedUnits++
    else if (track === undefined) this.counters.undecodableUnits++
    else {
      const { timestamp, ptsUs, isKeyframe, nalUnits } = unit
      units.push({ track, timestamp, ptsUs, isKeyframe, units: nalUnits })
    }
    this.#lastTimestamp = unit.timestamp
  }
}

type PayloadFault = "malformedPayloads" | "unsupportedPayloads"

interface UnitInProgress {
  readonly timestamp: number
  readonly ptsUs: number
  nalUnits: Uint8Array[]
  /** The rebuilt NAL header and the parts of a NAL unit that has not ended. */
  fragments: Uint8Array[]
  bytes: number
  parts: number
  sliceCount: number
  isKeyframe: boolean
  /** Something of the unit is missing for sure. */
  isDamaged: boolean
  /** False after a loss until a slice shows that nothing of this unit fell into it. */
  isContinuous: boolean
}

function startUnit({ timestamp, ptsUs }: VideoPacket): UnitInProgress {
  return {
    timestamp,
    ptsUs,
    nalUnits: [],
    fragments: [],
    bytes: 0,
    parts: 0,
    sliceCount: 0,
    isKeyframe: false,
    isDamaged: false,
    isContinuous: true,
  }
}

function at(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0
}

const FRAGMENT_START = 0x80
const FRAGMENT_END = 0x40
