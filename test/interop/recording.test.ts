import { execFile } from "node:child_process"
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { expect, test } from "vitest"
import { amfField } from "../../src/rtmp/amf-value.ts"
import { readFlv } from "../io/recording/setup.ts"
import {
  AUDIO_RATE_HZ,
  loudness,
  probe,
  publishByWhipMuxer,
  publishClip,
  publishEnhanced,
  readStream,
} from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { FFMPEG9, HAS_FFMPEG9 } from "../support/paths.ts"
import { startProcess } from "../support/process.ts"
import type { Scope } from "../support/scope.ts"
import { endedStream, liveStream } from "../support/streams.ts"
import { testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

/** What ffmpeg, which wrote none of it, finds in the files that the gateway has recorded. */
const scope = testScope()
const ADMIN = { authorization: "Bearer administrator" }
const FPS = 25

async function startRecorder(scope: Scope, settings: Record<string, string> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "recordings-"))
  scope.defer(() => rm(folder, { recursive: true }))
  const gateway = await startGateway(scope, {
    settings: {
      RECORDINGS__FOLDER: folder,
      RECORDINGS__MIN_FREE_BYTES: "0",
      RECORDINGS__TEMPLATE: "{app}/{stream}_{n}.flv",
      RECORDINGS__RULES: '[{"stream":"live/*"}]',
      ACCESS__ADMIN_TOKENS: "administrator",
      ...settings,
    },
  })
  return { folder, gateway }
}

async function recordings({ httpUrl }: TestGateway) {
  const response = await fetch(`${httpUrl}/api/v1/recordings`, { headers: ADMIN })
  return ((await response.json()) as { recordings: { state: string; files: { name: string; bytes: number }[] }[] })
    .recordings
}

async function filesIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".flv"))
  return names.sort().map((name) => join(folder, name))
}

interface Packet {
  readonly pts_time: string
  readonly flags: string
  readonly pos: string
}

/** ffprobe's packets of the pictures, from a time on. */
async function pictures(path: string, from = 0): Promise<Packet[]> {
  const args = [
    "-v",
    "error",
    "-select_streams",
    "v",
    "-show_packets",
    "-read_intervals",
    `${from}`,
    "-of",
    "json",
    path,
  ]
  const { stdout } = await promisify(execFile)("ffprobe", args, { maxBuffer: 1e8 })
  return JSON.parse(stdout).packets
}

async function durationS(path: string): Promise<number> {
  const args = ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path]
  return Number((await promisify(execFile)("ffprobe", args)).stdout)
}

test("files follow one another at keyframes; each plays by itself, knows its length and is sought by its index", async () => {
  const { folder, gateway } = await startRecorder(scope, { RECORDINGS__MAX_FILE_DURATION_MS: "1900" })
  const publisher = publishClip(scope, await clip("tone"), gateway.rtmpUrl("live/cam1"))
  await until("the fourth file", async () => (await recordings(gateway))[0]?.files.length === 4, { timeoutMs: 20_000 })
  await publisher.stop()
  await endedStream(gateway, "live/cam1")
  await until("the end", async () => (await recordings(gateway))[0]?.state === "finished")
  const files = await filesIn(folder)
  expect(files.map((path) => path.slice(folder.length))).toEqual([1, 2, 3, 4].map((n) => `/live/cam1_00${n}.flv`))
  for (const path of files.slice(0, 3)) {
    const { errors, videoFrames, samples } = await readStream(scope, path, 10)
    expect([errors, videoFrames]).toEqual([[], 2 * FPS])
    expect(samples.length / AUDIO_RATE_HZ).toBeCloseTo(2, 1)
    for (const second of [0, 1]) expect(loudness(samples, second, second + 1)).toBeGreaterThan(0.1)
    expect(await durationS(path)).toBeCloseTo(2, 1)
    const keyframes = (await pictures(path)).filter(({ flags }) => flags.startsWith("K"))
    const index = amfField(readFlv(await readFile(path)).metadata, "keyframes")
    expect(amfField(index, "times")).toEqual(keyframes.map(({ pts_time }) => Number(pts_time)))
    expect((amfField(index, "filepositions") as number[]).slice(1)).toEqual(
      keyframes.slice(1).map(({ pos }) => Number(pos)),
    )
    expect((await pictures(path, 1.5))[0]).toMatchObject({ pts_time: "1.000000", pos: keyframes[1]?.pos })
  }
  const lost =
    4 * 2 * FPS - (await Promise.all(files.map(async (path) => (await pictures(path)).length))).reduce((a, b) => a + b)
  expect(lost).toBeLessThan(2 * FPS)
  expect(gateway.log().filter(({ level }) => level >= 40)).toEqual([])
})

