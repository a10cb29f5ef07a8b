import { type AddressInfo, createServer } from "node:net"
import type { AccessControl } from "../../access/access.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import { RTMP_SERVER_DEFAULTS } from "../../rtmp/server-options.ts"
import { FlvBroadcasts } from "../flv-broadcast.ts"
import { listenError } from "../http-server.ts"
import type { Logger } from "../log.ts"
import { type ConnectionContext, RtmpConnection } from "./connection.ts"
import { RtmpMessageCache } from "./message-cache.ts"

/** Where the RTMP server listens, its limits, and what it works with. */
export interface RtmpServerConfig {
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  readonly maxConnections: number
  readonly setupTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly maxMessageBytes: number
  readonly readerQueueMaxBytes: number
  readonly readerMaxDelayMs: number
  readonly readerSlowTimeoutMs: number
}

/** What the RTMP server works with. */
export interface RtmpServerDependencies {
  readonly registry: StreamRegistry
  readonly access: AccessControl
  readonly logger: Logger
  /** The gateway's clock, the one that the hub's times are of. */
  readonly nowMs: () => number
}

/** A listening RTMP server. */
export interface RtmpServer {
  readonly port: number
  /** What its readers get, for others to send the same. */
  readonly messages: RtmpMessageCache
  /** Takes no new connections, tells all peers, and cuts what is left when the time is over. */
  close(timeoutMs: number): Promise<void>
}

/** Starts the RTMP server. Throws `listen.failed`. */
export function startRtmpServer(config: RtmpServerConfig, dependencies: RtmpServerDependencies): Promise<RtmpServer> {
  const sessionOptions = {
    ...RTMP_SERVER_DEFAULTS,
    maxMessageBytes: config.maxMessageBytes,
    maxPendingBytes: config.maxMessageBytes + RTMP_SERVER_DEFAULTS.maxPendingBytes,
    commandTimeoutMs: config.setupTimeoutMs,
    idleTimeoutMs: config.idleTimeoutMs,
  }
  const context: ConnectionContext = {
    ...dependencies,
    sessionOptions,
    messages: new RtmpMessageCache(sessionOptions.chunkSizeBytes),
    broadcasts: new FlvBroadcasts(dependencies.nowMs),
    readerLimits: {
      maxQueueBytes: config.readerQueueMaxBytes,
      maxDelayMs: config.readerMaxDelayMs,
      slowTimeoutMs: config.readerSlowTimeoutMs,
    },
  }
  const connections = new Set<RtmpConnection>()
  const countRefusal = refusalCounter(dependencies)
  const server = createServer((socket) => {
    if (connections.size >= config.maxConnections) {
      countRefusal()
      socket.on("error", () => {}) // it is gone either way
      socket.destroy()
      return
    }
    const connection = new RtmpConnection(socket, context)
    connections.add(connection)
    socket.once("close", () => connections.delete(connection))
  })
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => reject(listenError("RTMP", config.host, config.port, cause)))
    server.listen(config.port, config.host, () => {
      resolve({ port: (server.address() as AddressInfo).port, messages: context.messages, close })
    })
  })

  function close(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cut = setTimeout(() => {
        for (const connection of [...connections]) connection.destroy()
      }, timeoutMs)
      server.close(() => {
        clearTimeout(cut)
        resolve()
      })
      for (const connection of [...connections]) connection.end("the gateway is closing")
    })
  }
}

/** Logs refused connections, at most one line a second. */
function refusalCounter({ logger, nowMs }: RtmpServerDependencies): () => void {
  let refused = 0
  let loggedAtMs = Number.NEGATIVE_INFINITY
  return () => {
    refused++
    if (nowMs() - loggedAtMs < 1_000) return
    logger.warn({ protocol: "rtmp", code: "session.limit", refused }, "RTMP connections refused: there are too many")
    loggedAtMs = nowMs()
    refused = 0
  }
}
