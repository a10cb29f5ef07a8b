import { expect, test } from "vitest"
import type { VideoTranscoderEvents } from "../../../src/bridge/video-transcoder.ts"
import type { Logger } from "../../../src/io/log.ts"
import { FfmpegTranscoders } from "../../../src/io/video/ffmpeg-transcoders.ts"
import type { H264Track, VideoFrame } from "../../../src/media/frame.ts"
import { frame } from "../../bridge/rtp-frames.ts"
import { until } from "../../support/wait.ts"

const KEYFRAME = frame("idr", 0) as VideoFrame<H264Track>

function create(settings: { ffmpeg?: string; maxTranscoders?: number; queueMaxBytes?: number } = {}) {
  const warnings: string[] = []
  const warn = (...parts: unknown[]) => {
    warnings.push(JSON.stringify(parts))
  }
  const logger = { warn, info: () => undefined } as unknown as Logger
  const options = { ffmpeg: "cat", encoder: [], maxTranscoders: 2, queueMaxBytes: 100_000 }
  const transcoders = new FfmpegTranscoders({ ...options, ...settings, logger })
  return { transcoders, warnings }
}

function listen() {
  const failures: string[] = []
  const events: VideoTranscoderEvents = { onFrame: () => undefined, onFailure: (reason) => failures.push(reason) }
  return { events, failures }
}

test("without ffmpeg nothing is transcoded, and one warning says so", async () => {
  const { transcoders, warnings } = create({ ffmpeg: "/nonexistent/ffmpeg" })
  await transcoders.check()
  expect(transcoders.open("live/a", listen().events)).toBeUndefined()
  expect(transcoders.open("live/b", listen().events)).toBeUndefined()
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain("/nonexistent/ffmpeg")
})

test.each([
  ["cannot be run", "/nonexistent/ffmpeg"],
  ["ends", "false"],
  ["writes something else than FLV", "echo"],
])("a process that %s is a failure, told once", async (_, ffmpeg) => {
  const { transcoders, warnings } = create({ ffmpeg })
  const { events, failures } = listen()
  const transcoder = transcoders.open("live/a", events)
  transcoder?.push(KEYFRAME)
  await until("the failure", async () => failures.length > 0)
  transcoder?.push(KEYFRAME)
  transcoder?.close()
  expect(failures).toHaveLength(1)
  expect(warnings).toHaveLength(1)
  transcoders.close()
})

test("there are no more at once than there may be, and a closed one makes room", async () => {
  const { transcoders, warnings } = create({ maxTranscoders: 1 })
  const first = transcoders.open("live/a", listen().events)
  expect(first).toBeDefined()
  expect(transcoders.open("live/b", listen().events)).toBeUndefined()
  expect(warnings).toHaveLength(1)
  first?.close()
  expect(transcoders.open("live/b", listen().events)).toBeDefined()
  transcoders.close()
  expect(transcoders.open("live/c", listen().events)).toBeUndefined()
})
