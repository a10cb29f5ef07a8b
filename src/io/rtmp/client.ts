import { createHash, randomBytes } from "node:crypto"
import { connect as connectTcp, isIP, type Socket } from "node:net"
import { connect as connectTls, rootCertificates } from "node:tls"
import { GatewayError } from "../../errors.ts"
import type { RtmpClientEvent, RtmpEstablished } from "../../rtmp/client-events.ts"
import type { RtmpClientLimits } from "../../rtmp/client-options.ts"
import { RtmpClientSession } from "../../rtmp/client-session.ts"
import { parseRtmpUrl, type RtmpUrl, resolveRedirect } from "../../rtmp/rtmp-url.ts"
import type { RtmpMedia, RtmpMetadata } from "../../rtmp/server-events.ts"
import type { Logger } from "../log.ts"
import { connectFailure } from "./connect-failure.ts"
import type { RtmpOutput } from "./flv-output.ts"
import { hmacSha256 } from "./hmac.ts"
import { MachineTimer } from "./machine-timer.ts"
import { SocketOutput } from "./socket-output.ts"

/** How to connect to an RTMP server. */
export interface RtmpConnectOptions {
  readonly action: "publish" | "play"
  readonly limits: RtmpClientLimits
  /** For the address to resolve and TCP and TLS to be there. */
  readonly connectTimeoutMs: number
  /** Certificates of private authorities to trust beside the usual ones, PEM. */
  readonly ca?: string | undefined
  readonly nowMs: () => number
  readonly logger: Logger
  readonly handlers: RtmpClientHandlers
}

/** What a connection to a server tells; nothing is told after `closed`. */
export interface RtmpClientHandlers {
  /** Called once: media may be sent to `connection.output` on the message stream, or comes on it. */
  established(facts: Omit<RtmpEstablished, "type">, connection: RtmpClientConnection): void
  metadata?(event: RtmpMetadata): void
  media?(event: RtmpMedia): void
  /** Called once, never before `connectRtmp` has returned. */
  closed(facts: RtmpClosed): void
}

/** How a connection ended. */
export interface RtmpClosed {
  readonly reason: string
  /** Set where it failed: `rtmp.refused`, `rtmp.unreachable`, `rtmp.timeout` … */
  readonly error?: GatewayError
  /** The server asked to come again here, in mid-stream (Enhanced RTMP); holds secrets. */
  readonly reconnectUrl?: string
}

/** A connection to a server, to publish or to play one stream. */
export interface RtmpClientConnection {
  /** For media, once it is established. */
  readonly output: RtmpOutput
  /** Address and port of the server, once it is connected. */
  readonly remoteAddress: string | undefined
  /** Unpublishes and closes; `closed` follows. */
  end(reason: string): void
}

/**
 * Connects to `rtmp://` or `rtmps://HOST/APP/STREAM` and publishes or plays; follows redirects before that. Throws `rtmp.url`;
 * what goes wrong later is told to `closed`.
 */
export function connectRtmp(url: string, options: RtmpConnectOptions): RtmpClientConnection {
  return new Connection(url, options)
}

class Connection implements RtmpClientConnection {
  readonly #options: RtmpConnectOptions
  #address: RtmpUrl
  #socket: Socket
  #output: SocketOutput
  /** Undefined until TCP and TLS are there. */
  #session: RtmpClientSession | undefined
  #redirects = 0
  #isEstablished = false
  /** Where to come again, once the session has closed. */
  #next: Destination | undefined
  #connectQuery: string | undefined
  /** Holds secrets. */
  #url: string
  #isOver = false
  readonly #timer: MachineTimer

  constructor(url: string, options: RtmpConnectOptions) {
    this.#options = options
    this.#url = url
    this.#address = parseRtmpUrl(url)
    this.#timer = new MachineTimer(options.nowMs, () => this.#run((session) => session.onTimeout(options.nowMs())))
    this.#socket = this.#open()
    this.#output = new SocketOutput(this.#socket, options.nowMs)
  }

  get output(): RtmpOutput {
    return this.#output
  }

  get remoteAddress(): string | undefined {
    const { remoteAddress, remotePort } = this.#socket
    return remoteAddress === undefined ? undefined : `${remoteAddress}:${remotePort}`
  }

