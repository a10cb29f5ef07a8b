import { createSocket } from "node:dgram"
import { isIPv6 } from "node:net"

/** What a socket reports. */
export interface UdpSocketEvents {
  /** The array may share its memory with other datagrams, but with none of its bytes. */
  datagram(bytes: Uint8Array, address: string, port: number): void
  /** A datagram could not be sent. */
  error(): void
}

/** One bound UDP socket. */
export interface UdpSocket {
  readonly family: 4 | 6
  readonly address: string
  readonly port: number
  /** For another sender on the same port, where the implementation has it. */
  readonly descriptor?: number
  /** Datagrams that were lost on the way in, within this process. */
  readonly droppedDatagrams: number
  /** The memory must stay as it is for a while, as the system may take it later. Throws for what is no address. */
  send(datagram: Uint8Array, port: number, address: string): void
  close(): Promise<void>
}

/** Opens a socket; the error of one that cannot be bound has the system's name for it as `code`. */
export type OpenUdpSocket = (host: string, port: number, events: UdpSocketEvents) => Promise<UdpSocket>

/** The sockets of `node:dgram`. */
export const openDgramSocket: OpenUdpSocket = (host, port, events) => {
  const family = isIPv6(host) ? 6 : 4
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
    socket.bind({ port, address: host, exclusive: true }, () => {
      socket.removeAllListeners("error")
      socket.on("error", () => events.error())
      socket.on("message", (datagram, from) => events.datagram(datagram, from.address, from.port))
      const { address, port } = socket.address()
      resolve({
        family,
        address,
        port,
        droppedDatagrams: 0,
        send: (datagram, toPort, toAddress) => socket.send(datagram, toPort, toAddress),
        close: () => new Promise<void>((closed) => socket.close(() => closed())),
      })
    })
  })
}

const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024
