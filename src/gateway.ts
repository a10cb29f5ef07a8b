import type { IncomingMessage } from "node:http"
import { createApp } from "../routes/app.ts"
import type { Connection } from "../routes/client.ts"
import { RateLimiter } from "./access/rate-limit.ts"
import { wakingAccess } from "./access/waking-access.ts"
import { createAppServices } from "./app-services.ts"
import { createLaneConverters } from "./bridge/lane-converters.ts"
import { type Config, type ConfigInput, parseConfig } from "./config.ts"
import { GatewayMetrics } from "./gateway-metrics.ts"
import type { StreamName } from "./hub/stream-name.ts"
import { StreamRegistry } from "./hub/stream-registry.ts"
import { createAccess } from "./io/access/create-access.ts"
import { WasmTranscoders } from "./io/audio/wasm-transcoders.ts"
import { FlvService } from "./io/flv/flv-service.ts"
import { startHttpServer } from "./io/http-server.ts"
import { createLogger, type Logger } from "./io/log.ts"
import { MiniSdpServer } from "./io/minisdp/server.ts"
import { Pulls } from "./io/pull/pulls.ts"
import { PushManager } from "./io/push/push-manager.ts"
import { NODE_FILES } from "./io/recording/files.ts"
import { Recordings } from "./io/recording/recordings.ts"
import { readCaFile } from "./io/rtmp/ca-file.ts"
import { connectRtmp } from "./io/rtmp/client.ts"
import { startRtmpServer } from "./io/rtmp/server.ts"
import { VideoPolicies } from "./io/video/video-policies.ts"
import { chooseFanout } from "./io/webrtc/choose-fanout.ts"
import { resolvePublicAddresses } from "./io/webrtc/public-addresses.ts"
import { reportReachability } from "./io/webrtc/self-test.ts"
import { WebRtcTransport } from "./io/webrtc/transport.ts"
import { WebRtcService } from "./io/webrtc/webrtc-service.ts"
import { FULL_DICTIONARY, PAGE_DICTIONARY, prepareDictionary } from "./minisdp/lossless/sdp.ts"
import { createSessionOpener } from "./session-opener.ts"

/** A running gateway. */
export interface Gateway {
  /** Where it is reached, with the ports that were really taken. */
  readonly urls: { readonly http: string; readonly rtmp: string; readonly rtmps?: string }
  readonly ports: { readonly http: number; readonly rtmp: number; readonly rtmps?: number; readonly media: number }
  /** Takes no new sessions, tells all peers, and ends what is left within the configured time. */
  close(): Promise<void>
}

/** What an embedding program may bring along. */
export interface GatewayDependencies {
  readonly logger?: Logger
}

/**
 * Starts a gateway; programs can embed it. Every part of the configuration may be left out. Throws `config.invalid` and
 * `listen.failed`; after a failed start nothing is left open.
 */
export async function createGateway(input: ConfigInput = {}, dependencies: GatewayDependencies = {}): Promise<Gateway> {
  const config = parseConfig(input)
  const logger = dependencies.logger ?? createLogger(config.log)
  const open: Closeable[] = []
  try {
    return await start(config, logger, open)
  } catch (error) {
    for (const part of open.reverse()) await part.close(0)
    throw error
  }
}

interface Closeable {
  close(timeoutMs: number): Promise<void>
}

