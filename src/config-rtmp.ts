import { z } from "zod"
import { positive } from "./config-values.ts"

/** The section `rtmp` of the configuration. */
export const Rtmp = z.strictObject({
  host: z.string().min(1).default("0.0.0.0").describe("address that the RTMP server listens on"),
  port: z.coerce.number().int().min(0).max(65_535).default(1935).describe("TCP port of RTMP"),
  maxConnections: positive.default(2_000).describe("connections at once, publishers and readers"),
  setupTimeoutMs: positive.default(10_000).describe("time for handshake and commands until publish or play"),
  idleTimeoutMs: positive.default(30_000).describe("a publisher that sends nothing for so long is ended"),
  maxMessageBytes: positive.default(8 * 1024 * 1024).describe("largest message, for example one keyframe"),
  readerQueueMaxBytes: positive.default(8 * 1024 * 1024).describe("output that may wait for a slow reader"),
  readerMaxDelayMs: positive
    .default(4_000)
    .describe("the same in time: a reader that is later goes on with the next keyframe"),
  readerSlowTimeoutMs: positive.default(10_000).describe("a reader that does not catch up within this time is ended"),
})
