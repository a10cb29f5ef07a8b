import { createSocket, type Socket } from "node:dgram"
import { isIPv6 } from "node:net"
import { getSystemErrorName } from "node:util"
import { GatewayError } from "../../errors.ts"
import type { SocketAddress } from "../../ice/ip-address.ts"
import { type DatagramHandlers, dispatchDatagram } from "./datagram.ts"

/** Where the port is opened. */
export interface UdpPortOptions {
  /** `0.0.0.0` and `::` are all addresses of their family; a family that the system lacks is left out where there is another. */
  readonly hosts: readonly string[]
  /** 0 asks the system for a free port. */
  readonly port: number
  /** Opens and binds a socket where its descriptor is needed; returns that, or minus the number of the system's error. */
  readonly openSocket?: ((family: 4 | 6, host: string, port: number) => number) | undefined
}

/** A socket with its descriptor, where it was opened by one. */
interface BoundSocket {
  readonly socket: Socket
  readonly descriptor: number | undefined
}

/** One UDP port, a socket for each family of addresses, shared by all sessions. */
export class UdpPort {
  readonly #sockets: readonly Socket[]
  readonly #ipv4: Socket | undefined
  readonly #ipv6: Socket | undefined
  readonly port: number
  /** The hosts that could be bound. */
  readonly hosts: readonly string[]
  /** For another sender on the same port; there with `openSocket`, and good until `close`. */
  readonly descriptors: { readonly ipv4?: number | undefined; readonly ipv6?: number | undefined }
  /** Datagrams that no protocol claims, empty ones among them. */
  droppedDatagrams = 0
  /** Datagrams that the system did not take. */
  sendErrors = 0

  private constructor(bound: readonly BoundSocket[], handlers: DatagramHandlers) {
    const sockets = bound.map(({ socket }) => socket)
    this.#sockets = sockets
    this.#ipv4 = sockets.find((socket) => socket.address().family === "IPv4")
    this.#ipv6 = sockets.find((socket) => socket.address().family === "IPv6")
    this.descriptors = {
      ipv4: bound.find(({ socket }) => socket === this.#ipv4)?.descriptor,
      ipv6: bound.find(({ socket }) => socket === this.#ipv6)?.descriptor,
    }
    this.port = (sockets[0] as Socket).address().port
    this.hosts = sockets.map((socket) => socket.address().address)
    for (const socket of sockets) {
      const family = socket === this.#ipv6 ? 6 : 4
      socket.removeAllListeners("error")
      socket.on("error", () => this.sendErrors++)
      socket.on("message", (datagram: Uint8Array, { address, port }) => {
        // Some runtimes lend a corner of a large buffer: keeping a packet would keep it all.
        const own = datagram.buffer.byteLength > MAX_WASTE * datagram.length ? new Uint8Array(datagram) : datagram
        const isClaimed = dispatchDatagram(own, { transport: "udp", family, address, port }, handlers)
        if (!isClaimed) this.droppedDatagrams++
      })
    }
  }

  /** Opens the port; throws `listen.failed` where no host can be bound, or a named one cannot. */
  static async open(options: UdpPortOptions, handlers: DatagramHandlers): Promise<UdpPort> {
    const bound: BoundSocket[] = []
    let failure: unknown
    let isFatal = false
    for (const host of options.hosts) {
      const port = bound[0]?.socket.address().port ?? options.port
      try {
        bound.push(await bind(host, port, options.openSocket))
      } catch (error) {
        failure = error
        isFatal = !isMissingFamily(host, error)
        if (isFatal) break
      }
    }
    if (bound.length === 0 || isFatal) {
      for (const { socket } of bound) socket.close()
      const where = `${options.hosts.join(", ")} port ${options.port}`
      throw new GatewayError("listen.failed", `cannot open UDP ${where}`, { cause: failure })
    }
    return new UdpPort(bound, handlers)
  }

  /** Sends one datagram; its memory must stay as it is for a while, as the system may take it later. */
  send(datagram: Uint8Array, to: SocketAddress): void {
    const socket = to.family === 4 ? this.#ipv4 : this.#ipv6
    try {
      if (socket) socket.send(datagram, to.port, to.address)
      else this.sendErrors++
    } catch {
      this.sendErrors++
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))))
  }
}

function bind(host: string, port: number, openSocket: UdpPortOptions["openSocket"]): Promise<BoundSocket> {
  const family = isIPv6(host) ? 6 : 4
  const descriptor = openSocket?.(family, host, port)
  if (descriptor !== undefined && descriptor < 0) {
    const code = getSystemErrorName(descriptor)
    return Promise.reject(Object.assign(new Error(`${code}: bind ${host} port ${port}`), { code }))
  }
  const socket = createSocket({
    type: family === 6 ? "udp6" : "udp4",
    ipv6Only: family === 6,
    recvBufferSize: SOCKET_BUFFER_BYTES,
    sendBufferSize: SOCKET_BUFFER_BYTES,
    // Only addresses are sent to, so nothing is ever looked up.
    lookup: (address, _options, callback) => callback(null, address, family),
  })
  return new Promise((resolve, reject) => {
    socket.once("error", (error) => {
      socket.close()
      reject(error)
    })
    const place = descriptor === undefined ? { port, address: host } : { fd: descriptor }
    socket.bind({ ...place, exclusive: true }, () => resolve({ socket, descriptor }))
  })
}

/** True where all addresses of a family are asked for that the system lacks, which is no reason not to start; a named address must be there. */
function isMissingFamily(host: string, error: unknown): boolean {
  const { code = "" } = error as NodeJS.ErrnoException
  return (host === "::" || host === "0.0.0.0") && ["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"].includes(code)
}

const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024
const MAX_WASTE = 16
