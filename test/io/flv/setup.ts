import { type IncomingMessage, request } from "node:http"
import { connect, type Socket } from "node:net"
import { pino } from "pino"
import WebSocket, { type ClientOptions } from "ws"
import type { AccessControl, SessionOutcome } from "../../../src/access/access.ts"
import type { FlvFeedLimits } from "../../../src/bridge/flv-feed.ts"
import { type FlvFileEvent, FlvFileReader } from "../../../src/flv/file-reader.ts"
import type { LiveStream } from "../../../src/hub/live-stream.ts"
import type { LaneConverters } from "../../../src/hub/stream-lanes.ts"
import { parseStreamName } from "../../../src/hub/stream-name.ts"
import { StreamRegistry } from "../../../src/hub/stream-registry.ts"
import { FlvService } from "../../../src/io/flv/flv-service.ts"
import { startHttpServer } from "../../../src/io/http-server.ts"
import { fakeApp } from "../../routes/support.ts"
import type { Scope } from "../../support/scope.ts"

/** An HTTP server on the loopback interface whose hub has the stream `live/cam1`. */
export interface FlvSetup {
  readonly port: number
  readonly stream: LiveStream
  readonly registry: StreamRegistry
  readonly log: Record<string, unknown>[]
  /** How the sessions went, by what their permissions were told. */
  readonly outcomes: SessionOutcome[]
}

/** Starts it; two viewers fill the stream. */
export async function startFlvSetup(scope: Scope, limits: Partial<FlvFeedLimits> = {}): Promise<FlvSetup> {
  const log: Record<string, unknown>[] = []
  const outcomes: SessionOutcome[] = []
  const logger = pino({ level: "debug" }, { write: (line) => log.push(JSON.parse(line)) })
  const nowMs = () => performance.now()
  const registry = new StreamRegistry(noConverters, {
    maxStreams: 10,
    maxSubscribers: 2,
    cacheMaxBytes: 1e7,
    cacheMaxMs: 30_000,
    graceMs: 5_000,
    silentTakeoverMs: 1_000,
    keyframeRequestIntervalMs: 1_000,
  })
  const access: AccessControl = {
    authorize: async () => ({ identity: undefined, ended: (outcome) => outcomes.push(outcome) }),
    permitted: async () => () => true,
    requireAdmin: async () => {},
  }
  const service = new FlvService({
    registry,
    access,
    limits: { maxQueueBytes: 1e6, maxDelayMs: 4_000, slowTimeoutMs: 10_000, ...limits },
    defaultStart: "keyframe",
    logger,
    nowMs,
    isClosing: () => false,
  })
  const { app, bugs } = fakeApp({
    playFlv: (asked) => service.play(asked),
    checkFlv: (asked) => service.check(asked),
  })
  const server = await startHttpServer({
    host: "127.0.0.1",
    port: 0,
    tls: { certFile: "", keyFile: "" },
    maxConnections: 20,
    requestTimeoutMs: 5_000,
    fetch: (asked, env) => app.fetch(asked, env),
    logger,
  })
  scope.defer(() => {
    if (bugs[0] !== undefined) throw bugs[0]
  })
  scope.defer(() => server.close(0))
  scope.defer(() => registry.close("the test is over"))
  const publisher = {
    id: "publisher",
    protocol: "rtmp",
    identity: undefined,
    lastMediaMs: 0,
    requestKeyframe: () => {},
    end: () => {},
    describe: () => {
      throw new Error("not asked for")
    },
  } as const
  const stream = registry.publish(parseStreamName("live", "cam1"), publisher, nowMs())
  return { port: server.port, stream, registry, log, outcomes }
}

/** What a viewer has got. */
export class Received {
  readonly chunks: Buffer[] = []
  readonly events: FlvFileEvent[] = []
  readonly #reader = new FlvFileReader(1e6)

  push(chunk: Buffer): void {
    this.chunks.push(chunk)
    this.#reader.push(chunk, (event) => this.events.push(event))
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }
}

/** Opens the stream by HTTP and takes all that comes. */
export async function watchHttp(
  scope: Scope,
  { port }: FlvSetup,
): Promise<{ response: IncomingMessage; received: Received; ended: Promise<boolean> }> {
  const asked = request({ port, host: "127.0.0.1", path: "/flv/live/cam1.flv", agent: false }).end()
  asked.on("error", () => {})
  scope.defer(() => asked.destroy())
  const response = await new Promise<IncomingMessage>((resolve) => asked.once("response", resolve))
  const received = new Received()
  response.on("data", (chunk) => received.push(chunk)).on("error", () => {})
  const ended = new Promise<boolean>((resolve) => response.once("close", () => resolve(response.complete)))
  return { response, received, ended }
}

/** Opens the stream as a WebSocket and takes all that comes. */
export function watchWebSocket(
  scope: Scope,
  { port }: FlvSetup,
  path = "/flv/live/cam1.flv",
  options: ClientOptions = {},
): {
  webSocket: WebSocket
  received: Received
  opened: Promise<void>
  refused: Promise<IncomingMessage>
  closed: Promise<{ code: number; reason: string }>
} {
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}${path}`, options)
  webSocket.on("error", () => {})
  scope.defer(() => webSocket.terminate())
  const received = new Received()
  webSocket.on("message", (message) => received.push(message as Buffer))
  return {
    webSocket,
    received,
    opened: new Promise((resolve) => webSocket.once("open", () => resolve())),
    refused: new Promise((resolve) => webSocket.once("unexpected-response", (_, response) => resolve(response))),
    closed: new Promise((resolve) =>
      webSocket.once("close", (code, reason) => resolve({ code, reason: reason.toString() })),
    ),
  }
}

/** A bare connection with a request on it, from which nothing is read until `resume`. */
export function openRaw(scope: Scope, { port }: FlvSetup, head: readonly string[]): Socket {
  const socket = connect(port, "127.0.0.1")
  socket.on("error", () => {})
  scope.defer(() => socket.destroy())
  socket.write(`${[...head, "Host: gateway"].join("\r\n")}\r\n\r\n`)
  return socket
}

function noConverters(): LaneConverters {
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
