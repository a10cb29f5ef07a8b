import { expect, test } from "vitest"
import { type RtmpSetup, startRtmpSetup } from "../io/rtmp/setup.ts"
import { AUDIO_RATE_HZ, loudness, probe, publishClip, readStream } from "../support/ffmpeg.ts"
import { type ClipName, clip } from "../support/media.ts"
import { testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

/** ffmpeg as publisher and reader of the RTMP server alone. */
const scope = testScope()
const FPS = 25

async function publish(setup: RtmpSetup, name: ClipName, stream: string) {
  const publisher = publishClip(scope, await clip(name), setup.url(stream))
  await until("sound and picture", () => [...(setup.registry.list()[0]?.tracks ?? [])].length === 2)
  return publisher
}

test.each<{ name: ClipName; sampleRateHz: string; channels: number }>([
  { name: "bbb", sampleRateHz: "44100", channels: 2 },
  { name: "bFrames", sampleRateHz: "44100", channels: 2 },
  { name: "mono48k", sampleRateHz: "48000", channels: 1 },
])("$name comes out as it went in, without an error line", async ({ name, sampleRateHz, channels }) => {
  const setup = await startRtmpSetup(scope)
  await publish(setup, name, "cam1")
  const streams = await probe(setup.url("cam1"))
  expect(streams).toEqual([
    expect.objectContaining({ codec_name: "h264", width: 640, height: 360 }),
    expect.objectContaining({ codec_name: "aac", sample_rate: sampleRateHz, channels }),
  ])
  const { errors, videoFrames, samples } = await readStream(scope, setup.url("cam1"), 4)
  expect(errors).toEqual([])
  expect(videoFrames).toBeGreaterThanOrEqual(4 * FPS - 2)
  expect(samples.length).toBeGreaterThan(4 * AUDIO_RATE_HZ * 0.95)
})

test("a file that starts over goes on, with sound and picture together", async () => {
  const setup = await startRtmpSetup(scope)
  await publish(setup, "tone", "cam1")
  const seconds = 12
  const { errors, messages, videoFrames, samples } = await readStream(scope, setup.url("cam1?start=keyframe"), seconds)
  expect(errors).toEqual([])
  expect(messages.filter((line) => /non.?monoton/i.test(line))).toEqual([])
  expect(videoFrames).toBeGreaterThanOrEqual(seconds * (FPS - 1))
  for (let second = 0; second < seconds - 1; second++) {
    expect(loudness(samples, second, second + 1)).toBeGreaterThan(0.1)
  }
})

test("a publisher that comes back with its token continues the same stream", async () => {
  const setup = await startRtmpSetup(scope)
  const first = await publish(setup, "tone", "cam1?token=secret")
  const reading = readStream(scope, setup.url("cam1"), 8)
  await until("the reader", () => setup.registry.list()[0]?.subscribers.size === 1)
  const second = publishClip(scope, await clip("tone"), setup.url("cam1?token=secret"))
  expect(await first.exited).not.toBe(0)
  const { errors, messages, videoFrames } = await reading
  expect(errors).toEqual([])
  expect(messages.filter((line) => /non.?monoton/i.test(line))).toEqual([])
  expect(videoFrames).toBeGreaterThan(6 * FPS)
  expect(second.child.exitCode).toBeNull()
})

test("refusals reach ffmpeg as errors", async () => {
  const setup = await startRtmpSetup(scope)
  await publish(setup, "bbb", "cam1")
  const second = publishClip(scope, await clip("bbb"), setup.url("cam1"))
  expect(await second.exited).not.toBe(0)
  expect(second.stderrLines.join("\n")).toContain("already live")
  await expect(readStream(scope, setup.url("nobody"), 1)).rejects.toThrow("nobody publishes live/nobody")
})
