import { type Logger, pino } from "pino"
import type { LiveStream } from "../../../src/hub/live-stream.ts"
import type { PublisherSession } from "../../../src/hub/session.ts"
import { parseStreamName, type StreamName } from "../../../src/hub/stream-name.ts"
import { StreamRegistry } from "../../../src/hub/stream-registry.ts"
import type { FlvSourceOptions } from "../../../src/io/pull/flv-session.ts"
import type { PullAttempt } from "../../../src/io/pull/pull-source.ts"
import type { VideoFrame } from "../../../src/media/frame.ts"
import { hex } from "../../support/bytes.ts"

/** The name under which the tests' pulls publish. */
export const NAME: StreamName = parseStreamName("live", "cam1")

/** A hub that streams are pulled into, and all that a source needs. */
export interface EdgeSetup {
  readonly registry: StreamRegistry
  readonly options: FlvSourceOptions
  readonly logger: Logger
  /** All that was logged, as one text. */
  log(): string
  attempt(): PullAttempt & { readonly end: (reason: string) => void; readonly isLive: () => boolean }
}

/** Sets up a hub that bridges nothing. */
export function edgeSetup(options: Partial<FlvSourceOptions> = {}): EdgeSetup {
  const lines: string[] = []
  const logger = pino({ level: "debug" }, { write: (line) => lines.push(line) })
  const registry = new StreamRegistry(noConverters, {
    maxStreams: 10,
    maxSubscribers: 10,
    cacheMaxBytes: 1e7,
    cacheMaxMs: 30_000,
    graceMs: 5_000,
    silentTakeoverMs: 1_000,
    keyframeRequestIntervalMs: 1_000,
  })
  return {
    registry,
    logger,
    options: {
      registry,
      nowMs: () => performance.now(),
      connectTimeoutMs: 3_000,
      silenceTimeoutMs: 3_000,
      maxMessageBytes: 1e6,
      ...options,
    },
    log: () => lines.join("\n"),
    attempt: () => {
      const closing = new AbortController()
      let isLive = false
      return {
        name: NAME,
        grant: { identity: "pull 1", ended: () => {} },
        logger,
        signal: closing.signal,
        onLive: () => {
          isLive = true
        },
        end: (reason) => closing.abort(reason),
        isLive: () => isLive,
      }
    },
  }
}

/** A publisher that lives in the test. */
export function publisher(nowMs = performance.now()): PublisherSession {
  return {
    id: "publisher",
    protocol: "rtmp",
    identity: "publisher",
    lastMediaMs: nowMs,
    requestKeyframe: () => {},
    end: () => {},
    describe: () => {
      throw new Error("not asked for")
    },
  }
}

/** A keyframe of an H.264 stream. */
export function picture(ptsUs: number): VideoFrame {
  return { track: H264, dtsUs: ptsUs, ptsUs, isKeyframe: true, units: [hex("6588")] }
}

/** Pictures of a stream so far, as their times. */
export function pictureTimes(stream: LiveStream | undefined): number[] {
  return stream?.lanes.videoFrames.cached.map(({ ptsUs }) => ptsUs) ?? []
}

const H264 = {
  kind: "video",
  codec: "h264",
  sps: [hex("6742c01ed9008011000003000100000300328f162e48")],
  pps: [hex("68cb8cb2")],
  widthPx: 16,
  heightPx: 16,
} as const

function noConverters() {
  const none = () => ({ push: () => {}, close: () => {} })
  return {
    videoFramesToPackets: none,
    videoPacketsToFrames: none,
    opusFramesToPackets: none,
    opusPacketsToFrames: none,
    aacToOpus: none,
    opusToAac: none,
  }
}
