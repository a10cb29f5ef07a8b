import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { FFMPEG9 } from "./paths.ts"
import { type RunningProcess, startProcess } from "./process.ts"
import type { Scope } from "./scope.ts"
import { within } from "./wait.ts"

/** Publishes a clip over RTMP at its own speed, in a loop, without re-encoding it. */
export function publishClip(scope: Scope, path: string, url: string, options: { loop?: boolean } = {}): RunningProcess {
  const loop = options.loop === false ? [] : ["-stream_loop", "-1"]
  return runFfmpeg(scope, ["-re", ...loop, "-i", path, "-c", "copy", "-f", "flv", url])
}

/** Publishes a clip by ffmpeg 9's WHIP muxer, re-encoded as WebRTC needs it. */
export function publishByWhipMuxer(scope: Scope, path: string, url: string): RunningProcess {
  const video = [
    "-c:v",
    "libx264",
    "-profile:v",
    "baseline",
    "-preset",
    "ultrafast",
    "-tune",
    "zerolatency",
    "-g",
    "25",
  ]
  const audio = ["-c:a", "libopus", "-ar", "48000", "-ac", "2"]
  const args = ["-hide_banner", "-v", "level+info", "-nostdin", "-re", "-stream_loop", "-1", "-i", path]
  return startProcess(scope, FFMPEG9, [...args, ...video, ...audio, "-f", "whip", url])
}

/** Publishes a clip in a codec of Enhanced RTMP by ffmpeg 9, as `publishClip` does it. */
export function publishEnhanced(scope: Scope, path: string, url: string): RunningProcess {
  const args = ["-hide_banner", "-v", "level+warning", "-nostdin", "-re", "-stream_loop", "-1", "-i", path]
  return startProcess(scope, FFMPEG9, [...args, "-c", "copy", "-f", "flv", url])
}

/** Starts ffmpeg with the usual global options. */
export function runFfmpeg(scope: Scope, args: readonly string[]): RunningProcess {
  return startProcess(scope, "ffmpeg", ["-hide_banner", "-v", "level+warning", "-nostdin", ...args])
}

/** What a reader got of a stream. */
export interface Reading {
  /** Pictures decoded. */
  readonly videoFrames: number
  /** Sound decoded, mono at `AUDIO_RATE_HZ`. */
  readonly samples: Float32Array
  /** Lines that ffmpeg marked as errors. */
  readonly errors: string[]
  /** All lines that it wrote. */
  readonly messages: string[]
}

/** Sample rate of `Reading.samples`. */
export const AUDIO_RATE_HZ = 8_000

/** Plays a stream with ffmpeg for some seconds of its time and decodes all of it. Throws when it takes much longer. */
export async function readStream(scope: Scope, url: string, seconds: number, command = "ffmpeg"): Promise<Reading> {
  const args = ["-hide_banner", "-v", "level+warning", "-nostdin", "-progress", "pipe:2", "-i", url]
  // The input's own time base: rounded to 1/30 s, the even milliseconds of RTMP may fall on one tick twice.
  const timeBase = command === FFMPEG9 ? "demux" : "-1"
  const video = ["-map", "0:v?", "-t", `${seconds}`, "-enc_time_base", timeBase, "-f", "null", "-"]
  const audio = ["-map", "0:a?", "-t", `${seconds}`, "-ac", "1", "-ar", `${AUDIO_RATE_HZ}`, "-f", "f32le", "pipe:1"]
  const reader = startProcess(scope, command, [...args, ...video, ...audio], { stdout: "raw" })
  const chunks: Buffer[] = []
  reader.child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk))
  const exit = await within((seconds + 15) * 1000, `${seconds} s of ${url}`, reader.exited).catch((error) => {
    throw new Error(`${error.message}\n${messagesOf(reader).slice(-10).join("\n")}`, { cause: error })
  })
  const messages = messagesOf(reader)
  if (exit !== 0) throw new Error(`ffmpeg ended with ${exit}: ${messages.slice(-10).join("\n")}`)
  const progress = reader.stderrLines.filter((line) => line.startsWith("frame=")).at(-1)
  const bytes = Buffer.concat(chunks)
  const samples = new Float32Array(bytes.length >> 2)
  for (let index = 0; index < samples.length; index++) samples[index] = bytes.readFloatLE(index * 4)
  const errors = messages.filter((line) => /\[(error|fatal|panic)\]/.test(line))
  return { videoFrames: Number(progress?.slice("frame=".length) ?? 0), samples, errors, messages }
}

function messagesOf(reader: RunningProcess): string[] {
  return reader.stderrLines.filter((line) => !/^[a-z0-9_]+=/.test(line))
}

/** The loudest of the 50 ms windows between two times, as root mean square, 0 to 1. */
export function loudness(samples: Float32Array, fromS: number, toS: number): number {
  const window = AUDIO_RATE_HZ / 20
  let loudest = 0
  for (let start = fromS * AUDIO_RATE_HZ; start + window <= toS * AUDIO_RATE_HZ; start += window) {
    const part = samples.subarray(start, start + window)
    const power = part.reduce((sum, sample) => sum + sample * sample, 0) / window
    if (part.length === window) loudest = Math.max(loudest, Math.sqrt(power))
  }
  return loudest
}

/** One stream as ffprobe describes it. */
export interface ProbedStream {
  readonly codec_type: string
  readonly codec_name: string
  readonly profile?: string
  readonly width?: number
  readonly height?: number
  readonly sample_rate?: string
  readonly channels?: number
}

/** What ffprobe says about the streams behind a URL. */
export async function probe(url: string): Promise<ProbedStream[]> {
  const args = ["-v", "error", "-show_streams", "-of", "json", url]
  const { stdout } = await promisify(execFile)("ffprobe", args, { timeout: 20_000 })
  return JSON.parse(stdout).streams
}
