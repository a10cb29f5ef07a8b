import { GatewayError } from "../errors.ts"
import { concat } from "../media/bytes.ts"
import type { H264Track } from "../media/frame.ts"
import { isSliceNal, NAL_TYPE, nalType } from "../media/h264.ts"
import { H264ParameterSets } from "./h264-parameter-sets.ts"

/** One RTP packet of a video track, in sequence order; the payload must stay as it is, access units borrow from it. */
export interface H264Packet {
  readonly sequenceNumber: number
  readonly timestamp: number
  readonly marker: boolean
  readonly payload: Uint8Array
  /** Handed through to the access unit. */
  readonly ptsUs: number
}

/** A complete picture. */
export interface H264AccessUnit {
  readonly track: H264Track
  readonly timestamp: number
  /** That of the first packet of the unit. */
  readonly ptsUs: number
  readonly isKeyframe: boolean
  /** Slices and SEI; SPS and PPS stand on the track, AUD and filler are dropped. */
  readonly nalUnits: readonly Uint8Array[]
}

/** What a depacketizer could not use, counted since it was made. */
export interface H264DepacketizerCounters {
  /** Sequence numbers that never came. */
  lostPackets: number
  /** Access units that were begun and thrown away because something of them is missing or wrong. */
  discardedUnits: number
  /** Complete pictures before the first SPS and PPS. */
  undecodableUnits: number
  /** Payloads cut off or against RFC 6184. */
  malformedPayloads: number
  /** STAP-B, MTAP and FU-B (interleaved mode), and reserved types. */
  unsupportedPayloads: number
}

/** Limits of an access unit. */
export interface H264DepacketizerOptions {
  readonly maxUnitBytes?: number
}

/**
 * RFC 6184 receiver for packetization modes 0 and 1: single NAL unit, STAP-A, FU-A. Packets go in, in sequence order (a
 * missing number is a loss); complete access units come out. It never throws: what a peer gets wrong is counted and costs the unit
 * that it stands in. A unit ends with the marker or with the first packet of another timestamp, so senders without markers
 * work a frame later; a sender that sets the marker on every slice is noticed and then treated in the same way.
 */
export class H264Depacketizer {
  readonly counters: H264DepacketizerCounters = {
    lostPackets: 0,
    discardedUnits: 0,
    undecodableUnits: 0,
    malformedPayloads: 0,
    unsupportedPayloads: 0,
  }
  readonly #maxUnitBytes: number
  readonly #parameterSets = new H264ParameterSets()
  #unit: UnitInProgress | undefined
  #nextSequenceNumber: number | undefined
  #lastTimestamp: number | undefined
  #isMarkerReliable = true

  constructor(options: H264DepacketizerOptions = {}) {
    this.#maxUnitBytes = options.maxUnitBytes ?? DEFAULT_MAX_UNIT_BYTES
  }

  /** Takes the next packet; returns the access units that it completes: none, one, or two where the one before had no marker. */
  push(packet: H264Packet): H264AccessUnit[] {
    const units: H264AccessUnit[] = []
    const isAfterLoss = this.#noteSequence(packet.sequenceNumber)
    if (this.#unit !== undefined && this.#unit.timestamp !== packet.timestamp) this.#complete(units, isAfterLoss)
    if (packet.payload.length === 0) return units // padding, which senders use to probe the bandwidth
    this.#unit ??= startUnit(packet, isAfterLoss)
    if (isAfterLoss) this.#unit.isContinuous = false
    this.#takePayload(this.#unit, packet.payload)
    if (packet.marker && this.#isMarkerReliable) this.#complete(units, false)
    return units
  }

  /** Notes a gap; true where packets are missing before this one. */
  #noteSequence(sequenceNumber: number): boolean {
    const lost = this.#nextSequenceNumber === undefined ? 0 : (sequenceNumber - this.#nextSequenceNumber) & 0xffff
    this.#nextSequenceNumber = (sequenceNumber + 1) & 0xffff
    if (lost === 0) return false
    this.counters.lostPackets += lost
    this.#parameterSets.onLoss()
    if (this.#unit !== undefined && this.#unit.fragments.length > 0) this.#unit.isDamaged = true
    return true
  }

  #takePayload(unit: UnitInProgress, payload: Uint8Array): void {
    const fault = this.#takeByType(unit, payload)
    if (fault === undefined) return
    this.counters[fault]++
    unit.isDamaged = true
    unit.fragments = []
  }

  #takeByType(unit: UnitInProgress, payload: Uint8Array): PayloadFault | undefined {
    const type = nalType(payload)
    if (type === FU_A) return this.#takeFragment(unit, payload)
    if (unit.fragments.length > 0) return "malformedPayloads" // the fragments before it have no end
    if (type === STAP_A) return this.#takeAggregate(unit, payload)
    if (type > 0 && type < STAP_A) return this.#takeNalUnit(unit, payload)
    return "unsupportedPayloads"
  }

