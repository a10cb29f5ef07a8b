import { type IncomingMessage, STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"
import { pipeline } from "node:stream/promises"
import { type WebSocket, WebSocketServer } from "ws"
import { END_TIMEOUT_MS, GONE, type LiveBindings, type LiveBody } from "./live-body.ts"
import { SocketOutput } from "./rtmp/socket-output.ts"

/** How requests for a WebSocket are answered. */
export interface UpgradeOptions {
  /** Decides on the request as on any other; a `live` body in `env` lets the client in, anything else is its refusal. */
  readonly fetch: (request: Request, env: LiveBindings & { readonly incoming: IncomingMessage }) => Promise<Response>
  readonly protocol: "http" | "https"
}

/** Answers requests that would change to another protocol (RFC 6455 section 4.2): live bodies leave as binary messages. */
export class WebSocketUpgrades {
  readonly #options: UpgradeOptions
  /** Viewers have nothing to say. Compression would cost much and gain nothing with video. */
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
  })

  constructor(options: UpgradeOptions) {
    this.#options = options
  }

  /** Takes over the socket of a request. */
  async upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on("error", () => {}) // "close" follows
    const request = toRequest(incoming, this.#options.protocol)
    const env: LiveBindings & { readonly incoming: IncomingMessage } = { incoming }
    if (request === undefined) return refuse(socket, new Response(null, { status: 400 }))
    const response = await this.#options.fetch(request, env)
    const { live } = env
    if (live === undefined) return refuse(socket, response)
    if (socket.destroyed) return live.stop(GONE)
    socket.once("close", () => live.stop(GONE))
    this.#server.handleUpgrade(incoming, socket, head, (webSocket) => send(webSocket, socket, live))
  }
}

/** Whether a request wants to change to the WebSocket protocol. */
export function wantsWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket"
}

function send(webSocket: WebSocket, socket: Duplex, live: LiveBody): void {
  const output = new SocketOutput(
    {
      get writable() {
        return webSocket.readyState === webSocket.OPEN
      },
      get writableLength() {
        return webSocket.bufferedAmount
      },
      cork: () => socket.cork(),
      uncork: () => socket.uncork(),
      write: (bytes) => webSocket.send(bytes, BINARY),
    },
    () => performance.now(),
  )
  let isAlive = true
  const ping = setInterval(() => {
    if (!isAlive) webSocket.terminate()
    else if (webSocket.readyState === webSocket.OPEN) {
      isAlive = false
      webSocket.ping()
    }
  }, PING_INTERVAL_MS)
  webSocket.on("pong", () => {
    isAlive = true
  })
  webSocket.on("error", () => {}) // "close" follows
  webSocket.once("close", () => {
    clearInterval(ping)
    live.stop(GONE)
  })
  live.start({
    get queuedBytes() {
      return output.queuedBytes
    },
    get delayMs() {
      return output.delayMs
    },
    send: (bytes) => output.send(bytes),
    sendNow: (bytes) => output.sendNow(bytes),
    end: (reason) => {
      output.flush()
      webSocket.close(NORMAL_CLOSURE, reason.slice(0, MAX_REASON_CHARACTERS))
      const cut = setTimeout(() => webSocket.terminate(), END_TIMEOUT_MS)
      webSocket.once("close", () => clearTimeout(cut))
    },
    destroy: () => webSocket.terminate(),
  })
}

/** Undefined where the address is none. */
function toRequest({ headers, url = "/" }: IncomingMessage, protocol: string): Request | undefined {
  const base = `${protocol}://${headers.host ?? "localhost"}`
  if (!url.startsWith("/") || !URL.canParse(url, base)) return undefined
  const copies = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) copies.set(name, String(value))
  }
  return new Request(new URL(`${base}${url}`), { headers: copies })
}

/** Answers in plain HTTP, with a body up to the end of the connection. */
async function refuse(socket: Duplex, { status, headers, body }: Response): Promise<void> {
  const fields = [...headers].filter(([name]) => name !== "connection" && name !== "transfer-encoding")
  const lines = [...fields, ["connection", "close"]].map(([name, value]) => `${name}: ${value}\r\n`)
  socket.resume() // so that the client's own end is seen
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n`)
  if (body === null) socket.end()
  else await pipeline(body, socket).catch(() => {}) // the client is gone
  const cut = setTimeout(() => socket.destroy(), END_TIMEOUT_MS)
  socket.once("close", () => clearTimeout(cut))
}

const BINARY = { binary: true, compress: false }
const MAX_MESSAGE_BYTES = 4_096
const NORMAL_CLOSURE = 1_000
/** A reason has at most 123 bytes (RFC 6455 section 5.5.1); ours are of ASCII. */
const MAX_REASON_CHARACTERS = 123
/** Also keeps proxies from taking a stream without media for idle. */
const PING_INTERVAL_MS = 20_000
