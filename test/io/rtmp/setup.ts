import { pino } from "pino"
import type { AccessControl } from "../../../src/access/access.ts"
import type { LaneConverters } from "../../../src/hub/stream-lanes.ts"
import { StreamRegistry } from "../../../src/hub/stream-registry.ts"
import { type RtmpServer, type RtmpServerConfig, startRtmpServer } from "../../../src/io/rtmp/server.ts"
import { OPEN_ACCESS } from "../../support/open-access.ts"
import type { Scope } from "../../support/scope.ts"

/** An RTMP server on the loopback interface with a hub of its own, and its log by line. */
export interface RtmpSetup {
  readonly server: RtmpServer
  readonly registry: StreamRegistry
  readonly log: Record<string, unknown>[]
  /** Address of a stream in the application `live`. */
  url(stream: string): string
}

/** Starts a server that bridges nothing: lanes are not derived from one another. It ends with the scope. */
export async function startRtmpSetup(
  scope: Scope,
  config: Partial<RtmpServerConfig> = {},
  access: AccessControl = OPEN_ACCESS,
): Promise<RtmpSetup> {
  const log: Record<string, unknown>[] = []
  const logger = pino({ level: "debug" }, { write: (line) => log.push(JSON.parse(line)) })
  const bounds = {
    maxStreams: 10,
    maxSubscribers: 2,
    cacheMaxBytes: 1e7,
    cacheMaxMs: 30_000,
    graceMs: 5_000,
    silentTakeoverMs: 1_000,
  }
  const registry = new StreamRegistry(noConverters, { ...bounds, keyframeRequestIntervalMs: 1_000 })
  const server = await startRtmpServer(
    {
      host: "127.0.0.1",
      port: 0,
      tls: { port: 0, certFile: "", keyFile: "" },
      maxConnections: 20,
      connectionsPerSecond: 100,
      connectionBurst: 100,
      setupTimeoutMs: 5_000,
      readerStart: "live",
      idleTimeoutMs: 30_000,
      pingIntervalMs: 15_000,
      pingTimeoutMs: 15_000,
      reconnectUrl: "",
      maxMessageBytes: 1e6,
      readerQueueMaxBytes: 1e6,
      readerMaxDelayMs: 4_000,
      readerSlowTimeoutMs: 10_000,
      ...config,
    },
    { registry, access, logger, nowMs: () => performance.now() },
  )
  scope.defer(() => server.close(0))
  return { server, registry, log, url: (stream) => `rtmp://127.0.0.1:${server.port}/live/${stream}` }
}

/** Converters that make nothing. */
export function noConverters(): LaneConverters {
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
