import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { TimedAudio, TranscoderConfig } from "../../../src/audio/transcoder.ts"

/** A fixture as a stream has it, and what opens a transcoder for it. */
export interface Sound {
  readonly config: TranscoderConfig
  readonly frames: TimedAudio[]
  readonly channels: 1 | 2
  /** What is to be heard in each channel of the output. */
  readonly tonesHz: readonly number[]
}

/** Reads fixtures/aac-*.bin; the sound begins at `ptsUs`, so the first frame, the priming, lies before it. */
export function aacSound(rateHz: 44_100 | 48_000, channels: 1 | 2, startUs = 1_000_000): Sound {
  const rateIndex = rateHz === 48_000 ? 3 : 4
  const audioSpecificConfig = Uint8Array.of(0x10 | (rateIndex >> 1), ((rateIndex & 1) << 7) | (channels << 3))
  const frames = readPackets(`aac-${rateHz}-${channels}.bin`).map((data, i) => {
    return { ptsUs: startUs + Math.floor(((i - 1) * 1024_000) / rateHz) * 1000, data }
  })
  return {
    config: { direction: "aac-to-opus", audioSpecificConfig, bitrateBps: 96_000 },
    frames,
    channels,
    tonesHz: channels === 2 ? [1000, 400] : [1000],
  }
}

/** Reads fixtures/opus-*.bin; the sound begins at `ptsUs`, so the first packet's look-ahead lies before it. */
export function opusSound(packetChannels: 1 | 2, channels = packetChannels, startUs = 1_000_000): Sound {
  const frames = readPackets(`opus-${packetChannels}.bin`).map((data, i) => ({
    ptsUs: startUs - 6500 + i * 20_000,
    data,
  }))
  return {
    config: { direction: "opus-to-aac", channels, bitrateBps: 64_000 * channels },
    frames,
    channels,
    tonesHz: [1000, packetChannels === 2 ? 400 : 1000].slice(0, channels),
  }
}

/** Decodes what a transcoder made with ffmpeg; one array of samples at 48 kHz a channel. */
export function decode(config: TranscoderConfig, frames: readonly TimedAudio[], channels: 1 | 2): Float32Array[] {
  const packets = frames.map((frame) => frame.data)
  const format = config.direction === "opus-to-aac" ? "aac" : "ogg"
  const input = format === "aac" ? adts(packets, channels) : ogg(packets, channels)
  const args = ["-v", "error", "-f", format, "-i", "-", "-ac", `${channels}`, "-f", "f32le", "-"]
  const bytes = execFileSync("ffmpeg", args, { input, maxBuffer: 64 * 1024 * 1024 })
  return Array.from({ length: channels }, (_, channel) => {
    return Float32Array.from({ length: bytes.length / 4 / channels }, (_, i) => {
      return bytes.readFloatLE(4 * (i * channels + channel))
    })
  })
}

/** Goertzel: the amplitude of one frequency between two times. */
export function amplitude(samples: Float32Array, frequencyHz: number, fromMs: number, toMs: number): number {
  const part = samples.subarray(fromMs * 48, toMs * 48)
  const factor = 2 * Math.cos((2 * Math.PI * frequencyHz) / 48_000)
  let last = 0
  let beforeLast = 0
  for (const sample of part) {
    const next = sample + factor * last - beforeLast
    beforeLast = last
    last = next
  }
  const power = last * last + beforeLast * beforeLast - factor * last * beforeLast
  return (2 * Math.sqrt(Math.max(0, power))) / part.length
}

/** The first time after `fromMs` at which the sound is louder than -18 dB of full scale. */
export function onsetMs(samples: Float32Array, fromMs: number): number {
  return samples.findIndex((sample, i) => i >= fromMs * 48 && Math.abs(sample) > 0.125) / 48
}

function readPackets(name: string): Uint8Array[] {
  const bytes = readFileSync(join(import.meta.dirname, "fixtures", name))
  const packets: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 2 + bytes.readUInt16BE(at)
    packets.push(bytes.subarray(at + 2, end))
    at = end
  }
  return packets
}

/** ISO/IEC 14496-3 annex 1.A.2, AAC-LC at 48 kHz. */
function adts(frames: readonly Uint8Array[], channels: number): Uint8Array {
  const parts = frames.map((frame) => {
    const length = frame.length + 7
    const header = [0xff, 0xf1, 0x4c, (channels << 6) | (length >> 11), length >> 3, ((length & 7) << 5) | 0x1f, 0xfc]
    return Buffer.concat([Uint8Array.from(header), frame])
  })
  return Buffer.concat(parts)
}

/** RFC 3533 and RFC 7845: one packet a page, no pre-skip. */
function ogg(packets: readonly Uint8Array[], channels: number): Uint8Array {
  const head = Buffer.from(`4f7075734865616401${channels === 1 ? "01" : "02"}000080bb0000000000`, "hex")
  const tags = Buffer.from("4f707573546167730000000000000000", "hex")
  return Buffer.concat([head, tags, ...packets].map((packet, i) => oggPage(packet, i, Math.max(0, i - 1) * 960)))
}

function oggPage(packet: Uint8Array, index: number, granule: number): Buffer {
  const segments = Math.floor(packet.length / 255) + 1
  const page = Buffer.alloc(27 + segments + packet.length)
  page.write("OggS")
  page[5] = index === 0 ? 2 : 0
  page.writeBigInt64LE(BigInt(granule), 6)
  page.writeUInt32LE(1, 14)
  page.writeUInt32LE(index, 18)
  page[26] = segments
  page.fill(255, 27, 27 + segments - 1)
  page[27 + segments - 1] = packet.length % 255
  page.set(packet, 27 + segments)
  let crc = 0
  for (const byte of page) {
    crc ^= byte << 24
    for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0)
  }
  page.writeUInt32LE(crc >>> 0, 22)
  return page
}
