import type { SocketAddress } from "../../ice/ip-address.ts"

/** Where a peer is now. One object for the life of a session: who sends reads it each time, and so follows a move at once. */
export class RemoteAddress implements SocketAddress {
  family: 4 | 6 = 4
  address = ""
  port = 0

  /** False until the first authenticated check. */
  get isKnown(): boolean {
    return this.port !== 0
  }

  moveTo({ family, address, port }: SocketAddress): void {
    this.family = family
    this.address = address
    this.port = port
  }
}
