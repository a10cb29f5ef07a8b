import { expect, test } from "vitest"
import { publishClip, readStream, runFfmpeg } from "../support/ffmpeg.ts"
import { startGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

/** Keys in RTMP addresses as ffmpeg sends them, which parts the path before its last segment. */
const scope = testScope()
const SETTINGS = { ACCESS__PUBLISH_TOKENS: "the-stream-key", ACCESS__PLAY_TOKENS: "the-viewer-key" }

async function liveStreams(httpUrl: string): Promise<string[]> {
  const response = await fetch(`${httpUrl}/api/v1/streams?token=x`, {
    headers: { authorization: "Bearer the-viewer-key" },
  })
  const { streams } = (await response.json()) as { streams: { name: string }[] }
  return streams.map(({ name }) => name)
}

test.each(["live/cam1?token=the-stream-key", "live/cam1/the-stream-key"])("ffmpeg publishes to %s", async (path) => {
  const { httpUrl, rtmpUrl, process: gateway } = await startGateway(scope, { settings: SETTINGS })
  const publisher = publishClip(scope, await clip("bbb"), rtmpUrl(path))
  await until("the stream", async () => (await liveStreams(httpUrl)).includes("live/cam1"))
  const { videoFrames } = await readStream(scope, rtmpUrl("live/cam1/the-viewer-key"), 2)
  expect(videoFrames).toBeGreaterThan(40)
  await expect(readStream(scope, rtmpUrl("live/cam1/the-stream-key"), 1)).rejects.toThrow("the token is not valid here")
  await expect(readStream(scope, rtmpUrl("live/cam1"), 1)).rejects.toThrow("a token is needed to play live/cam1")
  expect(publisher.child.exitCode).toBeNull()
  const log = [...gateway.stdoutLines, ...gateway.stderrLines].join("\n")
  expect(log).toContain("publisher connected")
  expect(log).not.toMatch(/the-stream-key|the-viewer-key/)
})

test.each([
  { path: "live/cam1", says: "a token is needed to publish live/cam1" },
  { path: "live/cam1?token=another-key", says: "the token is not valid here" },
  { path: "live/cam1/another-key", says: "the token is not valid here" },
  { path: "live/cam1?key=the-stream-key", says: "a token is needed to publish live/cam1" },
])("ffmpeg is told why it may not publish to $path", async ({ path, says }) => {
  const { httpUrl, rtmpUrl, process: gateway } = await startGateway(scope, { settings: SETTINGS })
  const publisher = publishClip(scope, await clip("bbb"), rtmpUrl(path))
  expect(await publisher.exited).not.toBe(0)
  expect(publisher.stderrLines.join("\n")).toContain(says)
  expect(await liveStreams(httpUrl)).toEqual([])
  expect(gateway.stdoutLines.join("\n")).not.toMatch(/the-stream-key|another-key/)
})

test("ffmpeg's own options for application and name part the address elsewhere", async () => {
  const { httpUrl, rtmpUrl } = await startGateway(scope, { settings: SETTINGS })
  const options = ["-rtmp_app", "live", "-rtmp_playpath", "cam1/the-stream-key"]
  runFfmpeg(scope, [
    "-re",
    "-stream_loop",
    "-1",
    "-i",
    await clip("bbb"),
    "-c",
    "copy",
    "-f",
    "flv",
    ...options,
    rtmpUrl(""),
  ])
  await until("the stream", async () => (await liveStreams(httpUrl)).includes("live/cam1"))
})
