import { AUDIO_RATE_HZ, runFfmpeg } from "./ffmpeg.ts"
import { type RunningProcess, startProcess } from "./process.ts"
import type { Scope } from "./scope.ts"
import { within } from "./wait.ts"

/** Once a second the picture is white and a tone sounds, both for 100 ms: what arrives apart is out of sync. */
const CLAP = "lt(mod(t,1),0.1)"

/** Publishes the clapper over RTMP as an encoder would, for as long as it is left running. */
export function publishClapper(scope: Scope, url: string): RunningProcess {
  const picture = `color=black:size=640x360:rate=30,drawbox=color=white:thickness=fill:enable='${CLAP}'`
  const sound = `aevalsrc='0.8*sin(2*PI*1000*t)*${CLAP}':sample_rate=44100`
  return runFfmpeg(scope, [
    ...["-re", "-f", "lavfi", "-i", picture, "-re", "-f", "lavfi", "-i", sound],
    ...["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "30", "-pix_fmt", "yuv420p"],
    ...["-c:a", "aac", "-ac", "2", "-f", "flv", url],
  ])
}

/** Reads a clapper over RTMP: for each clap, how many ms the beep's timestamp is after the flash's. */
export async function readClapper(scope: Scope, url: string, seconds: number): Promise<number[]> {
  const video = `scale=1:1:flags=area,format=gray,fps=${PICTURE_RATE_HZ}:start_time=0`
  const reader = startProcess(
    scope,
    "ffmpeg",
    [
      ...["-hide_banner", "-v", "error", "-nostdin", "-i", url],
      ...["-map", "0:v", "-t", `${seconds}`, "-vf", video, "-f", "rawvideo", "pipe:1"],
      ...["-map", "0:a", "-t", `${seconds}`, "-af", `aresample=${AUDIO_RATE_HZ}:async=1:first_pts=0`],
      ...["-ac", "1", "-f", "u8", "pipe:3"],
    ],
    { stdout: "raw", stdio: ["pipe", "pipe", "pipe", "pipe"] },
  )
  const pictures: Buffer[] = []
  const samples: Buffer[] = []
  reader.child.stdout?.on("data", (chunk: Buffer) => pictures.push(chunk))
  const sound = reader.child.stdio[3] as NodeJS.ReadableStream | null | undefined
  sound?.on("data", (chunk: Buffer) => samples.push(chunk))
  await within((seconds + 15) * 1000, `${seconds} s of ${url}`, reader.exited)
  const flashes = onsetsMs(Buffer.concat(pictures), PICTURE_RATE_HZ, (value) => value > 127)
  const beeps = onsetsMs(Buffer.concat(samples), AUDIO_RATE_HZ, (value) => Math.abs(value - 128) > 12)
  return flashes.flatMap((flash) => beeps.filter((beep) => Math.abs(beep - flash) < 400).map((beep) => beep - flash))
}

/** The times at which something begins after half a second without. */
function onsetsMs(values: Uint8Array, rateHz: number, isOn: (value: number) => boolean): number[] {
  const onsets: number[] = []
  let lastOnMs = 0
  for (const [index, value] of values.entries()) {
    if (!isOn(value)) continue
    const nowMs = (index * 1000) / rateHz
    if (nowMs - lastOnMs > 500) onsets.push(nowMs)
    lastOnMs = nowMs
  }
  return onsets
}

/** The middle one of some numbers, or NaN. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

const PICTURE_RATE_HZ = 200
