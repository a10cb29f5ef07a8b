import { z } from "zod"
import { orJson, positive } from "./config-values.ts"

const PushTarget = z.strictObject({
  stream: z.string().regex(/^(\*|[\w.*-]+\/[\w.*-]+)$/, 'must look like "live/cam1", "live/*" or "*"'),
  url: z
    .string()
    .max(2_000)
    .regex(
      /^rtmps?:\/\/(\S+@)?([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?\/\S+\/\S+$/,
      "write rtmp://HOST/APP/STREAM or rtmps://…; {app} and {stream} in it stand for the names here",
    ),
})

/** The list `pushes` of the configuration; JSON in an environment variable. */
export const Pushes = orJson(z.array(PushTarget).max(256))
  .default([])
  .describe(
    "streams to send on to other servers: objects with stream (a name or a pattern such as live/*) and url, rtmp(s)://HOST/APP/STREAM, in which {app} and {stream} stand for the names here",
  )

/** The section `push` of the configuration. */
export const Push = z.strictObject({
  maxPushes: positive.default(256).describe("pushes at once, those that were added by the API included"),
  connectTimeoutMs: positive.default(10_000).describe("time for a target's name, TCP and TLS"),
  stepTimeoutMs: positive.default(10_000).describe("time for its answer to each of handshake, connect, publish"),
  queueMaxBytes: positive.default(8 * 1024 * 1024).describe("output that may wait for a slow target"),
  maxDelayMs: positive.default(4_000).describe("the same in time: what is later goes on with the next keyframe"),
  slowTimeoutMs: positive
    .default(10_000)
    .describe("a target that does not catch up within this time is connected anew"),
  maxRetryMs: positive.default(15_000).describe("longest pause before an attempt to reach a target that is away"),
  refusedMaxRetryMs: positive
    .default(60_000)
    .describe("the same for a target that refuses, for a wrong key for example"),
  caFile: z
    .string()
    .min(1)
    .optional()
    .describe("certificates of private authorities to trust at rtmps:// targets, PEM"),
})