async function start(config: Config, logger: Logger, open: Closeable[]): Promise<Gateway> {
  const startedAtMs = performance.now()
  const nowMs = () => performance.now() - startedAtMs
  const onBug = (error: unknown) => logger.error({ err: error }, "a bug in the gateway; only its session ends")
  let isClosing = false
  for (const dictionary of [FULL_DICTIONARY, PAGE_DICTIONARY] as const) prepareDictionary(dictionary) // else the first offer holds up everybody's media

  const transcoders = new WasmTranscoders({ maxPendingFrames: MAX_PENDING_AUDIO_FRAMES })
  open.push(transcoders)
  const videoPolicies = new VideoPolicies(config.video, logger)
  open.push(videoPolicies)
  const registry = new StreamRegistry(
    (stream) => {
      const onAudioError = (error: Error) =>
        logger.warn({ stream, reason: error.message }, "sound was lost in transcoding")
      const video = videoPolicies.of(stream, () => registry.get(stream)?.needsPicturesInOrder === true)
      return createLaneConverters({ transcoders, ...config.audio, onAudioError, video })
    },
    config.hub,
    onBug,
  )
  let pushes: PushManager | undefined
  const sweep = setInterval(() => {
    registry.sweep(nowMs())
    pushes?.sweep(nowMs())
  }, SWEEP_INTERVAL_MS)
  open.push({ close: async () => clearInterval(sweep) })

  let miniSdp: MiniSdpServer | undefined
  const fanoutChoice = chooseFanout(config.media.fanout, logger)
  const transport = await WebRtcTransport.listen({
    ...config.media,
    openSocket: fanoutChoice.openSocket,
    profiles: fanoutChoice.profiles,
    openAead: fanoutChoice.openAead,
    ...(config.minisdp.enabled && {
      miniSdp: (datagram, source) => miniSdp?.push(datagram, source),
      earlyDtls: (datagram, source) => miniSdp?.keepDtls(datagram, source) === true,
    }),
    hosts: config.media.host,
    publicAddresses: await resolvePublicAddresses(config.media.publicAddresses),
    onBug,
  })
  open.push({ close: () => transport.close("the gateway is closing") })
  const fanout = fanoutChoice.create(transport)
  open.push({ close: async () => fanout.close() })
  const webrtc = new WebRtcService({ ...config.media, transport, fanout, registry, logger, nowMs, onBug })

  const permissions = createAccess(config.access, logger)
  open.push({ close: () => permissions.close() })
  const { maxMessageBytes } = config.rtmp
  const { openAead } = fanoutChoice
  const pullParts = { identity: transport.identity, openAead, registry, logger, nowMs, onBug, maxMessageBytes }
  const pulls = new Pulls(config.pulls, { ...config, ...pullParts })
  open.push({ close: async () => pulls.close("the gateway is closing") })
  const access = wakingAccess(permissions, pulls.demand)
  const recordings = new Recordings({ ...config.recordings, registry, files: NODE_FILES, logger, nowMs, onBug })
  open.push(recordings)
  const onRecordRequested = (stream: StreamName) => recordings.wish(stream)
  const rtmp = await startRtmpServer(config.rtmp, { registry, access, logger, nowMs, onRecordRequested })
  open.push(rtmp)
  const { maxPushes, caFile, queueMaxBytes: maxQueueBytes, ...pushLimits } = config.push
  const ca = caFile === undefined ? undefined : readCaFile("push.caFile", caFile)
  pushes = new PushManager({
    pushes: config.pushes,
    maxPushes,
    limits: { ...pushLimits, maxQueueBytes, ca },
    messages: rtmp.messages,
    ownPorts: [rtmp.port, ...(rtmp.tlsPort === undefined ? [] : [rtmp.tlsPort])],
    connect: connectRtmp,
    random: Math.random,
    registry,
    logger,
    nowMs,
  })
  const metrics = new GatewayMetrics({ registry, pulls, pushes, recordings, nowMs })
  open.push({ close: async () => metrics.close() })

  const openSession = createSessionOpener({ webrtc, access, logger, nowMs, isClosing: () => isClosing })
  miniSdp = new MiniSdpServer({ ...config.minisdp, transport, webrtc, open: openSession, nowMs, onBug })
  const { requestsPerSecond: perSecond, requestBurst: burst } = config.http
  const rateLimiter = new RateLimiter({ perSecond, burst, maxSources: MAX_RATE_LIMITED_SOURCES })
  const countRequest = (remoteAddress: string) => {
    const decision = rateLimiter.take(remoteAddress, nowMs())
    return decision.ok ? undefined : decision.retryAfterMs
  }
  const flv = new FlvService({
    registry,
    access,
    limits: {
      maxQueueBytes: config.rtmp.readerQueueMaxBytes,
      maxDelayMs: config.rtmp.readerMaxDelayMs,
      slowTimeoutMs: config.rtmp.readerSlowTimeoutMs,
    },
    defaultStart: config.rtmp.readerStart,
    logger,
    nowMs,
    isClosing: () => isClosing,
  })
  const services = createAppServices({
    config,
    registry,
    pulls,
    recordings,
    pushes,
    metrics,
    webrtc,
    access,
    flv,
    open: openSession,
    rtmpPort: rtmp.port,
    rtmpsPort: rtmp.tlsPort,
    nowMs,
    isClosing: () => isClosing,
  })
  const app = createApp(services, { ...config.http, onBug, connection, countRequest })
  const http = await startHttpServer({ ...config.http, logger, fetch: (request, env) => app.fetch(request, env) })
  open.push(http)
  pulls.start()
  void reportReachability(transport, logger)

  const rtmpHost = reachableHost(config.rtmp.host)
  return {
    urls: {
      http: config.http.publicUrl || `${http.protocol}://${reachableHost(config.http.host)}:${http.port}`,
      rtmp: `rtmp://${rtmpHost}:${rtmp.port}`,
      ...(rtmp.tlsPort !== undefined && { rtmps: `rtmps://${rtmpHost}:${rtmp.tlsPort}` }),
    },
    ports: {
      http: http.port,
      rtmp: rtmp.port,
      ...(rtmp.tlsPort !== undefined && { rtmps: rtmp.tlsPort }),
      media: transport.port,
    },
    close: once(async () => {
      isClosing = true
      const { timeoutMs } = config.shutdown
      await rtmp.handOver(timeoutMs / 2)
      clearInterval(sweep)
      pulls.close("the gateway is closing")
      pushes.close("the gateway is closing")
      metrics.close()
      const rtmpClosed = rtmp.close(timeoutMs)
      registry.close("the gateway is closing")
      await Promise.all([
        recordings.close(timeoutMs),
        http.close(timeoutMs),
        rtmpClosed,
        transport.close("the gateway is closing"),
      ])
      fanout.close()
      await Promise.all([permissions.close(), transcoders.close(), videoPolicies.close()])
    }),
  }
}

/** Runs an action at the first call; every call waits for its end. */
function once(action: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  return () => {
    running ??= action()
    return running
  }
}

/** The connection that a request came by; `env` holds Node's request under hono's Node server. */
function connection(env: unknown): Connection {
  const socket = (env as { incoming?: IncomingMessage } | undefined)?.incoming?.socket
  return { localAddress: socket?.localAddress, remoteAddress: socket?.remoteAddress }
}

/** What to write into a URL for people at this machine. */
function reachableHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "localhost"
  return host.includes(":") ? `[${host}]` : host
}

const MAX_RATE_LIMITED_SOURCES = 10_000
const SWEEP_INTERVAL_MS = 250

/** A new reader's sound begins with all that is cached, handed over at once: half a minute of 20 ms packets. */
const MAX_PENDING_AUDIO_FRAMES = 2_000
