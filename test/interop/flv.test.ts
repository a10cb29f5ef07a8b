import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeAll, expect, test } from "vitest"
import { AUDIO_RATE_HZ, loudness, probe, publishClip, publishEnhanced, readStream } from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { FFMPEG9, HAS_FFMPEG9 } from "../support/paths.ts"
import { startProcess } from "../support/process.ts"
import { expectHealthy } from "../support/scenes.ts"
import { liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

/** HTTP-FLV in players that no one here wrote. */
const group = groupScope()
const scope = testScope()
let gateway: TestGateway
const FPS = 25

beforeAll(async () => {
  gateway = await startGateway(group)
})

test("ffmpeg, GStreamer and curl read picture and sound, and see the end of the stream", async () => {
  const publisher = publishClip(scope, await clip("tone"), gateway.rtmpUrl("live/tone"))
  await liveStream(gateway, "live/tone")
  const url = `${gateway.httpUrl}/flv/live/tone.flv`
  const folder = await mkdtemp(join(tmpdir(), "whipstitch-flv-"))
  scope.defer(() => rm(folder, { recursive: true }))
  const file = join(folder, "tone.flv")
  const curl = startProcess(scope, "curl", ["-sS", "--fail", "-o", file, url])
  const [video, audio] = [
    ["d.video", "!", "queue", "!", "h264parse", "!", "avdec_h264", "!", "progressreport", "update-freq=1"],
    ["d.audio", "!", "queue", "!", "aacparse", "!", "avdec_aac"],
  ]
  const source = ["souphttpsrc", `location=${url}`, "is-live=true", "!", "flvdemux", "name=d"]
  const args = [...source, ...video, "!", "fakesink", "sync=true", ...audio, "!", "fakesink", "sync=true"]
  const gstreamer = startProcess(scope, "gst-launch-1.0", args)
  const { errors, videoFrames, samples } = await readStream(scope, url, 4)
  expect(errors).toEqual([])
  expect(videoFrames).toBeGreaterThanOrEqual(4 * FPS - 2)
  expect(samples.length).toBeGreaterThan(4 * AUDIO_RATE_HZ * 0.95)
  expect(loudness(samples, 0, 4)).toBeGreaterThan(0.1)
  const shown = () => gstreamer.stdoutLines.filter((line) => line.startsWith("progressreport")).length >= 3
  await until("three seconds in GStreamer", shown)
  await publisher.stop()
  expect(await gstreamer.exited).toBe(0)
  expect(gstreamer.stdoutLines.join("\n")).toContain("Got EOS")
  expect(await curl.exited).toBe(0)
  expect(await probe(file)).toEqual([
    expect.objectContaining({ codec_name: "h264", width: 640, height: 360 }),
    expect.objectContaining({ codec_name: "aac", sample_rate: "44100", channels: 2 }),
  ])
  await expectHealthy(gateway)
})

test.skipIf(!HAS_FFMPEG9)("ffmpeg 9 reads HEVC by enhanced tags", async () => {
  publishEnhanced(scope, await clip("hevc"), gateway.rtmpUrl("live/hevc"))
  await liveStream(gateway, "live/hevc")
  const { errors, videoFrames } = await readStream(scope, `${gateway.httpUrl}/flv/live/hevc.flv`, 3, FFMPEG9)
  expect(errors).toEqual([])
  expect(videoFrames).toBeGreaterThanOrEqual(3 * FPS - 2)
})
