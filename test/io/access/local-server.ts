import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Scope } from "../../support/scope.ts"

/** An HTTP server on the loopback interface that does what a test says and keeps what it was asked. */
export interface LocalServer {
  readonly url: string
  /** Bodies and headers of the requests so far. */
  readonly requests: { readonly body: string; readonly headers: IncomingMessage["headers"] }[]
  /** How it answers; may be changed at any time. */
  answer: Answer
  close(): Promise<void>
}

/** Answers a request, sooner, later or never. */
export type Answer = (response: ServerResponse, requestIndex: number) => void

/** Starts a server; it ends with the scope. */
export async function startLocalServer(scope: Scope, answer: Answer): Promise<LocalServer> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      local.requests.push({ body: Buffer.concat(chunks).toString(), headers: request.headers })
      local.answer(response, local.requests.length - 1)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  scope.defer(close)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const local: LocalServer = { url, requests: [], answer, close }
  return local
}

/** Answers with JSON. */
export function json(body: unknown, status = 200): Answer {
  return (response) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
}