  end(reason: string): void {
    if (this.#session === undefined) this.#finish({ reason })
    else this.#run((session) => session.end(reason))
  }

  #open(): Socket {
    const { isTls, host, port } = this.#address
    const { ca, connectTimeoutMs } = this.#options
    const trusted = ca === undefined ? {} : { ca: [...rootCertificates, ca] }
    const socket = isTls
      ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }), ...trusted })
      : connectTcp({ host, port })
    const patience = setTimeout(() => {
      const reason = `${host}:${port} does not answer: no connection within ${connectTimeoutMs} ms`
      if (socket === this.#socket) this.#fail(new GatewayError("rtmp.unreachable", reason))
    }, connectTimeoutMs)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.once(isTls ? "secureConnect" : "connect", () => {
      clearTimeout(patience)
      if (socket === this.#socket) this.#begin()
    })
    socket.on("data", (bytes) => {
      if (socket === this.#socket) this.#run((session) => session.push(bytes as Uint8Array, this.#options.nowMs()))
    })
    socket.on("error", (error) => {
      if (socket === this.#socket) this.#onSocketError(error)
    })
    socket.once("close", () => {
      clearTimeout(patience)
      if (socket === this.#socket) this.#onSocketClosed()
    })
    return socket
  }

  #begin(): void {
    if (this.#isOver) return
    const { action, limits, nowMs } = this.#options
    const adobeAuth = { md5Base64, nonce: randomBytes(4).toString("hex") }
    const connectQuery = this.#connectQuery
    const options = { action, address: this.#address, limits, hmac: hmacSha256, adobeAuth, connectQuery }
    this.#session = new RtmpClientSession(options, randomBytes(C1_RANDOM_BYTES), nowMs())
    this.#run((session) => session.start(nowMs()))
  }

  #onSocketError(error: Error): void {
    if (this.#session === undefined) this.#fail(connectFailure(error, this.#address))
    // A reset in mid-session is a server that hangs up; "close" follows and says so.
  }

  #onSocketClosed(): void {
    if (this.#session === undefined) {
      this.#fail(new GatewayError("rtmp.unreachable", `${this.#address.host} closed the connection before it began`))
    } else this.#run((session) => session.onPeerClosed(this.#options.nowMs()))
  }

  #run(step: (session: RtmpClientSession) => RtmpClientEvent[]): void {
    if (this.#isOver || this.#session === undefined) return
    try {
      for (const event of step(this.#session)) this.#apply(event)
      if (!this.#isOver) this.#timer.arm(this.#session?.nextTimeoutMs)
    } catch (error) {
      this.#options.logger.error({ err: error }, "RTMP client failed because of a bug in the gateway")
      this.#fail(new GatewayError("rtmp.refused", "internal error"))
      this.#socket.destroy()
    }
  }

  #apply(event: RtmpClientEvent): void {
    const { handlers } = this.#options
    if (this.#isOver) return
    switch (event.type) {
      case "send":
        this.#output.send(event.bytes)
        return
      case "established":
        this.#isEstablished = true
        handlers.established(event, this)
        return
      case "metadata":
        handlers.metadata?.(event)
        return
      case "audio":
      case "video":
        handlers.media?.(event)
        return
      case "redirected":
        this.#onRedirected(event.tcUrl)
        return
      case "challenged":
        this.#next = { url: this.#url, connectQuery: event.connectQuery }
        return
      case "close":
        if (this.#next === undefined || event.error !== undefined) this.#finish(event)
        else if (this.#isEstablished) this.#finish({ reason: event.reason, reconnectUrl: this.#next.url })
        else this.#follow(this.#next)
    }
  }

  #onRedirected(tcUrl: string | undefined): void {
    try {
      this.#next = { url: tcUrl === undefined ? this.#url : resolveRedirect(this.#address, tcUrl) }
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      this.#fail(error)
    }
  }

  #follow({ url, connectQuery }: Destination): void {
    if (++this.#redirects > MAX_REDIRECTS) {
      this.#fail(new GatewayError("rtmp.refused", `the server sends us on more than ${MAX_REDIRECTS} times`))
      return
    }
    this.#hangUp()
    this.#session = undefined
    this.#next = undefined
    this.#url = url
    this.#connectQuery = connectQuery
    this.#address = parseRtmpUrl(url)
    if (connectQuery === undefined) {
      this.#options.logger.info({ server: this.#address.redactedKey }, "the RTMP server sent us on to another")
    }
    this.#socket = this.#open()
    this.#output = new SocketOutput(this.#socket, this.#options.nowMs)
  }

  #fail(error: GatewayError): void {
    this.#finish({ reason: error.message, error })
  }

  #finish({ reason, error, reconnectUrl }: RtmpClosed): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#hangUp()
    this.#options.handlers.closed({ reason, ...(error && { error }), ...(reconnectUrl && { reconnectUrl }) })
  }

  /** Sends what is queued, and cuts the connection if the server does not take it in time. */
  #hangUp(): void {
    this.#timer.stop()
    const socket = this.#socket
    this.#output.flush()
    if (this.#session === undefined) socket.destroy()
    if (socket.destroyed) return
    socket.end()
    const cut = setTimeout(() => socket.destroy(), FLUSH_TIMEOUT_MS)
    socket.once("close", () => clearTimeout(cut))
  }
}

interface Destination {
  readonly url: string
  readonly connectQuery?: string
}

function md5Base64(text: string): string {
  return createHash("md5").update(text).digest("base64")
}

const C1_RANDOM_BYTES = 1_528
const KEEP_ALIVE_MS = 15_000
const FLUSH_TIMEOUT_MS = 2_000
const MAX_REDIRECTS = 3
