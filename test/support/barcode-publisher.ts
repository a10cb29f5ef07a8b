import type { Writable } from "node:stream"
import { DRAWN_HEIGHT, DRAWN_WIDTH, drawBarcode } from "./barcode.ts"
import { type RunningProcess, startProcess } from "./process.ts"
import type { Scope } from "./scope.ts"

/** What is published, and by which ffmpeg. */
export interface BarcodePublisherOptions {
  readonly fps: number
  /** Without it there is no sound. */
  readonly sound: boolean
  /** What ffmpeg makes of pictures of 640 × 360 and of PCM: filters, codecs, muxer and address. */
  readonly output: readonly string[]
  readonly command?: string
}

/**
 * Publishes pictures that show the time they were drawn at, and a steady tone of 1 kHz. Gray pictures of a quarter of the size and raw sound go
 * down two pipes, in step with one clock; ffmpeg scales and encodes. It holds a picture back until it has sound of that time,
 * so the sound is written a little ahead, and nothing waits.
 */
export function publishBarcode(
  scope: Scope,
  { fps, sound, output, command = "ffmpeg" }: BarcodePublisherOptions,
): RunningProcess {
  const raw = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", `${DRAWN_WIDTH}x${DRAWN_HEIGHT}`, "-framerate", `${fps}`]
  const picture = [...raw, "-probesize", "32", "-i", "pipe:0"]
  const tone = ["-f", "s16le", "-ar", `${PCM_RATE_HZ}`, "-ac", "1", "-probesize", "32", "-i", "pipe:3"]
  const encoder = startProcess(
    scope,
    command,
    ["-hide_banner", "-v", "warning", "-fflags", "nobuffer", ...picture, ...(sound ? tone : []), ...output],
    { stdio: ["pipe", "pipe", "pipe", "pipe"] },
  )
  const pictures = encoder.child.stdin
  const samples = encoder.child.stdio[3] as Writable
  samples.on("error", () => {}) // the encoder ends first
  const pixels = new Uint8Array(DRAWN_WIDTH * DRAWN_HEIGHT)
  const startedAt = performance.now()
  let picturesDrawn = 0
  let samplesWritten = 0
  const timer = setInterval(() => {
    const elapsedMs = performance.now() - startedAt
    const samplesDue = Math.floor(((elapsedMs + SOUND_LEAD_MS) * PCM_RATE_HZ) / 1000) - samplesWritten
    if (sound && samplesDue >= PCM_RATE_HZ / 100) {
      samples.write(toneOf(samplesWritten, samplesDue))
      samplesWritten += samplesDue
    }
    if (elapsedMs < (picturesDrawn * 1000) / fps) return
    drawBarcode(pixels, picturesDrawn++)
    pictures?.write(Buffer.from(pixels))
  }, 1)
  scope.defer(() => clearInterval(timer))
  return encoder
}

/** 16-bit samples of a 1 kHz tone. */
function toneOf(from: number, count: number): Uint8Array {
  const wave = Int16Array.from(
    { length: count },
    (_, i) => 8_000 * Math.sin(((from + i) * 2 * Math.PI * 1_000) / PCM_RATE_HZ),
  )
  return new Uint8Array(wave.buffer)
}

const PCM_RATE_HZ = 44_100
/** What the AAC encoder and its frames hold back, with room to spare. */
const SOUND_LEAD_MS = 150
