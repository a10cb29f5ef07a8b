import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { beforeAll, describe, expect, test } from "vitest"
import { runFfmpeg } from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { FFMPEG9, HAS_FFMPEG9 } from "../support/paths.ts"
import { startProcess } from "../support/process.ts"
import { expectHealthy } from "../support/scenes.ts"
import { liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"
import { until, within } from "../support/wait.ts"

/** ffmpeg joins a stream seconds after its only keyframe, by RTMP and HTTP-FLV. */
const group = groupScope()
const scope = testScope()
const KEYFRAME_AGE_MS = 5_000
const FRAME_MS = 40
let gateway: TestGateway

beforeAll(async () => {
  gateway = await startGateway(group, { settings: { HUB__CACHE_MAX_MS: "600000" } }) // the tests take longer than 30 s
  const input = ["-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]
  const tone = ["-re", "-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=44100"]
  const video = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "10000", "-sc_threshold", "0"]
  const output = ["-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "flv", gateway.rtmpUrl("live/group")]
  runFfmpeg(group, [...input, ...tone, ...video, "-x264-params", "b-pyramid=normal:b-adapt=0", ...output])
  await liveStream(gateway, "live/group")
  const liveFromMs = performance.now()
  await until("the keyframe to be five seconds old", () => performance.now() - liveFromMs > KEYFRAME_AGE_MS)
})

const WAYS = [
  { name: "RTMP", url: () => gateway.rtmpUrl("live/group") },
  { name: "HTTP-FLV", url: () => `${gateway.httpUrl}/flv/live/group.flv` },
]

describe.each(WAYS)("by $name", ({ name, url }) => {
  test("begins at live: pictures close together, then at their distance, sound from the first picture on", async () => {
    const packets = await readPackets(url(), 3)
    const pictures = packets.filter(({ stream }) => stream === 0)
    const sounds = packets.filter(({ stream }) => stream === 1)
    process.stdout.write(`${name}: ${Math.round(behindLiveMs(pictures))} ms behind live\n`)
    expect(behindLiveMs(pictures)).toBeLessThan(2_000)
    const steps = stepsOf(pictures)
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(1)
    expect(Math.max(...steps)).toBeLessThanOrEqual(FRAME_MS)
    expect(steps.filter((step) => step === 1).length).toBeGreaterThan(KEYFRAME_AGE_MS / FRAME_MS / 2 - 10)
    expect(pictures.filter(({ dtsMs, ptsMs }) => ptsMs < dtsMs)).toEqual([])
    const beginMs = pictures[0]?.ptsMs ?? 0
    expect(sounds[0]?.ptsMs).toBeGreaterThanOrEqual(beginMs)
    expect(sounds[0]?.ptsMs).toBeLessThan(beginMs + 500)
    expect(Math.max(...stepsOf(sounds))).toBeLessThan(100)
    await expectHealthy(gateway)
  })

  test("begins with the keyframe where that is asked for", async () => {
    const pictures = (await readPackets(`${url()}?start=keyframe`, 7)).filter(({ stream }) => stream === 0)
    process.stdout.write(`${name}, start=keyframe: ${Math.round(behindLiveMs(pictures))} ms behind live\n`)
    expect(behindLiveMs(pictures)).toBeGreaterThan(KEYFRAME_AGE_MS - 1_000)
    expect(Math.min(...stepsOf(pictures))).toBeGreaterThan(FRAME_MS / 2)
  })

  test.each(["flv", "mp4", "mkv"])("is copied into .%s without a warning", async (format) => {
    const folder = await mkdtemp(join(tmpdir(), "whipstitch-live-edge-"))
    scope.defer(() => rm(folder, { recursive: true }))
    for (const command of HAS_FFMPEG9 ? ["ffmpeg", FFMPEG9] : ["ffmpeg"]) {
      const file = join(folder, `copy.${format}`)
      const args = ["-hide_banner", "-v", "warning", "-nostdin", "-y", "-i", url(), "-t", "2", "-c", "copy", file]
      const copy = startProcess(scope, command, args)
      expect(await within(20_000, "the copy", copy.exited)).toBe(0)
      expect(copy.stderrLines).toEqual([])
      // In the file's time base: ffmpeg would round milliseconds to the 1/25 s of the encoder, and complain of its own times.
      const timeBase = command === FFMPEG9 ? "demux" : "-1"
      const nowhere = ["-enc_time_base", timeBase, "-f", "null", "-"]
      const decode = startProcess(scope, command, ["-v", "warning", "-xerror", "-i", file, ...nowhere])
      expect(await within(20_000, "the copy to be decoded", decode.exited)).toBe(0)
      expect(decode.stderrLines).toEqual([])
    }
  })
})

interface Packet {
  readonly stream: number
  readonly dtsMs: number
  readonly ptsMs: number
  readonly arrivedMs: number
}

/** What ffmpeg reads in some seconds of the stream's time, as it comes; it must have nothing to say about it. */
async function readPackets(url: string, seconds: number): Promise<Packet[]> {
  const args = ["-hide_banner", "-v", "warning", "-nostdin", "-i", url, "-t", `${seconds}`, "-c", "copy"]
  const output = ["-flush_packets", "1", "-f", "framecrc", "-enc_time_base", "1/1000", "pipe:1"]
  const reader = startProcess(scope, "ffmpeg", [...args, ...output], { stdout: "raw" })
  const packets: Packet[] = []
  const timeBases: number[] = []
  createInterface({ input: reader.child.stdout as Readable }).on("line", (line) => {
    const [, index, numerator, denominator] = /^#tb (\d): (\d+)\/(\d+)/.exec(line) ?? []
    if (index !== undefined) timeBases[Number(index)] = (1_000 * Number(numerator)) / Number(denominator)
    if (line.startsWith("#")) return
    const [stream = 0, dts = 0, pts = 0] = line.split(",").map(Number)
    const timeBaseMs = timeBases[stream] ?? 1
    packets.push({ stream, dtsMs: dts * timeBaseMs, ptsMs: pts * timeBaseMs, arrivedMs: performance.now() })
  })
  expect(await within((seconds + 20) * 1_000, "ffmpeg to read it", reader.exited)).toBe(0)
  expect(reader.stderrLines).toEqual([])
  return packets
}

/** How much later than it came a picture is shown by a player that begins with the first one at once and plays on. */
function behindLiveMs(pictures: readonly Packet[]): number {
  const [first] = pictures
  if (first === undefined) return Number.NaN
  return Math.max(...pictures.map(({ ptsMs, arrivedMs }) => ptsMs - first.ptsMs - (arrivedMs - first.arrivedMs)))
}

function stepsOf(packets: readonly Packet[]): number[] {
  return packets.slice(1).map(({ dtsMs }, i) => dtsMs - (packets[i]?.dtsMs ?? 0))
}
