import type { Server } from "node:http"
import { serve } from "@hono/node-server"
import { GatewayError } from "../errors.ts"

/** What the HTTP server serves and where. */
export interface HttpServerOptions {
  readonly host: string
  readonly port: number
  /** `env` tells of the connection, as hono's Node server gives it. */
  readonly fetch: (request: Request, env: object) => Response | Promise<Response>
}

/** A listening HTTP server. */
export interface HttpServer {
  readonly port: number
  /** Takes no new requests, lets those under way end, and cuts what is left when the time is over. */
  close(timeoutMs: number): Promise<void>
}

/** Starts the HTTP server. Throws `listen.failed`. */
export function startHttpServer({ host, port, fetch }: HttpServerOptions): Promise<HttpServer> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, hostname: host, port }, (address) => {
      resolve({ port: address.port, close: (timeoutMs) => closeServer(server, timeoutMs) })
    }) as Server
    server.once("error", (cause) => reject(listenError("HTTP", host, port, cause)))
  })
}

/** Says in a sentence why a port could not be opened and what to do. */
export function listenError(what: string, host: string, port: number, cause: Error): GatewayError {
  const isTaken = "code" in cause && cause.code === "EADDRINUSE"
  const reason = isTaken ? "another program uses it; stop that one or choose another port" : cause.message
  return new GatewayError("listen.failed", `cannot open ${what} port ${port} on ${host}: ${reason}`, { cause })
}

function closeServer(server: Server, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), timeoutMs)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
    server.closeIdleConnections()
  })
}
