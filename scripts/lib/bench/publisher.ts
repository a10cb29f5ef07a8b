import { existsSync, mkdirSync, renameSync } from "node:fs"
import { join } from "node:path"
import { startProcess } from "../../../test/support/process.ts"
import type { Scope } from "../../../test/support/scope.ts"

const FOLDER = join(import.meta.dirname, "../../../.cache/bench")
const CLIP = join(FOLDER, "3mbit.flv")
const QUIET = ["-hide_banner", "-nostdin", "-loglevel", "error"]

/** Publishes the clip of `makeClip` over and over at its own speed, until the scope ends. */
export function publishClip(scope: Scope, rtmpUrl: string): void {
  startProcess(scope, "ffmpeg", [...QUIET, "-re", "-stream_loop", "-1", "-i", CLIP, "-c", "copy", "-f", "flv", rtmpUrl])
}

/** Makes ten seconds of moving pictures and sound at a steady 3 Mbit/s, a keyframe every two seconds, where they are not there yet. */
export async function makeClip(scope: Scope): Promise<void> {
  if (existsSync(CLIP)) return
  mkdirSync(FOLDER, { recursive: true })
  const unfinished = join(FOLDER, `${process.pid}.flv`)
  const encoder = startProcess(scope, "ffmpeg", [
    ...QUIET,
    ...["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30,noise=alls=40:allf=t"],
    ...["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "10"],
    ...["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "60"],
    ...["-b:v", "2900k", "-minrate", "2900k", "-maxrate", "2900k", "-bufsize", "2900k", "-nal-hrd", "cbr"],
    ...["-c:a", "aac", "-b:a", "96k", "-ac", "2", "-y", unfinished],
  ])
  if ((await encoder.exited) !== 0) throw new Error(`ffmpeg could not make the clip: ${encoder.stderrLines.join("\n")}`)
  renameSync(unfinished, CLIP)
}