  #takeAggregate(unit: UnitInProgress, payload: Uint8Array): PayloadFault | undefined {
    let offset = 1
    while (offset < payload.length) {
      const start = offset + 2
      const length = start <= payload.length ? (at(payload, offset) << 8) | at(payload, offset + 1) : 0
      if (length === 0 || length > payload.length - start) return "malformedPayloads"
      const nalUnit = payload.subarray(start, start + length)
      const type = nalType(nalUnit)
      const fault = type === 0 || type >= STAP_A ? "malformedPayloads" : this.#takeNalUnit(unit, nalUnit)
      if (fault !== undefined) return fault
      offset = start + length
    }
    return undefined
  }

  #takeFragment(unit: UnitInProgress, payload: Uint8Array): PayloadFault | undefined {
    const fuHeader = at(payload, 1)
    const type = fuHeader & 0x1f
    if (payload.length < 3 || type === 0 || type >= STAP_A) return "malformedPayloads"
    const isStart = (fuHeader & FU_START) !== 0
    if (isStart !== (unit.fragments.length === 0)) {
      unit.isDamaged = true // an end or a beginning is missing; after a loss that is nobody's fault
      unit.fragments = []
      if (!isStart) return undefined
    }
    if (isStart) unit.fragments.push(Uint8Array.of((at(payload, 0) & 0xe0) | type))
    else if (nalType(unit.fragments[0] as Uint8Array) !== type) return "malformedPayloads"
    if (!this.#hasRoom(unit, payload.length)) return undefined
    unit.fragments.push(payload.subarray(2))
    if ((fuHeader & FU_END) === 0) return undefined
    const nalUnit = concat(unit.fragments)
    unit.fragments = []
    return this.#keepNalUnit(unit, nalUnit)
  }

  #takeNalUnit(unit: UnitInProgress, nalUnit: Uint8Array): PayloadFault | undefined {
    return this.#hasRoom(unit, nalUnit.length) ? this.#keepNalUnit(unit, nalUnit) : undefined
  }

  #keepNalUnit(unit: UnitInProgress, nalUnit: Uint8Array): PayloadFault | undefined {
    const type = nalType(nalUnit)
    if (type === NAL_TYPE.accessUnitDelimiter || type === NAL_TYPE.filler) return undefined
    if (type === NAL_TYPE.sps || type === NAL_TYPE.pps) return this.#takeParameterSet(nalUnit)
    if (isSliceNal(nalUnit)) this.#noteSlice(unit, nalUnit)
    unit.nalUnits.push(nalUnit)
    return undefined
  }

  #noteSlice(unit: UnitInProgress, slice: Uint8Array): void {
    const isPictureStart = (at(slice, 1) & FIRST_MB_ZERO) !== 0
    const isFirst = unit.sliceCount++ === 0
    // After a loss nothing but the slice of the first macroblock proves that no slice before it is missing.
    if (!unit.isContinuous && !(isFirst && isPictureStart)) unit.isDamaged = true
    else if (isFirst && !isPictureStart && unit.timestamp === this.#lastTimestamp) {
      this.#isMarkerReliable = false
      unit.isDamaged = true
    }
    unit.isContinuous = true
    if (nalType(slice) === NAL_TYPE.idrSlice) unit.isKeyframe = true
  }

  #takeParameterSet(nalUnit: Uint8Array): PayloadFault | undefined {
    try {
      this.#parameterSets.add(nalUnit)
      return undefined
    } catch (error) {
      if (error instanceof GatewayError) return "malformedPayloads"
      throw error
    }
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
  #complete(units: H264AccessUnit[], isTailLost: boolean): void {
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
      units.push({ track, timestamp, ptsUs, isKeyframe, nalUnits })
    }
    this.#lastTimestamp = unit.timestamp
  }
}

type PayloadFault = "malformedPayloads" | "unsupportedPayloads"

interface UnitInProgress {
  readonly timestamp: number
  readonly ptsUs: number
  nalUnits: Uint8Array[]
  /** The rebuilt NAL header and the parts of an FU-A that has not ended. */
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

function startUnit({ timestamp, ptsUs }: H264Packet, isAfterLoss: boolean): UnitInProgress {
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
    isContinuous: !isAfterLoss,
  }
}

function at(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0
}

const STAP_A = 24
const FU_A = 28
const FU_START = 0x80
const FU_END = 0x40
/** The first bit of a slice header that starts with first_mb_in_slice = 0, as ue(v). */
const FIRST_MB_ZERO = 0x80
const DEFAULT_MAX_UNIT_BYTES = 8 * 1024 * 1024
const MAX_UNIT_PARTS = 16_384
