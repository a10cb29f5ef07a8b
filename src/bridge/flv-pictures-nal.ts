import { GatewayError } from "../errors.ts"
import { ByteReader } from "../media/bytes.ts"
import { isSliceNal, NAL_TYPE, nalType, parseAvcConfig, sliceType } from "../media/h264.ts"
import { H265_NAL_TYPE, h265NalType, isH265KeyframeType } from "../media/h265.ts"
import { parseHevcConfig } from "../media/hevc-config.ts"
import { H264ParameterSets } from "../rtp/h264-parameter-sets.ts"
import { H265ParameterSets } from "../rtp/h265-parameter-sets.ts"
import type { FlvPicture, FlvPictures } from "./flv-pictures.ts"

/** H.264; parameter sets count wherever they stand. */
export class H264Pictures implements FlvPictures {
  readonly codec = "h264"
  readonly #sets = new H264ParameterSets()
  #nalLengthBytes: number | undefined

  configure(record: Uint8Array): void {
    const { sps, pps, nalLengthBytes } = parseAvcConfig(record)
    for (const nalUnit of [...sps, ...pps]) this.#sets.add(nalUnit)
    this.#nalLengthBytes = nalLengthBytes
  }

  read(data: Uint8Array, isCalledKeyframe: boolean): FlvPicture | undefined {
    if (this.#nalLengthBytes === undefined) return undefined
    const units: Uint8Array[] = []
    let firstSlice: Uint8Array | undefined
    let isIdr = false
    for (const nalUnit of splitNalUnits(data, this.#nalLengthBytes)) {
      const type = nalType(nalUnit)
      if (type === NAL_TYPE.sps || type === NAL_TYPE.pps) this.#sets.add(nalUnit)
      else if (!DROPPED_H264.has(type)) units.push(nalUnit)
      if (type === NAL_TYPE.idrSlice) isIdr = true
      if (firstSlice === undefined && isSliceNal(nalUnit)) firstSlice = nalUnit
    }
    if (firstSlice === undefined) return undefined
    const track = this.#sets.activate()
    if (track === undefined) return undefined
    const slice = sliceType(firstSlice)
    // Open groups of pictures begin with an I slice that is no IDR; the publisher's word counts for those.
    return { track, units, isKeyframe: isIdr || (isCalledKeyframe && slice === "I"), isBidirectional: slice === "B" }
  }
}

/** HEVC; a B slice tells nothing of the order here, since encoders without delay use them too. */
export class H265Pictures implements FlvPictures {
  readonly codec = "h265"
  readonly #sets = new H265ParameterSets()
  #nalLengthBytes: number | undefined

  configure(record: Uint8Array): void {
    const { nalUnits, nalLengthBytes } = parseHevcConfig(record)
    for (const nalUnit of nalUnits) this.#sets.add(nalUnit)
    this.#nalLengthBytes = nalLengthBytes
  }

  read(data: Uint8Array): FlvPicture | undefined {
    if (this.#nalLengthBytes === undefined) return undefined
    const units: Uint8Array[] = []
    let firstSliceType: number | undefined
    for (const nalUnit of splitNalUnits(data, this.#nalLengthBytes)) {
      const type = h265NalType(nalUnit)
      if (SETS_H265.has(type)) this.#sets.add(nalUnit)
      else if (nalUnit.length > 2 && !DROPPED_H265.has(type)) units.push(nalUnit)
      if (type < H265_NAL_TYPE.vps) firstSliceType ??= type
    }
    if (firstSliceType === undefined) return undefined
    const track = this.#sets.activate()
    return track && { track, units, isKeyframe: isH265KeyframeType(firstSliceType) }
  }
}

function splitNalUnits(data: Uint8Array, lengthBytes: number): Uint8Array[] {
  const reader = new ByteReader(data)
  const nalUnits: Uint8Array[] = []
  while (reader.remaining > 0) {
    const length = lengthBytes === 4 ? reader.u32() : lengthBytes === 2 ? reader.u16() : reader.u8()
    const nalUnit = reader.take(length)
    if (length === 0) continue
    if (nalUnits.length >= MAX_NAL_UNITS)
      throw new GatewayError("flv.tag", `more than ${MAX_NAL_UNITS} NAL units in a picture`)
    nalUnits.push(nalUnit)
  }
  return nalUnits
}

/** Far above what any level allows; many that are damaged would take long to look at. */
const MAX_NAL_UNITS = 8_192
const DROPPED_H264: ReadonlySet<number> = new Set([
  NAL_TYPE.sps,
  NAL_TYPE.pps,
  NAL_TYPE.accessUnitDelimiter,
  NAL_TYPE.endOfSequence,
  NAL_TYPE.endOfStream,
  NAL_TYPE.filler,
])
const SETS_H265: ReadonlySet<number> = new Set([H265_NAL_TYPE.vps, H265_NAL_TYPE.sps, H265_NAL_TYPE.pps])
const DROPPED_H265: ReadonlySet<number> = new Set([
  H265_NAL_TYPE.accessUnitDelimiter,
  H265_NAL_TYPE.endOfSequence,
  H265_NAL_TYPE.endOfBitstream,
  H265_NAL_TYPE.filler,
])