test.skipIf(!HAS_FFMPEG9)("HEVC with B-frames stays what it is", async () => {
  const { folder, gateway } = await startRecorder(scope)
  publishEnhanced(scope, await clip("hevc"), gateway.rtmpUrl("live/cam1"))
  await until("some seconds", async () => ((await recordings(gateway))[0]?.files[0]?.bytes ?? 0) > 200_000)
  expect(await gateway.process.stop()).toBe(0)
  const [path = ""] = await filesIn(folder)
  // ffmpeg 5 does not know HEVC in FLV.
  const reader = startProcess(scope, FFMPEG9, ["-v", "warning", "-progress", "pipe:1", "-i", path, "-f", "null", "-"])
  expect(await reader.exited).toBe(0)
  expect(reader.stderrLines).toEqual([])
  const frames = reader.stdoutLines.findLast((line) => line.startsWith("frame="))
  expect(Number(frames?.slice("frame=".length))).toBeGreaterThan(2 * FPS)
})

test("what a killed gateway leaves is played to its end", async () => {
  const { folder, gateway } = await startRecorder(scope)
  publishClip(scope, await clip("bFrames"), gateway.rtmpUrl("live/cam1"))
  const path = await until("a file with some seconds", async () => {
    const [path = ""] = await filesIn(folder)
    return (await stat(path)).size > 500_000 && path
  })
  gateway.process.child.kill("SIGKILL")
  await gateway.process.exited
  const { errors, videoFrames, samples } = await readStream(scope, path, 10)
  expect(errors).toEqual([])
  expect(videoFrames).toBeGreaterThan(2 * FPS)
  expect(samples.length / AUDIO_RATE_HZ).toBeCloseTo(videoFrames / FPS, 0)
  expect((await probe(path)).map(({ codec_name }) => codec_name)).toEqual(["h264", "aac"])
})

test("a WebRTC publisher is recorded with AAC, by the API; a gateway that closes completes its files", async () => {
  const { folder, gateway } = await startRecorder(scope, { RECORDINGS__RULES: "[]" })
  publishByWhipMuxer(scope, await clip("tone"), `${gateway.httpUrl}/whip/live/cam1`)
  await liveStream(gateway, "live/cam1")
  const started = await fetch(`${gateway.httpUrl}/api/v1/recordings`, {
    method: "POST",
    headers: { ...ADMIN, "content-type": "application/json" },
    body: JSON.stringify({ stream: "live/cam1", template: "by-hand/{stream}.flv" }),
  })
  expect(started.status).toBe(201)
  await until("some seconds", async () => ((await recordings(gateway))[0]?.files[0]?.bytes ?? 0) > 500_000)
  expect(await gateway.process.stop()).toBe(0)
  const path = join(folder, "by-hand/cam1.flv")
  const { errors, videoFrames, samples } = await readStream(scope, path, 10)
  const duration = await durationS(path)
  expect(errors).toEqual([])
  expect(duration).toBeGreaterThan(1)
  expect(videoFrames / duration / FPS).toBeCloseTo(1, 1)
  expect(samples.length / AUDIO_RATE_HZ).toBeCloseTo(duration, 0)
  expect(loudness(samples, 0, 1)).toBeGreaterThan(0.1)
  expect((await probe(path)).map(({ codec_name }) => codec_name)).toEqual(["h264", "aac"])
})
