import { GatewayError } from "../errors.ts"

/** What the first bytes of an Opus packet say. */
export interface OpusPacketFacts {
  /** Channels that are coded; a decoder may be set to any number whatever this is, and it may change in mid-stream. */
  readonly channels: 1 | 2
  readonly frameDurationUs: number
  readonly frameCount: number
  /** Of the whole packet, at most 120 ms. */
  readonly durationUs: number
}

/** Reads the TOC byte and the frame count of an Opus packet, RFC 6716 sections 3.1 and 3.2. Throws `media.opus`. */
export function parseOpusToc(packet: Uint8Array): OpusPacketFacts {
  const toc = packet[0]
  if (toc === undefined) throw new GatewayError("media.opus", "empty Opus packet")
  const frameDurationUs = durationOfConfig(toc >> 3)
  const frameCount = countFrames(packet, toc & 3)
  const durationUs = frameDurationUs * frameCount
  if (frameCount === 0 || durationUs > MAX_PACKET_US) {
    throw new GatewayError("media.opus", `Opus packet of ${frameCount} frames of ${frameDurationUs} µs`)
  }
  return { channels: (toc & STEREO_BIT) === 0 ? 1 : 2, frameDurationUs, frameCount, durationUs }
}

/** Table 2 of RFC 6716: SILK up to configuration 11, hybrid up to 15, then CELT. */
function durationOfConfig(config: number): number {
  if (config < 12) return SILK_US[config & 3] as number
  if (config < 16) return (config & 1) === 0 ? 10_000 : 20_000
  return CELT_US[config & 3] as number
}

function countFrames(packet: Uint8Array, code: number): number {
  if (code < 3) return code === 0 ? 1 : 2
  return (packet[1] ?? 0) & 0x3f
}

const STEREO_BIT = 0x04
const MAX_PACKET_US = 120_000
const SILK_US = [10_000, 20_000, 40_000, 60_000]
const CELT_US = [2_500, 5_000, 10_000, 20_000]
