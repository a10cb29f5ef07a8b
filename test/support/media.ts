import { execFile } from "node:child_process"
import { existsSync, mkdirSync, renameSync, symlinkSync } from "node:fs"
import { extname, join } from "node:path"
import { promisify } from "node:util"
import { CACHE, ROOT } from "./paths.ts"

const FOOTAGE = join(ROOT, "../shared/media/bbb.flv")
const FOLDER = join(CACHE, "media")

/** The clips that tests publish; each is made once, into .cache/media. */
export type ClipName = keyof typeof RECIPES

/**
 * The path of a clip, made by ffmpeg if it is not there yet. `bbb` is real footage where the folder shared/ lies beside the
 * project, and an equivalent test picture elsewhere.
 */
export async function clip(name: ClipName): Promise<string> {
  const path = join(FOLDER, RECIPES[name].file)
  if (existsSync(path)) return path
  mkdirSync(FOLDER, { recursive: true })
  if (name === "bbb" && existsSync(FOOTAGE)) {
    symlinkSync(FOOTAGE, path)
    return path
  }
  const draft = join(FOLDER, `draft-${process.pid}-${name}${extname(path)}`)
  const args = await RECIPES[name].args()
  await promisify(execFile)("ffmpeg", ["-hide_banner", "-v", "error", "-y", ...args, draft])
  renameSync(draft, path)
  return path
}

const TEST_PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25"]
const SMALL_PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]
const TONE = ["-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=44100"]
const BASELINE = ["-c:v", "libx264", "-profile:v", "baseline", "-preset", "veryfast", "-pix_fmt", "yuv420p"]

const IN_SLICES = [
  ...["-t", "2", "-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-threads", "4", "-g", "25"],
  ...["-x264-params", "aud=1:repeat-headers=1", "-f", "h264"],
]

/**
 * A test picture with the number of each picture in 12 × 2 cells, the lower row the opposite of the upper one; cells as in
 * test/support/barcode.ts. `COUNTED_PICTURES` of them, so that a loop shows as one.
 */
const COUNTED_PICTURE = [
  ...["-f", "lavfi", "-i"],
  "testsrc2=size=160x90:rate=25,format=yuv420p,geq=" +
    "lum='if(between(X,8,151)*between(Y,4,27),16+219*abs(floor((Y-4)/12)-mod(floor(N/pow(2,floor((X-8)/12))),2)),lum(X,Y))':" +
    "cb='if(between(X,4,75)*between(Y,2,13),128,cb(X,Y))':cr='if(between(X,4,75)*between(Y,2,13),128,cr(X,Y))'," +
    "scale=640:360:flags=neighbor",
  ...["-t", "20"],
]
/** How many pictures the clips `counted…` have; their numbers go from 0 to one less. */
export const COUNTED_PICTURES = 500

