import type { BitReader } from "./bit-reader.ts"
import { readBits } from "./picture-size.ts"

/** What the header of a frame or of a stream says of the sound. */
export interface SoundFacts {
  readonly sampleRateHz: number
  readonly channels: number
}

/** Reads the header of an MPEG audio frame, ISO/IEC 11172-3 section 2.4.1.3; undefined where it is none. */
export function parseMp3Header(frame: Uint8Array): SoundFacts | undefined {
  return readBits(frame, (reader) => {
    if (reader.bits(11) !== 0x7ff) return undefined
    const divisor = MPEG_RATE_DIVISORS[reader.bits(2)]
    const layer = reader.bits(2)
    reader.skip(5) // protection, bit rate
    const rateHz = MPEG1_RATES_HZ[reader.bits(2)]
    if (divisor === undefined || layer === 0 || rateHz === undefined) return undefined
    reader.skip(2) // padding and private bit
    return { sampleRateHz: rateHz / divisor, channels: reader.bits(2) === MPEG_MONO ? 1 : 2 }
  })
}

/** Reads the header of an AC-3 or E-AC-3 frame, ETSI TS 102 366 sections 4.3 and E.1.2; undefined where it is none. */
export function parseAc3Header(frame: Uint8Array): SoundFacts | undefined {
  return readBits(frame, (reader) => {
    if (reader.bits(16) !== AC3_SYNC_WORD) return undefined
    return (frame[5] ?? 0) >> 3 > MAX_AC3_BSID ? readEac3(reader) : readAc3(reader)
  })
}

/**
 * Reads STREAMINFO from the header of a FLAC stream, RFC 9639 section 8.2, with or without the marker and the block header in front of it: ffmpeg
 * leaves them out in FLV. Undefined where it is none.
 */
export function parseFlacHeader(header: Uint8Array): SoundFacts | undefined {
  return readBits(header, (reader) => {
    if (header.length !== STREAMINFO_BYTES) {
      if (reader.bits(32) !== FLAC_MARKER || (reader.bits(8) & 0x7f) !== 0) return undefined
      reader.skip(24)
    }
    reader.skip(16 + 16 + 24 + 24) // sizes of blocks and frames
    const sampleRateHz = reader.bits(20)
    return sampleRateHz === 0 ? undefined : { sampleRateHz, channels: reader.bits(3) + 1 }
  })
}

function readAc3(reader: BitReader): SoundFacts | undefined {
  reader.skip(16) // crc1
  const sampleRateHz = AC3_RATES_HZ[reader.bits(2)]
  reader.skip(6 + 5 + 3) // frmsizecod, bsid, bsmod
  const mode = reader.bits(3)
  if (mode !== 1 && (mode & 1) !== 0) reader.skip(2) // cmixlev
  if ((mode & 4) !== 0) reader.skip(2) // surmixlev
  if (mode === 2) reader.skip(2) // dsurmod
  return facts(sampleRateHz, mode, reader.bits(1))
}

function readEac3(reader: BitReader): SoundFacts | undefined {
  reader.skip(16) // type, number and size of the substream
  const code = reader.bits(2)
  const second = reader.bits(2) // half a rate, or how many blocks there are
  const halfHz = AC3_RATES_HZ[second]
  const sampleRateHz = code === 3 ? halfHz && halfHz / 2 : AC3_RATES_HZ[code]
  return facts(sampleRateHz, reader.bits(3), reader.bits(1))
}

function facts(sampleRateHz: number | undefined, mode: number, lowFrequencyChannels: number): SoundFacts | undefined {
  if (sampleRateHz === undefined) return undefined
  return { sampleRateHz, channels: (AC3_CHANNELS[mode] as number) + lowFrequencyChannels }
}

/** By the two bits of the version: MPEG-2.5, a reserved one, MPEG-2, MPEG-1. */
const MPEG_RATE_DIVISORS: readonly (number | undefined)[] = [4, undefined, 2, 1]
const MPEG1_RATES_HZ: readonly (number | undefined)[] = [44_100, 48_000, 32_000]
const MPEG_MONO = 3
const AC3_SYNC_WORD = 0x0b77
/** Above stands E-AC-3. */
const MAX_AC3_BSID = 10
const AC3_RATES_HZ: readonly (number | undefined)[] = [48_000, 44_100, 32_000]
/** By acmod: dual mono, then from mono to three in front and two behind. */
const AC3_CHANNELS: readonly number[] = [2, 1, 2, 3, 3, 4, 4, 5]
const STREAMINFO_BYTES = 34
const FLAC_MARKER = 0x664c6143
