import { describe, expect, test } from "vitest"
import { type RtmpSetup, startRtmpSetup } from "../io/rtmp/setup.ts"
import { type ClipName, clip } from "../support/media.ts"
import { FFMPEG9, HAS_FFMPEG9 } from "../support/paths.ts"
import { startProcess } from "../support/process.ts"
import { testScope } from "../support/test-scope.ts"
import { until, within } from "../support/wait.ts"

/** ffmpeg 9 as publisher and reader of Enhanced RTMP, through the RTMP server alone. */
const scope = testScope()
const QUIET = ["-hide_banner", "-v", "level+info", "-nostdin"]
const SECONDS = 2
/** More than any of the clips has. */
const CLIP_SECONDS = 20

/** What ffmpeg says of the streams, the hashes of its decoded pictures, and its error lines. */
async function decode(source: string, announced = "", seconds = SECONDS) {
  const video = [
    "-map",
    "0:v?",
    "-t",
    `${seconds}`,
    "-enc_time_base",
    "demux",
    "-f",
    "framehash",
    "-hash",
    "md5",
    "pipe:1",
  ]
  const audio = ["-map", "0:a?", "-t", `${seconds}`, "-f", "null", "-"]
  const announcement = announced === "" ? [] : ["-rtmp_enhanced_codecs", announced]
  const reader = startProcess(scope, FFMPEG9, [...QUIET, ...announcement, "-i", source, ...video, ...audio])
  const exit = await within((seconds + 15) * 1000, `${seconds} s of ${source}`, reader.exited)
  if (exit !== 0) throw new Error(`ffmpeg ended with ${exit}: ${reader.stderrLines.slice(-10).join("\n")}`)
  const inputs = reader.stderrLines.slice(
    0,
    reader.stderrLines.findIndex((line) => line.includes("Stream mapping")),
  )
  return {
    codecs: inputs.flatMap((line) => /Stream #0:\d.*: (?:Video|Audio): ([\w-]+)/.exec(line)?.[1] ?? []),
    pictures: reader.stdoutLines.filter((line) => line.startsWith("0,")).map((line) => line.split(",").at(-1)?.trim()),
    errors: reader.stderrLines.filter((line) => /\[(error|fatal|panic)\]/.test(line)),
  }
}

function publish(setup: RtmpSetup, input: readonly string[], output: readonly string[], stream: string) {
  return startProcess(scope, FFMPEG9, [...QUIET, "-re", ...input, ...output, "-f", "flv", setup.url(stream)])
}

async function tracksOf(setup: RtmpSetup, count: number) {
  const tracks = () => [...(setup.registry.list()[0]?.tracks ?? [])]
  await until("sound and picture", () => tracks().length === count)
  return tracks()
}

describe.skipIf(!HAS_FFMPEG9)("Enhanced RTMP", () => {
  test.each<{ name: ClipName; video: string; encoder: string; audio: string; announced?: string }>([
    { name: "hevc", video: "hevc", encoder: "flac", audio: "flac" },
    { name: "vp9", video: "vp9", encoder: "libopus", audio: "opus", announced: "vp09,Opus" },
    { name: "av1", video: "av1", encoder: "ac3", audio: "ac3" },
    { name: "bFrames", video: "h264", encoder: "eac3", audio: "eac3" },
  ])("$name with $audio: every picture comes out as it went in", async ({ name, video, encoder, audio, announced }) => {
    const setup = await startRtmpSetup(scope)
    const path = await clip(name)
    publish(setup, ["-i", path], ["-c:v", "copy", "-c:a", encoder], "cam1")
    await tracksOf(setup, 2)
    const [source, read] = [await decode(path), await decode(setup.url("cam1?start=keyframe"), announced)]
    expect(read.errors).toEqual([])
    expect(read.codecs.toSorted()).toEqual([audio, video].toSorted())
    expect(read.pictures.length).toBeGreaterThan(SECONDS * 25 - 5)
    const first = source.pictures.indexOf(read.pictures[0])
    expect(source.pictures.slice(first, first + read.pictures.length)).toEqual(
      read.pictures.slice(0, source.pictures.length - first),
    )
    const [whole, live] = [await decode(path, "", CLIP_SECONDS), await decode(setup.url("cam1"), announced)]
    expect(live.errors).toEqual([])
    expect(live.pictures.length).toBeGreaterThan(SECONDS * 25 - 5)
    expect(whole.pictures).toEqual(expect.arrayContaining(live.pictures)) // none is damaged, though some are left out
  })

  test("a reader whose list leaves the video codec out gets the sound alone", async () => {
    const setup = await startRtmpSetup(scope)
    publish(setup, ["-i", await clip("hevc")], ["-c:v", "copy", "-c:a", "libmp3lame"], "cam1")
    await tracksOf(setup, 2)
    const read = await decode(setup.url("cam1"), "av01")
    expect([read.codecs, read.errors]).toEqual([["mp3"], []])
  })

  test("of several tracks the first ones are the stream, and the log says so", async () => {
    const setup = await startRtmpSetup(scope)
    const other = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-f", "lavfi", "-i", "sine=frequency=300"]
    const encoders = ["-c:v:0", "copy", "-c:v:1", "libx264", "-bf:v:1", "0", "-c:a", "aac"]
    const maps = ["-map", "0:v", "-map", "0:a", "-map", "1:v", "-map", "2:a", "-t", "6"]
    publish(setup, ["-i", await clip("bbb"), ...other], [...maps, ...encoders], "cam1")
    expect(await tracksOf(setup, 2)).toContainEqual(expect.objectContaining({ codec: "h264", widthPx: 640 }))
    const read = await decode(setup.url("cam1"))
    expect(read.errors).toEqual([])
    expect(read.codecs.toSorted()).toEqual(["aac", "h264"])
    const warnings = setup.log.filter(({ level }) => level === 40).map(({ msg }) => msg)
    const rule = "the publisher sends several tracks, of which only the default one (the lowest track id) is used"
    expect(warnings.toSorted()).toEqual([`audio: ${rule}`, `video: ${rule}`])
  })
})