const RECIPES = {
  /** 10 s, 640×360 at 25 fps, H.264 constrained baseline, AAC 44.1 kHz stereo; uneven keyframes up to 3 s apart. */
  bbb: {
    file: "bbb.flv",
    args: async () => [...TEST_PICTURE, ...TONE, "-t", "10", ...BASELINE, "-g", "75", "-c:a", "aac", "-ac", "2"],
  },
  /** The same pictures with B-frames, H.264 High. */
  bFrames: {
    file: "b-frames.flv",
    args: async () => [
      ...["-i", await clip("bbb"), "-c:v", "libx264", "-profile:v", "high", "-preset", "veryfast"],
      ...["-bf", "3", "-x264-params", "b-adapt=0", "-g", "50", "-c:a", "copy"],
    ],
  },
  /** 20 s of numbered pictures, 640×360 at 25 fps, as x264 makes them by default: B-frames that other B-frames refer to; a keyframe every 2 s. */
  countedPyramid: {
    file: "counted-pyramid.flv",
    args: async () => [...COUNTED_PICTURE, "-c:v", "libx264", "-preset", "medium", "-g", "50"],
  },
  /** The same with B-frames that nothing refers to. */
  countedPlain: {
    file: "counted-plain.flv",
    args: async () => [...COUNTED_PICTURE, "-c:v", "libx264", "-x264-params", "b-pyramid=none:keyint=50"],
  },
  /** The same with 48 kHz mono sound. */
  mono48k: {
    file: "mono-48k.flv",
    args: async () => ["-i", await clip("bbb"), "-c:v", "copy", "-c:a", "aac", "-ac", "1", "-ar", "48000"],
  },
  /** A test picture, 25 fps, a keyframe each second, with a steady 1 kHz tone from the first sample; AAC 44.1 kHz stereo. */
  tone: {
    file: "tone.flv",
    args: async () => [
      ...[...TEST_PICTURE, ...TONE, "-t", "10", ...BASELINE, "-g", "25"],
      ...["-c:a", "aac", "-ac", "2", "-af", "volume=4"],
    ],
  },
  /** 10 s of H.264 with access unit delimiters and SPS and PPS before each keyframe (every second), 640×360 at 30 fps. */
  h264: {
    file: "test-picture.h264",
    args: async () => [
      ...["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30", "-t", "10", ...BASELINE, "-bf", "0", "-g", "30"],
      ...["-x264-params", "aud=1:repeat-headers=1", "-f", "h264"],
    ],
  },
  /** Two seconds of each size in turn, by slices of four threads, with access unit delimiters: 640×360, then 320×180. */
  twoSizes: {
    file: "two-sizes.flv",
    args: async () => [
      ...["-r", "25", "-f", "h264", "-i", `concat:${await clip("slicesLarge")}|${await clip("slicesSmall")}`],
      ...["-c", "copy"],
    ],
  },
  slicesLarge: { file: "slices-large.h264", args: async () => [...TEST_PICTURE, ...IN_SLICES] },
  slicesSmall: { file: "slices-small.h264", args: async () => [...SMALL_PICTURE, ...IN_SLICES] },
  /** 8 s, 320×180 at 25 fps, VP9 with hidden pictures (in superframes), AAC; a keyframe every two seconds, as with the next two. */
  vp9: {
    file: "vp9.mkv",
    args: async () => [
      ...[...SMALL_PICTURE, ...TONE, "-t", "8", "-c:v", "libvpx-vp9", "-deadline", "good", "-cpu-used", "5"],
      ...["-auto-alt-ref", "1", "-lag-in-frames", "16", "-b:v", "300k", "-g", "50", "-c:a", "aac", "-ac", "2"],
    ],
  },
  /** AV1 with hidden pictures and such as are shown later. */
  av1: {
    file: "av1.mkv",
    args: async () => [
      ...[...SMALL_PICTURE, ...TONE, "-t", "8", "-c:v", "libsvtav1", "-preset", "10", "-b:v", "300k", "-g", "50"],
      ...["-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "2"],
    ],
  },
  /** HEVC with B-frames that others refer to. */
  hevc: {
    file: "hevc.mkv",
    args: async () => [
      ...[...SMALL_PICTURE, ...TONE, "-t", "8", "-c:v", "libx265", "-preset", "ultrafast", "-b:v", "300k"],
      ...["-x265-params", "keyint=50:bframes=3:b-adapt=0:open-gop=0:log-level=none", "-pix_fmt", "yuv420p"],
      ...["-c:a", "aac", "-ac", "2"],
    ],
  },
  /** 10 s of a 1 kHz tone, Opus 48 kHz stereo, one packet of 20 ms in each Ogg page. */
  opus: {
    file: "tone.ogg",
    args: async () => [
      ...["-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=48000", "-t", "10", "-af", "volume=4", "-ac", "2"],
      ...["-c:a", "libopus", "-b:a", "96k", "-frame_duration", "20", "-page_duration", "20000", "-f", "ogg"],
    ],
  },
} as const
