import type { Socket } from "node:net"
import type { AccessControl } from "../../access/access.ts"
import type { FlvStart } from "../../bridge/flv-replay.ts"
import type { StreamName } from "../../hub/stream-name.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import { RTMP_SERVER_DEFAULTS } from "../../rtmp/server-options.ts"
import { FlvBroadcasts } from "../flv-broadcast.ts"
import type { Logger } from "../log.ts"
import { type ConnectionContext, RtmpConnection } from "./connection.ts"
import { ConnectionGate, type GateLimits } from "./connection-gate.ts"
import { listenRtmp, type RtmpListener, type RtmpsOptions } from "./listener.ts"
import { RtmpMessageCache } from "./message-cache.ts"

/** Where the RTMP server listens, its limits, and what it works with. */
export interface RtmpServerConfig extends GateLimits {
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  /** RTMPS; with empty names there is none. */
  readonly tls: RtmpsOptions & { readonly port: number }
  readonly setupTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
  /** Where `handOver` sends peers to, `rtmp://HOST:PORT`; empty for nowhere. */
  readonly reconnectUrl: string
  readonly maxMessageBytes: number
  readonly readerQueueMaxBytes: number
  readonly readerMaxDelayMs: number
  readonly readerSlowTimeoutMs: number
  /** Where a player begins that does not say it. */
  readonly readerStart: FlvStart
}

/** What the RTMP server works with. */
export interface RtmpServerDependencies {
  readonly registry: StreamRegistry
  readonly access: AccessControl
  readonly logger: Logger
  /** The gateway's clock, the one that the hub's times are of. */
  readonly nowMs: () => number
  /** A publisher has begun that wants its stream to be recorded. */
  readonly onRecordRequested?: (stream: StreamName) => void
}

/** A listening RTMP server. */
export interface RtmpServer {
  readonly port: number
  /** The port of RTMPS, undefined where it is off. */
  readonly tlsPort: number | undefined
  /** What its readers get, for others to send the same. */
  readonly messages: RtmpMessageCache
  /** Takes no new connections, asks peers that can to go on at `reconnectUrl`, and waits until they have gone or the time is over. */
  handOver(timeoutMs: number): Promise<void>
  /** Takes no new connections, tells all peers, and cuts what is left when the time is over. */
  close(timeoutMs: number): Promise<void>
}

/** Starts the server for RTMP, and for RTMPS where there is a certificate. Throws `listen.failed` and `config.invalid`. */
export async function startRtmpServer(
  config: RtmpServerConfig,
  dependencies: RtmpServerDependencies,
): Promise<RtmpServer> {
  const sessionOptions = {
    ...RTMP_SERVER_DEFAULTS,
    maxMessageBytes: config.maxMessageBytes,
    maxPendingBytes: config.maxMessageBytes + RTMP_SERVER_DEFAULTS.maxPendingBytes,
    commandTimeoutMs: config.setupTimeoutMs,
    idleTimeoutMs: config.idleTimeoutMs,
    pingIntervalMs: config.pingIntervalMs,
    pingTimeoutMs: config.pingTimeoutMs,
  }
  const gate = new ConnectionGate(config, dependencies)
  const context: ConnectionContext = {
    ...dependencies,
    sessionOptions,
    gate,
    messages: new RtmpMessageCache(sessionOptions.chunkSizeBytes),
    broadcasts: new FlvBroadcasts(dependencies.nowMs),
    readerLimits: {
      maxQueueBytes: config.readerQueueMaxBytes,
      maxDelayMs: config.readerMaxDelayMs,
      slowTimeoutMs: config.readerSlowTimeoutMs,
    },
    readerStart: config.readerStart,
  }
  const connections = new Set<RtmpConnection>()
  const onConnection = (socket: Socket) => {
    const connection = new RtmpConnection(socket, context)
    connections.add(connection)
    socket.once("close", () => connections.delete(connection))
  }
  const { host, tls, setupTimeoutMs, reconnectUrl } = config
  const common = {
    host,
    setupTimeoutMs,
    onConnection,
    logger: dependencies.logger,
    admit: (socket: Socket) => gate.admit(socket),
  }
  const listeners: RtmpListener[] = []
  const stopListening = () => Promise.all(listeners.map((listener) => listener.close()))
  try {
    listeners.push(await listenRtmp({ ...common, port: config.port, tls: undefined }))
    if (tls.certFile !== "") listeners.push(await listenRtmp({ ...common, port: tls.port, tls }))
  } catch (error) {
    await stopListening()
    throw error
  }
  const [{ port }, tlsListener] = listeners as [RtmpListener, RtmpListener | undefined]
  return { port, tlsPort: tlsListener?.port, messages: context.messages, handOver, close }

  async function handOver(timeoutMs: number): Promise<void> {
    if (reconnectUrl === "") return
    void stopListening()
    const asked = [...connections].filter((connection) => connection.requestReconnect(reconnectUrl))
    const timeout = AbortSignal.timeout(timeoutMs)
    await Promise.race([
      Promise.all(asked.map(({ closed }) => closed)),
      new Promise((resolve) => timeout.addEventListener("abort", resolve, { once: true })),
    ])
  }

  async function close(timeoutMs: number): Promise<void> {
    const cut = setTimeout(() => {
      for (const connection of [...connections]) connection.destroy()
    }, timeoutMs)
    const stopped = stopListening()
    for (const connection of [...connections]) connection.end("the gateway is closing")
    await stopped
    clearTimeout(cut)
  }
}
