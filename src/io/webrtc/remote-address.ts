import type { TransportAddress } from "../../ice/ip-address.ts"

/** The way to a peer: for UDP its address is enough, for TCP it is the connection that the peer opened. */
export interface NetworkPath extends TransportAddress {
  /** Undefined for UDP. */
  readonly connection?: DatagramConnection | undefined
}

/** A TCP connection that carries datagrams. */
export interface DatagramConnection {
  /** Sends a copy of the datagram, or drops it as UDP would where the connection is gone or its queue is full. */
  send(datagram: Uint8Array): void
  /** Sends what waits, then closes. */
  close(): void
}

/** Where a peer is now. One object for the life of a session: who sends reads it each time, or is told, and so follows a move at once. */
export class RemoteAddress implements NetworkPath {
  transport: "udp" | "tcp" = "udp"
  family: 4 | 6 = 4
  address = ""
  port = 0
  connection: DatagramConnection | undefined
  /** Called after each move, for the one that keeps a copy elsewhere. */
  onMove: (() => void) | undefined

  /** False until the first authenticated check. */
  get isKnown(): boolean {
    return this.port !== 0
  }

  moveTo({ transport, family, address, port, connection }: NetworkPath): void {
    this.transport = transport
    this.family = family
    this.address = address
    this.port = port
    this.connection = connection
    this.onMove?.()
  }
}
