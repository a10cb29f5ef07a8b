import { isIPv6, type Socket } from "node:net"
import process from "node:process"
import { FrameReader, serializeFrame } from "../../ice/tcp-framing.ts"
import type { DatagramConnection, NetworkPath } from "./remote-address.ts"

/** What a connection reports. */
export interface TcpConnectionEvents {
  datagram(datagram: Uint8Array, source: NetworkPath): void
  /** A datagram was not sent. */
  dropped(): void
  /** What came was no frame, or a bug; the connection is closed. */
  failed(error: unknown): void
  /** The end, once. */
  closed(): void
}

/** A TCP connection that carries datagrams in frames (RFC 4571). Never throws. */
export class TcpConnection implements DatagramConnection {
  readonly path: NetworkPath
  readonly openedAtMs: number
  /** When the last frame came. */
  lastHeardMs: number
  readonly #socket: Socket
  readonly #maxQueueBytes: number
  readonly #events: TcpConnectionEvents
  readonly #reader = new FrameReader()
  #isCorked = false

  constructor(
    socket: Socket,
    options: { readonly maxQueueBytes: number; readonly nowMs: () => number },
    events: TcpConnectionEvents,
  ) {
    const { remoteAddress = "", remotePort: port = 0 } = socket
    const address = remoteAddress.replace(/^::ffff:(?=\d+\.)/, "") // IPv4 by a socket for both families
    this.#socket = socket
    this.#maxQueueBytes = options.maxQueueBytes
    this.#events = events
    this.openedAtMs = options.nowMs()
    this.lastHeardMs = this.openedAtMs
    this.path = { transport: "tcp", family: isIPv6(address) ? 6 : 4, address, port, connection: this }
    socket.setNoDelay(true)
    socket.on("error", () => socket.destroy())
    socket.on("close", () => events.closed())
    socket.on("data", (chunk: Uint8Array) => {
      this.lastHeardMs = options.nowMs()
      this.#read(chunk)
    })
  }

  /** Sends a copy; the packets of one turn of the event loop go out together. */
  send(datagram: Uint8Array): void {
    const socket = this.#socket
    if (!socket.writable || socket.writableLength > this.#maxQueueBytes) {
      this.#events.dropped()
      return
    }
    if (!this.#isCorked) {
      this.#isCorked = true
      socket.cork()
      process.nextTick(() => {
        this.#isCorked = false
        socket.uncork()
      })
    }
    socket.write(serializeFrame(datagram))
  }

  close(): void {
    if (this.#socket.destroyed) return
    this.#socket.setTimeout(GOODBYE_TIMEOUT_MS, () => this.#socket.destroy())
    this.#socket.destroySoon()
  }

  /** Closes at once; what waits is lost. */
  destroy(): void {
    this.#socket.destroy()
  }

  #read(chunk: Uint8Array): void {
    try {
      for (const datagram of this.#reader.push(chunk)) {
        if (this.#socket.destroyed) return
        this.#events.datagram(datagram, this.path)
      }
    } catch (error) {
      this.#socket.destroy()
      this.#events.failed(error)
    }
  }
}

const GOODBYE_TIMEOUT_MS = 1_000
