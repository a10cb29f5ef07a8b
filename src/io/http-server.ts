import type { IncomingMessage, Server, ServerResponse } from "node:http"
import { createServer as createTlsServer, type Server as TlsServer } from "node:https"
import { serve } from "@hono/node-server"
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response"
import { listenError } from "./listen-error.ts"
import { type LiveBindings, sendLive } from "./live-body.ts"
import type { Logger } from "./log.ts"
import { MIN_TLS_VERSION, readTlsFiles, renewCertificates, type TlsFiles } from "./tls-files.ts"
import { WebSocketUpgrades, wantsWebSocket } from "./websocket.ts"

/** What the HTTP server serves and where. */
export interface HttpServerOptions {
  readonly host: string
  readonly port: number
  /** With empty names the server speaks plain HTTP. */
  readonly tls: TlsFiles
  readonly maxConnections: number
  /** Time for a client to send all of its request, and for a TLS handshake. */
  readonly requestTimeoutMs: number
  /** `env` tells of the connection, as hono's Node server gives it. */
  readonly fetch: (request: Request, env: object) => Response | Promise<Response>
  readonly logger: Logger
}

/** A listening HTTP server. */
export interface HttpServer {
  readonly port: number
  readonly protocol: "http" | "https"
  /** Takes no new requests, lets those under way end, and cuts what is left when the time is over. */
  close(timeoutMs: number): Promise<void>
}

/** Starts the HTTP or HTTPS server. Throws `listen.failed`, and `config.invalid` for a certificate that is none. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host, port, tls, maxConnections, requestTimeoutMs, fetch } = options
  const credentials = tls.certFile === "" ? undefined : readTlsFiles("http.tls", tls)
  const limits = {
    headersTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(requestTimeoutMs, CHECK_INTERVAL_MS),
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Other protocols, such as h2c, are offers that need no answer.
    shouldUpgradeCallback: wantsWebSocket,
  }
  const handle = (request: Request, env: object) => answer(request, env as NodeBindings, fetch)
  const server = await listen(host, port, (onListening) => {
    const common = { fetch: handle, hostname: host, port }
    if (credentials === undefined) return serve({ ...common, serverOptions: limits }, onListening) as Server
    const serverOptions = {
      ...limits,
      ...credentials,
      minVersion: MIN_TLS_VERSION,
      handshakeTimeout: requestTimeoutMs,
    } as const
    return serve({ ...common, createServer: createTlsServer, serverOptions }, onListening) as Server
  })
  server.maxConnections = maxConnections
  const protocol = credentials === undefined ? "http" : "https"
  const upgrades = new WebSocketUpgrades({ fetch: async (request, env) => fetch(request, env), protocol })
  server.on("upgrade", (incoming, socket, head) => {
    upgrades.upgrade(incoming, socket, head).catch((error) => {
      options.logger.error({ err: error }, "a WebSocket failed because of a bug in the gateway")
      socket.destroy()
    })
  })
  const stopWatching =
    credentials &&
    renewCertificates("http.tls", tls, credentials, options.logger, (renewed) => {
      ;(server as TlsServer).setSecureContext({ ...renewed, minVersion: MIN_TLS_VERSION })
    })
  return {
    port: portOf(server),
    protocol,
    close: (timeoutMs) => {
      stopWatching?.()
      return closeServer(server, timeoutMs)
    },
  }
}

interface NodeBindings extends LiveBindings {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

/** OBS reads Link headers one by one and does not find the second one in a list that is joined with a comma and a blank. */
async function answer(request: Request, env: NodeBindings, fetch: HttpServerOptions["fetch"]): Promise<Response> {
  const response = await fetch(request, env)
  if (env.live !== undefined) {
    sendLive(env.outgoing, response, env.live)
    return RESPONSE_ALREADY_SENT
  }
  const links = response.headers.get("link")
  if (links?.includes(", <") !== true) return response
  env.outgoing.setHeader("link", links.split(/, (?=<)/))
  response.headers.delete("link")
  return response
}

function listen(host: string, port: number, start: (onListening: () => void) => Server): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = start(() => resolve(server))
    server.once("error", (cause) => reject(listenError("HTTP", host, port, cause)))
  })
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

function closeServer(server: Server, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), timeoutMs)
    // A connection that was busy is kept alive for the next request once it is idle.
    const idleTimer = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS)
    server.close(() => {
      clearTimeout(timer)
      clearInterval(idleTimer)
      resolve()
    })
    server.closeIdleConnections()
  })
}

const IDLE_CHECK_MS = 100
/** How often slow requests are looked for. */
const CHECK_INTERVAL_MS = 5_000
/** Longer than proxies keep idle connections, so that none is closed under a request that a proxy is about to send. */
const KEEP_ALIVE_MS = 65_000
