import { isIPv6 } from "node:net"
import { GatewayError } from "../../errors.ts"
import type { SocketAddress } from "../../ice/ip-address.ts"
import { type DatagramHandlers, dispatchDatagram } from "./datagram.ts"
import { type OpenUdpSocket, openDgramSocket, type UdpSocket, type UdpSocketEvents } from "./udp-socket.ts"

/** Where the port is opened. */
export interface UdpPortOptions {
  /** `0.0.0.0` and `::` are all addresses of their family; a family that the system lacks is left out where there is another. */
  readonly hosts: readonly string[]
  /** 0 asks the system for a free port. */
  readonly port: number
  /** The kind of sockets; those of `node:dgram` if left out. */
  readonly openSocket?: OpenUdpSocket | undefined
}

interface PortCounts {
  droppedDatagrams: number
  sendErrors: number
}

/** One UDP port, a socket for each family of addresses, shared by all sessions. */
export class UdpPort {
  readonly #sockets: readonly UdpSocket[]
  readonly #ipv4: UdpSocket | undefined
  readonly #ipv6: UdpSocket | undefined
  readonly #counts: PortCounts

  private constructor(sockets: readonly UdpSocket[], counts: PortCounts) {
    this.#sockets = sockets
    this.#ipv4 = sockets.find(({ family }) => family === 4)
    this.#ipv6 = sockets.find(({ family }) => family === 6)
    this.#counts = counts
  }

  /** Opens the port; throws `listen.failed` where no host can be bound, or a named one cannot. */
  static async open(options: UdpPortOptions, handlers: DatagramHandlers): Promise<UdpPort> {
    const { openSocket = openDgramSocket } = options
    const counts: PortCounts = { droppedDatagrams: 0, sendErrors: 0 }
    const sockets: UdpSocket[] = []
    let failure: unknown
    let isFatal = false
    for (const host of options.hosts) {
      try {
        sockets.push(await openSocket(host, sockets[0]?.port ?? options.port, eventsFor(host, handlers, counts)))
      } catch (error) {
        failure = error
        isFatal = !isMissingFamily(host, error)
        if (isFatal) break
      }
    }
    if (sockets.length === 0 || isFatal) {
      await Promise.all(sockets.map((socket) => socket.close()))
      const where = `${options.hosts.join(", ")} port ${options.port}`
      throw new GatewayError("listen.failed", `cannot open UDP ${where}`, { cause: failure })
    }
    return new UdpPort(sockets, counts)
  }

  get port(): number {
    return (this.#sockets[0] as UdpSocket).port
  }

  /** The hosts that could be bound. */
  get hosts(): readonly string[] {
    return this.#sockets.map(({ address }) => address)
  }

  /** For another sender on the same port, where the sockets have them; good until `close`. */
  get descriptors(): { readonly ipv4?: number | undefined; readonly ipv6?: number | undefined } {
    return { ipv4: this.#ipv4?.descriptor, ipv6: this.#ipv6?.descriptor }
  }

  /** Datagrams that no protocol claims, empty ones among them, and those for which there was no room. */
  get droppedDatagrams(): number {
    return this.#sockets.reduce((sum, socket) => sum + socket.droppedDatagrams, this.#counts.droppedDatagrams)
  }

  /** Datagrams that the system did not take. */
  get sendErrors(): number {
    return this.#counts.sendErrors
  }

  /** Sends one datagram; its memory must stay as it is for a while, as the system may take it later. */
  send(datagram: Uint8Array, to: SocketAddress): void {
    const socket = to.family === 4 ? this.#ipv4 : this.#ipv6
    try {
      if (socket) socket.send(datagram, to.port, to.address)
      else this.#counts.sendErrors++
    } catch {
      this.#counts.sendErrors++
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#sockets.map((socket) => socket.close()))
  }
}

function eventsFor(host: string, handlers: DatagramHandlers, counts: PortCounts): UdpSocketEvents {
  const family = isIPv6(host) ? 6 : 4
  return {
    datagram(datagram, address, port) {
      // Some sockets lend a corner of a large buffer: keeping a packet would keep it all.
      const own = datagram.buffer.byteLength > MAX_WASTE * datagram.length ? new Uint8Array(datagram) : datagram
      const isClaimed = dispatchDatagram(own, { transport: "udp", family, address, port }, handlers)
      if (!isClaimed) counts.droppedDatagrams++
    },
    error() {
      counts.sendErrors++
    },
  }
}

/** True where all addresses of a family are asked for that the system lacks, which is no reason not to start; a named address must be there. */
function isMissingFamily(host: string, error: unknown): boolean {
  const { code = "" } = error as NodeJS.ErrnoException
  return (host === "::" || host === "0.0.0.0") && ["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"].includes(code)
}

const MAX_WASTE = 16
