import { ByteWriter } from "../media/bytes.ts"
import { FieldReader } from "./field-reader.ts"
import { checked, malformed } from "./malformed.ts"

/** A question whether UDP gets through; the answer is the same bytes. SPEC section 11. */
export interface DetectPacket {
  /** The sender's clock in ms, 32 bits. */
  readonly sentAtMs: number
  readonly token: Uint8Array
}

/** Reads a detect packet; the token borrows from it. Throws `minisdp.packet`. */
export function decodeDetect(bytes: Uint8Array): DetectPacket {
  return readDetect(new FieldReader(bytes))
}

/** As `decodeDetect`, by a reader that may collect the fields. */
export function readDetect(reader: FieldReader): DetectPacket {
  if (reader.u16("magic") !== MAGIC) throw malformed("a detect packet begins with FF 01")
  const length = reader.u16("length")
  if (length < CLOCK_BYTES || length > CLOCK_BYTES + MAX_TOKEN_BYTES) {
    throw malformed(`the length of a detect packet is from ${CLOCK_BYTES} to ${CLOCK_BYTES + MAX_TOKEN_BYTES}`)
  }
  const sentAtMs = reader.u32("send time (ms)")
  return { sentAtMs, token: reader.take(length - CLOCK_BYTES, "token") }
}

/** Writes a detect packet. Throws `minisdp.packet` for a token of more than 256 bytes. */
export function encodeDetect({ sentAtMs, token }: DetectPacket): Uint8Array {
  checked(token.length, MAX_TOKEN_BYTES, "length of the token")
  const writer = new ByteWriter(8 + token.length)
  return writer
    .u16(MAGIC)
    .u16(CLOCK_BYTES + token.length)
    .u32(checked(sentAtMs, 0xffff_ffff, "send time"))
    .bytes(token)
    .finish()
}

const MAGIC = 0xff01
const CLOCK_BYTES = 4
const MAX_TOKEN_BYTES = 256
