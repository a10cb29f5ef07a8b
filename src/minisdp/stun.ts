import { malformed } from "./malformed.ts"

/** A packet inside a STUN message. SPEC section 9. */
export interface WrappedPacket {
  readonly kind: "sdp" | "stop" | "detect"
  readonly isResponse: boolean
  /** The packet itself; borrowed from the datagram unless that was obfuscated. */
  readonly packet: Uint8Array
  /** 4 bytes with which packet and transaction id were XORed on the wire; only kind `sdp`. */
  readonly xorKey: Uint8Array | undefined
}

/** Puts a packet into a STUN binding request or response. Throws `minisdp.packet` where a key is given for another kind than `sdp`. */
export function wrapInStun(_wrapped: WrappedPacket): Uint8Array {
  throw malformed("not yet")
}

/** Takes the packet out of a STUN message that `classifyDatagram` called one of `stun-…`. Throws `minisdp.packet`. */
export function unwrapStun(_datagram: Uint8Array): WrappedPacket {
  throw malformed("not yet")
}
