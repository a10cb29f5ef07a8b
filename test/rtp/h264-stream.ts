import type { VideoPacket } from "../../src/rtp/depacketizer.ts"
import { hex } from "../support/bytes.ts"

/** Parameter sets that x264 wrote: baseline, 320x240 and 640x360. */
export const SPS_320 = hex("6742c00dd90141fb011000000300100000030320f142a480")
export const SPS_640 = hex("6742c01ed900a02ff97011000003000100000300320f162e48")
export const PPS = hex("68cb83cb20")

/** A generator of numbers in [0, 1) that gives the same ones for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A slice whose body tells one from another; the first one of a picture has first_mb_in_slice 0. */
export function slice(header: number, sizeBytes: number, isFirst = true, fill = 0x55): Uint8Array {
  const nalUnit = new Uint8Array(sizeBytes).fill(fill)
  nalUnit[0] = header
  nalUnit[1] = isFirst ? 0x88 : 0x40
  return nalUnit
}

/** Packets of one timestamp with rising sequence numbers; the last one has the marker. */
export function packetsOf(
  payloads: readonly Uint8Array[],
  { firstSequenceNumber = 0, timestamp = 0, marker = true } = {},
): VideoPacket[] {
  return payloads.map((payload, i) => ({
    sequenceNumber: (firstSequenceNumber + i) & 0xffff,
    timestamp,
    marker: marker && i === payloads.length - 1,
    payload,
    ptsUs: Math.round((timestamp * 100) / 9),
  }))
}
