import { z } from "zod"
import { BOTH_TLS_FILES, positive, tlsFileKeys } from "./config-values.ts"

const port = z.coerce.number().int().min(0).max(65_535)

const serverUrl = z
  .union([
    z.literal(""),
    z
      .string()
      .regex(
        /^rtmps?:\/\/([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?\/?$/,
        "must be rtmp://HOST[:PORT] or rtmps://HOST[:PORT]",
      ),
  ])
  .transform((text) => text.replace(/\/$/, ""))

const Tls = z
  .strictObject({
    port: port.default(1936).describe("TCP port of RTMPS, that is RTMP in TLS"),
    ...tlsFileKeys("RTMPS"),
    maxVersion: z
      .enum(["TLSv1.2", "TLSv1.3"])
      .default("TLSv1.3")
      .describe("newest version of TLS; rtmpdump and others with librtmp and GnuTLS fail with 1.3"),
  })
  .refine(...BOTH_TLS_FILES)

/** The section `rtmp` of the configuration. */
export const Rtmp = z.strictObject({
  host: z.string().min(1).default("0.0.0.0").describe("address that the RTMP server listens on"),
  port: port.default(1935).describe("TCP port of RTMP"),
  tls: Tls.prefault({}),
  maxConnections: positive.default(2_000).describe("connections at once, publishers and readers, RTMP and RTMPS"),
  connectionsPerSecond: positive
    .default(100)
    .describe("connections, and requests to publish or play, that one address may make, on average"),
  connectionBurst: positive.default(2_000).describe("the same, at once after a pause"),
  setupTimeoutMs: positive.default(10_000).describe("time for handshake and commands until publish or play"),
  idleTimeoutMs: positive.default(30_000).describe("a publisher that sends nothing for so long is ended"),
  pingIntervalMs: positive
    .default(30_000)
    .describe("a peer that sends nothing for so long is asked whether it is there"),
  pingTimeoutMs: positive.default(30_000).describe("time for a peer to answer that, else it is ended"),
  maxMessageBytes: positive.default(8 * 1024 * 1024).describe("largest message, for example one keyframe"),
  readerQueueMaxBytes: positive
    .default(8 * 1024 * 1024)
    .describe("output that may wait for a slow reader, by RTMP or HTTP-FLV"),
  readerMaxDelayMs: positive
    .default(4_000)
    .describe("the same in time: a reader that is later goes on with the next keyframe"),
  readerSlowTimeoutMs: positive.default(10_000).describe("a reader that does not catch up within this time is ended"),
  readerStart: z
    .enum(["live", "keyframe"])
    .default("live")
    .describe(
      "where players by RTMP and HTTP-FLV begin that do not say ?start=: live, or the last keyframe, and then as late as that is old",
    ),
  reconnectUrl: serverUrl
    .default("")
    .describe("another server, rtmp://HOST:PORT: when this one closes, peers that can are asked to go there"),
})
