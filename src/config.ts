import { z } from "zod"
import { Access } from "./config-access.ts"
import { Http } from "./config-http.ts"
import { iceServerList, listenHosts, publicAddressList } from "./config-media.ts"
import { MiniSdp } from "./config-minisdp.ts"
import { PullSettings, Pulls } from "./config-pulls.ts"
import { Push, Pushes } from "./config-pushes.ts"
import { Recordings } from "./config-recording.ts"
import { Rtmp } from "./config-rtmp.ts"
import { flag, listOf, positive } from "./config-values.ts"
import { Video } from "./config-video.ts"
import { GatewayError } from "./errors.ts"
import { VIDEO_CODECS } from "./media/codec.ts"

const port = z.coerce.number().int().min(0).max(65_535) // 0 asks the system for a free port; tests use it
const bitrateBps = z.coerce.number().int().min(16_000).max(510_000)

const videoCodecList = listOf(z.array(z.enum(VIDEO_CODECS)).min(1))

const Media = z.strictObject({
  host: listenHosts.default(["0.0.0.0", "::"]).describe("addresses that WebRTC media listens on, one of each family"),
  port: port.default(8000).describe("port of all WebRTC media, UDP and TCP"),
  tcp: flag.default(true).describe("media by TCP for peers that UDP does not reach"),
  tcpQueueMaxBytes: positive.default(512 * 1024).describe("output that may wait for a slow peer on TCP"),
  fanout: z
    .enum(["auto", "native", "typescript"])
    .default("auto")
    .describe("what encrypts and sends to viewers: native threads, or TypeScript where those cannot be compiled"),
  publicAddresses: publicAddressList
    .default([])
    .describe("addresses or DNS names to announce to WebRTC peers, best first; needed behind NAT"),
  iceServers: iceServerList
    .default([])
    .describe("STUN and TURN servers for clients: urls, and username and credential, or secret and ttlSeconds"),
  videoCodecs: videoCodecList
    .default([...VIDEO_CODECS])
    .describe("video codecs that WHIP publishers may send, best first"),
  maxSessions: positive.default(2_000).describe("WHIP and WHEP sessions at once"),
  connectTimeoutMs: positive.default(15_000).describe("time from the answer to media"),
  idleTimeoutMs: positive.default(10_000).describe("a WebRTC peer that is silent for so long is ended"),
  maxBitrateBps: positive.default(12_000_000).describe("bitrate that WHIP publishers are told they may send"),
  startBitrateBps: positive
    .default(5_000_000)
    .describe("what a viewer's link is taken to carry until it reports, for the choice of a simulcast layer"),
  keyframeIntervalMs: positive.default(4_000).describe("WHIP publishers are asked for a keyframe when theirs is older"),
  catchUpBitrateBps: positive
    .default(50_000_000)
    .describe("how fast a new viewer gets the pictures since the keyframe at most, where its link takes it"),
})

const Hub = z.strictObject({
  maxStreams: positive.default(1_000).describe("live streams at once"),
  maxSubscribers: positive.default(2_000).describe("viewers and readers of one stream"),
  cacheMaxBytes: positive.default(32 * 1024 * 1024).describe("what is kept of each stream since its last keyframe"),
  cacheMaxMs: positive.default(30_000).describe("the same, in time"),
  keyframeRequestIntervalMs: positive.default(1_000).describe("publishers are asked for a keyframe at most so often"),
  graceMs: z.coerce
    .number()
    .int()
    .min(0)
    .default(5_000)
    .describe("a stream waits so long for a publisher that lost its connection; 0: not at all"),
  silentTakeoverMs: positive
    .default(1_000)
    .describe("a publisher without token that is silent for so long may be replaced by another without token"),
})

const Audio = z.strictObject({
  opusBitrateBps: bitrateBps.default(96_000).describe("bitrate of Opus made from AAC"),
  aacBitrateBps: bitrateBps.default(128_000).describe("bitrate of AAC made from Opus"),
})

const Log = z.strictObject({
  level: z
    .enum(["debug", "info", "warn", "error", "silent"])
    .default("info")
    .describe("least severe lines that are written"),
  format: z
    .enum(["auto", "text", "json"])
    .default("auto")
    .describe("text for people, json for collectors; auto: text on a terminal"),
})

const Shutdown = z.strictObject({
  timeoutMs: positive.default(5_000).describe("time that SIGTERM gives to sessions before they are cut"),
})

/** The whole configuration; every key has a default. */
export const Config = z.strictObject({
  http: Http.prefault({}),
  rtmp: Rtmp.prefault({}),
  media: Media.prefault({}),
  hub: Hub.prefault({}),
  access: Access.prefault({}),
  audio: Audio.prefault({}),
  video: Video.prefault({}),
  minisdp: MiniSdp.prefault({}),
  pull: PullSettings.prefault({}),
  pulls: Pulls,
  recordings: Recordings.prefault({}),
  pushes: Pushes,
  push: Push.prefault({}),
  log: Log.prefault({}),
  shutdown: Shutdown.prefault({}),
})
/** A checked configuration. */
export type Config = z.infer<typeof Config>
/** What a user may give: any part of it. */
export type ConfigInput = z.input<typeof Config>

/** Checks a configuration and fills in the defaults. Throws `config.invalid`, which names each wrong key. */
export function parseConfig(input: unknown): Config {
  const result = Config.safeParse(input)
  if (!result.success) {
    throw new GatewayError("config.invalid", `the configuration is not valid:\n${z.prettifyError(result.error)}`)
  }
  return result.data
}

/**
 * Merges the layers of a configuration; later wins: defaults, the file's content, then variables such as
 * `WHIPSTITCH_RTMP__IDLE_TIMEOUT_MS=5000`. Unknown keys are errors in both. Throws `config.invalid`.
 */
export function loadConfig(file: unknown, env: Readonly<Record<string, string | undefined>>): Config {
  if (typeof file !== "object" || file === null || Array.isArray(file)) {
    throw new GatewayError("config.invalid", "the configuration file must hold one JSON object")
  }
  let input: object = file
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(ENV_PREFIX) || value === undefined || value === "") continue
    const path = name.slice(ENV_PREFIX.length).toLowerCase().split("__").map(camelCase)
    const isList = path[0] === "pulls" || path[0] === "pushes"
    if (path.length < (isList ? 1 : 2) || path.includes("")) {
      throw new GatewayError("config.invalid", `${name}: name a section and a key, as in ${ENV_PREFIX}RTMP__PORT`)
    }
    input = withValueAt(input, path, value)
  }
  return parseConfig(input)
}

/** A copy of an object in which the value stands at the path; the rest is shared with the original. */
function withValueAt(object: object, [key = "", ...rest]: readonly string[], value: string): object {
  const before = (object as Record<string, unknown>)[key]
  const inner = typeof before === "object" && before !== null ? before : {}
  return { ...object, [key]: rest.length === 0 ? value : withValueAt(inner, rest, value) }
}

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}

const ENV_PREFIX = "WHIPSTITCH_"
