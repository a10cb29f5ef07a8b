import { GatewayError } from "../errors.ts"
import { BitReader } from "./bit-reader.ts"

/** What an AudioSpecificConfig says. */
export interface AacConfig {
  /** Audio object type of the core: 2 for AAC-LC, which HE-AAC contains too. */
  readonly objectType: number
  /** Rate of the core; HE-AAC plays at `outputRateHz`. */
  readonly sampleRateHz: number
  /** Channels of the core, 1 to 8; with parametric stereo 1 although 2 are heard. */
  readonly channels: number
  /** Samples of one access unit at `sampleRateHz`. */
  readonly samplesPerFrame: 1024 | 960
  /** Rate after spectral band replication; equal to `sampleRateHz` where that is not signalled. */
  readonly outputRateHz: number
  readonly hasSbr: boolean
  readonly hasParametricStereo: boolean
}

/**
 * Reads an AudioSpecificConfig, ISO/IEC 14496-3 section 1.6.2.1, with HE-AAC signalled in either explicit way. Trailing bytes
 * are ignored.
 *
 * Throws `media.aac` where it is cut off, or for a rate, channel configuration or object type that AAC in FLV and MP4 cannot have.
 */
export function parseAacConfig(config: Uint8Array): AacConfig {
  try {
    return readConfig(new BitReader(config))
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== "bytes.truncated") throw error
    throw new GatewayError("media.aac", "AudioSpecificConfig is cut off", { cause: error })
  }
}

/** Writes an AudioSpecificConfig of AAC-LC without HE-AAC signalling. Throws `media.aac` for 7 or more than 8 channels. */
export function serializeAacLcConfig(sampleRateHz: number, channels: number): Uint8Array {
  const channelConfig = CHANNELS.indexOf(channels)
  if (channelConfig < 1) throw new GatewayError("media.aac", `${channels} channels`)
  const rateIndex = SAMPLE_RATES_HZ.indexOf(sampleRateHz)
  if (rateIndex >= 0) {
    const bits = (AAC_LC << 11) | (rateIndex << 7) | (channelConfig << 3)
    return Uint8Array.of(bits >> 8, bits & 0xff)
  }
  const bits = AAC_LC * 2 ** 35 + EXPLICIT_RATE * 2 ** 31 + sampleRateHz * 2 ** 7 + channelConfig * 2 ** 3
  return Uint8Array.of(bits / 2 ** 32, bits / 2 ** 24, bits / 2 ** 16, bits / 2 ** 8, bits)
}

function readConfig(reader: BitReader): AacConfig {
  let objectType = readObjectType(reader)
  const sampleRateHz = readSampleRate(reader)
  const channels = CHANNELS[reader.bits(4)]
  let outputRateHz = sampleRateHz
  let hasSbr = objectType === SBR || objectType === PARAMETRIC_STEREO
  let hasParametricStereo = objectType === PARAMETRIC_STEREO
  const isHierarchical = hasSbr
  if (isHierarchical) {
    outputRateHz = readSampleRate(reader)
    objectType = readObjectType(reader)
  }
  if (!GENERAL_AUDIO.has(objectType)) throw new GatewayError("media.aac", `audio object type ${objectType}`)
  if (channels === undefined || channels === 0) throw new GatewayError("media.aac", "channel configuration is unusable")
  const samplesPerFrame = reader.flag() ? 960 : 1024
  if (reader.flag()) reader.skip(14) // coreCoderDelay
  const extensionFlag = reader.flag()
  if (!isHierarchical && !extensionFlag && reader.remainingBits >= 16 && reader.bits(11) === SYNC_EXTENSION) {
    if (readObjectType(reader) === SBR) {
      hasSbr = reader.flag()
      if (hasSbr) outputRateHz = readSampleRate(reader)
      if (hasSbr && reader.remainingBits >= 12 && reader.bits(11) === PS_SYNC) hasParametricStereo = reader.flag()
    }
  }
  return { objectType, sampleRateHz, channels, samplesPerFrame, outputRateHz, hasSbr, hasParametricStereo }
}

function readObjectType(reader: BitReader): number {
  const type = reader.bits(5)
  return type === ESCAPED_TYPE ? 32 + reader.bits(6) : type
}

function readSampleRate(reader: BitReader): number {
  const index = reader.bits(4)
  const rateHz = index === EXPLICIT_RATE ? reader.bits(24) : SAMPLE_RATES_HZ[index]
  if (rateHz === undefined || rateHz < MIN_RATE_HZ || rateHz > MAX_RATE_HZ) {
    throw new GatewayError("media.aac", `sampling frequency index ${index}, ${rateHz ?? "reserved"}`)
  }
  return rateHz
}

const SAMPLE_RATES_HZ: readonly number[] = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
]
/** Channels of each channel configuration; 0 means that the stream itself says it, which FLV readers cannot follow. */
const CHANNELS: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 8]
const GENERAL_AUDIO = new Set([1, 2, 3, 4])
const AAC_LC = 2
const SBR = 5
const PARAMETRIC_STEREO = 29
const ESCAPED_TYPE = 31
const EXPLICIT_RATE = 15
const MIN_RATE_HZ = 7_350
const MAX_RATE_HZ = 96_000
const SYNC_EXTENSION = 0x2b7
const PS_SYNC = 0x548
