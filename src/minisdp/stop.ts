import { malformed } from "./malformed.ts"

/** Asks to end a session, or says that it has ended; request and answer look the same. SPEC section 10. */
export interface StopPacket {
  readonly status: number
  /** Sequence number of the offer that began the session. */
  readonly seq: number
  /** What `stopSignature` makes of the answer: `<address>:<answer's ufrag>:<offer's ufrag>`. */
  readonly svrsig: string
}

/** Reads a stop packet. Throws `minisdp.packet`. */
export function decodeStop(_bytes: Uint8Array): StopPacket {
  throw malformed("not yet")
}

/** Writes a stop packet: 27 bytes and the signature. Throws `minisdp.packet`. */
export function encodeStop(_stop: StopPacket): Uint8Array {
  throw malformed("not yet")
}
