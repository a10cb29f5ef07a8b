import { once } from "node:events"
import { createServer, isIPv6, type Server, type Socket } from "node:net"
import { GatewayError } from "../../errors.ts"
import { type DatagramHandlers, dispatchDatagram } from "./datagram.ts"
import type { NetworkPath } from "./remote-address.ts"
import { TcpConnection } from "./tcp-connection.ts"

/** Where the port is opened, and what strangers may cost. */
export interface TcpPortOptions {
  /** Addresses that the machine has; `0.0.0.0` and `::` are all of their family. */
  readonly hosts: readonly string[]
  readonly port: number
  /** Connections at once; when there are so many, a new one takes the place of the oldest that has not been authenticated. */
  readonly maxConnections: number
  /** Connections from one address that have not been authenticated. */
  readonly maxWaitingPerAddress: number
  /** Time for an authenticated check. */
  readonly checkTimeoutMs: number
  /** An authenticated connection that brings nothing for so long is closed. */
  readonly idleTimeoutMs: number
  /** Output that may wait for a slow peer; what comes then is dropped, as UDP would. */
  readonly maxQueueBytes: number
  /** Milliseconds that only grow. */
  readonly nowMs: () => number
}

/** Who takes what comes in. */
export interface TcpPortHandlers extends DatagramHandlers {
  /** A connection is gone. */
  readonly closed: (path: NetworkPath) => void
}

/** The TCP port that passive ICE candidates lead to (RFC 6544): connections that carry what UDP would. Never throws once it is open. */
export class TcpPort {
  readonly #servers: readonly Server[]
  readonly #options: TcpPortOptions
  readonly #handlers: TcpPortHandlers
  readonly #connections = new Map<NetworkPath, TcpConnection>()
  /** Those that no authenticated check has come from, oldest first. */
  readonly #waiting = new Set<TcpConnection>()
  /** Datagrams that no protocol claims. */
  droppedDatagrams = 0
  /** Datagrams that were not sent: the connection was gone or too slow. */
  sendErrors = 0
  /** Connections that were refused, brought no authenticated check in time, or something else than frames. */
  refusedConnections = 0

  private constructor(servers: readonly Server[], options: TcpPortOptions, handlers: TcpPortHandlers) {
    this.#servers = servers
    this.#options = options
    this.#handlers = handlers
    for (const server of servers) {
      server.removeAllListeners("error")
      server.on("error", () => this.refusedConnections++) // no file left for a connection
      server.on("connection", (socket) => this.#accept(socket))
    }
  }

  /** Opens the port; throws `listen.failed`. */
  static async open(options: TcpPortOptions, handlers: TcpPortHandlers): Promise<TcpPort> {
    const servers: Server[] = []
    try {
      // One socket for all addresses of both families, as Deno cannot keep the families apart.
      const isDual = ALL_ADDRESSES.every((host) => options.hosts.includes(host))
      if (isDual) servers.push(await listen("::", options.port, false))
      else for (const host of options.hosts) servers.push(await listen(host, options.port, isIPv6(host)))
    } catch (cause) {
      for (const server of servers) server.close()
      const where = `${options.hosts.join(", ")} port ${options.port}`
      const text = `cannot open TCP ${where} for WebRTC media; media.tcp: false does without`
      throw new GatewayError("listen.failed", text, { cause })
    }
    return new TcpPort(servers, options, handlers)
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** An authenticated check came from there. */
  authenticate(path: NetworkPath): void {
    const connection = this.#connections.get(path)
    if (connection) this.#waiting.delete(connection)
  }

  /** Closes connections that are out of time. */
  checkTimeouts(): void {
    const { nowMs, checkTimeoutMs, idleTimeoutMs } = this.#options
    const now = nowMs()
    for (const connection of this.#connections.values()) {
      if (this.#waiting.has(connection)) {
        if (now - connection.openedAtMs >= checkTimeoutMs) this.#refuse(connection)
      } else if (now - connection.lastHeardMs >= idleTimeoutMs) {
        connection.close()
      }
    }
  }

  /** Takes no more connections, ends those that are there, and waits until all are gone. */
  async close(): Promise<void> {
    const closed = this.#servers.map((server) => once(server.close(), "close"))
    for (const connection of this.#connections.values()) {
      if (this.#waiting.has(connection)) connection.destroy()
      else connection.close()
    }
    await Promise.all(closed)
  }

  #accept(socket: Socket): void {
    const connection = new TcpConnection(socket, this.#options, {
      datagram: (datagram, source) => {
        if (!dispatchDatagram(datagram, source, this.#handlers)) this.droppedDatagrams++
      },
      dropped: () => this.sendErrors++,
      failed: (error) => {
        this.refusedConnections++
        if (!(error instanceof GatewayError)) this.#handlers.onBug(error)
      },
      closed: () => {
        this.#waiting.delete(connection)
        if (this.#connections.delete(connection.path)) this.#handlers.closed(connection.path)
      },
    })
    const { maxConnections, maxWaitingPerAddress } = this.#options
    let waitingThere = 0
    for (const { path } of this.#waiting) if (path.address === connection.path.address) waitingThere++
    const isFull = this.#connections.size >= maxConnections
    const [oldest] = this.#waiting
    if (waitingThere >= maxWaitingPerAddress || (isFull && oldest === undefined)) {
      this.#refuse(connection)
      return
    }
    if (isFull && oldest) this.#refuse(oldest)
    this.#connections.set(connection.path, connection)
    this.#waiting.add(connection)
  }

  #refuse(connection: TcpConnection): void {
    this.refusedConnections++
    this.#connections.delete(connection.path)
    this.#waiting.delete(connection)
    connection.destroy()
  }
}

async function listen(host: string, port: number, ipv6Only: boolean): Promise<Server> {
  const server = createServer()
  server.listen({ host, port, ipv6Only, exclusive: true })
  await once(server, "listening")
  return server
}

const ALL_ADDRESSES = ["0.0.0.0", "::"]
