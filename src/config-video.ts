import { z } from "zod"
import { orJson, positive } from "./config-values.ts"

const bFrames = z.enum(["auto", "drop", "transcode", "pass"])

const Rule = z.strictObject({
  stream: z.string().regex(/^(\*|[\w.*-]+\/[\w.*-]+)$/, 'must look like "live/cam1", "live/*" or "*"'),
  bFrames,
})

/** The section `video` of the configuration. */
export const Video = z.strictObject({
  bFrames: bFrames
    .default("auto")
    .describe(
      "what WebRTC viewers get of RTMP video with B-frames: auto, drop, transcode or pass (docs/architecture.md)",
    ),
  rules: orJson(z.array(Rule).max(1_000))
    .default([])
    .describe('the same for some streams: objects with stream ("live/*") and bFrames; the first that fits decides'),
  maxTranscoders: positive.default(2).describe("videos transcoded at once; one takes a tenth of a core and more"),
  ffmpeg: z.string().min(1).default("ffmpeg").describe("the program that transcodes video, 5.1 or newer"),
  encoder: z
    .string()
    .min(1)
    .default(
      "-c:v libx264 -preset superfast -tune zerolatency -forced-idr 1 -crf 22 -maxrate 8M -bufsize 8M -threads 2",
    )
    .describe("its arguments that choose and set up the encoder of H.264"),
  queueMaxBytes: positive
    .default(8 * 1024 * 1024)
    .describe("what may wait for a transcoder; of more, pictures are left out up to a keyframe"),
})
