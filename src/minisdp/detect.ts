import { malformed } from "./malformed.ts"

/** A question whether UDP gets through; the answer is the same bytes. SPEC section 11. */
export interface DetectPacket {
  /** The sender's clock in ms, 32 bits. */
  readonly sentAtMs: number
  readonly token: Uint8Array
}

/** Reads a detect packet; the token borrows from it. Throws `minisdp.packet`. */
export function decodeDetect(_bytes: Uint8Array): DetectPacket {
  throw malformed("not yet")
}

/** Writes a detect packet. Throws `minisdp.packet` for a token that is too long. */
export function encodeDetect(_detect: DetectPacket): Uint8Array {
  throw malformed("not yet")
}
