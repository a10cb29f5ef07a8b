import { BitReader } from "./bit-reader.ts"
import { parseSps, type SpsFacts, unescapeRbsp } from "./h264.ts"

/**
 * Copies a sequence parameter set, NAL header included, under another seq_parameter_set_id (0 to 31).
 *
 * Throws `bytes.truncated` for one that is cut off.
 */
export function withSpsId(sps: Uint8Array, spsId: number): Uint8Array {
  const { reader, leftBits } = openSps(sps)
  const bits = new BitWriter()
  bits.copy(reader, FIXED_BITS)
  const before = reader.remainingBits
  reader.ue()
  bits.ue(spsId)
  bits.copy(reader, leftBits - FIXED_BITS - (before - reader.remainingBits))
  return bits.finishNal(sps[0] as number)
}

/**
 * Adds VUI max_num_reorder_frames (ITU-T H.264 section E.2.1) to a sequence parameter set that does not say it, and
 * with it max_dec_frame_buffering as it is inferred. Returns the set as it is where it says it already, or does not end
 * as the standard says.
 *
 * Throws `media.h264` for something that is no sequence parameter set.
 */
export function withReorderFrames(sps: Uint8Array, reorderFrames: number): Uint8Array {
  const facts = parseSps(sps)
  if (facts.maxReorderFrames !== undefined) return sps
  const bufferedFrames = maxDpbFrames(facts)
  const values = [0, 0, LOG2_MAX_MV, LOG2_MAX_MV, Math.min(reorderFrames, bufferedFrames), bufferedFrames]
  // The last bit is bitstream_restriction_flag, or vui_parameters_present_flag where there is no VUI: reading the
  // result back tells which.
  for (const flags of [[1], [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]]) {
    const rewritten = withRestriction(sps, flags, values)
    if (rewritten !== undefined && parseSps(rewritten).maxReorderFrames === values[4]) return rewritten
  }
  return sps
}

function withRestriction(sps: Uint8Array, flags: readonly number[], values: readonly number[]): Uint8Array | undefined {
  const { reader, leftBits } = openSps(sps)
  const bits = new BitWriter()
  bits.copy(reader, leftBits - 1)
  if (reader.flag()) return undefined
  for (const flag of flags) bits.bit(flag)
  bits.bit(1) // motion_vectors_over_pic_boundaries_flag, and the rest as it is inferred where there is none
  for (const value of values) bits.ue(value)
  return bits.finishNal(sps[0] as number)
}

/** MaxDpbFrames, ITU-T H.264 section A.3.1. */
function maxDpbFrames({ levelIdc, widthPx, heightPx }: SpsFacts): number {
  const macroblocks = Math.ceil(widthPx / 16) * Math.ceil(heightPx / 16)
  const [, maxDpbMbs] = MAX_DPB_MBS.find(([level]) => levelIdc <= level) ?? [0, 696_320]
  return Math.min(Math.max(Math.floor(maxDpbMbs / macroblocks), 1), 16)
}

/** `leftBits` are those before rbsp_stop_one_bit. */
function openSps(sps: Uint8Array): { reader: BitReader; leftBits: number } {
  const rbsp = unescapeRbsp(sps.subarray(1))
  let bytes = rbsp.length
  while (bytes > 0 && rbsp[bytes - 1] === 0) bytes--
  const last = rbsp[bytes - 1] ?? 0
  const trailingZeros = 31 - Math.clz32(last & -last)
  return { reader: new BitReader(rbsp), leftBits: bytes * 8 - trailingZeros - 1 }
}

class BitWriter {
  readonly #bytes: number[] = []
  #bitCount = 0

  bit(value: number): void {
    if ((this.#bitCount & 7) === 0) this.#bytes.push(0)
    const last = this.#bytes.length - 1
    this.#bytes[last] = (this.#bytes[last] as number) | (value << (7 - (this.#bitCount++ & 7)))
  }

  ue(value: number): void {
    const digits = (value + 1).toString(2)
    for (const digit of "0".repeat(digits.length - 1) + digits) this.bit(Number(digit))
  }

  copy(reader: BitReader, count: number): void {
    for (let i = 0; i < count; i++) this.bit(reader.bits(1))
  }

  /** Adds the trailing bits and the emulation prevention bytes, ITU-T H.264 section 7.3.1. */
  finishNal(header: number): Uint8Array {
    this.bit(1)
    const nalUnit = [header]
    let zeros = 0
    for (const byte of this.#bytes) {
      if (zeros === 2 && byte <= 3) {
        nalUnit.push(3)
        zeros = 0
      }
      nalUnit.push(byte)
      zeros = byte === 0 ? zeros + 1 : 0
    }
    return Uint8Array.from(nalUnit)
  }
}

/** profile_idc, constraint flags and level_idc. */
const FIXED_BITS = 24
const LOG2_MAX_MV = 16
/** MaxDpbMbs up to each level_idc, ITU-T H.264 table A-1. */
const MAX_DPB_MBS: readonly (readonly [number, number])[] = [
  [10, 396],
  [11, 900],
  [20, 2_376],
  [21, 4_752],
  [30, 8_100],
  [31, 18_000],
  [32, 20_480],
  [41, 32_768],
  [42, 34_816],
  [50, 110_400],
  [52, 184_320],
]
