import { ByteWriter } from "../media/bytes.ts"
import { FieldReader } from "./field-reader.ts"
import { checked, malformed } from "./malformed.ts"
import { encodeText } from "./text.ts"

/** Asks to end a session, or says that it has ended; request and answer look the same. SPEC section 10. */
export interface StopPacket {
  readonly status: number
  /** Sequence number of the offer that began the session. */
  readonly seq: number
  /** What `stopSignature` makes of the answer: `<address>:<answer's ufrag>:<offer's ufrag>`. */
  readonly svrsig: string
}

/** Reads a stop packet; bytes behind its end are ignored. Throws `minisdp.packet`. */
export function decodeStop(bytes: Uint8Array): StopPacket {
  return readStop(new FieldReader(bytes))
}

/** As `decodeStop`, by a reader that may collect the fields. */
export function readStop(reader: FieldReader): StopPacket {
  if (reader.u32("magic") !== MAGIC) throw malformed("a stop packet begins with FF 53 54 50")
  if (reader.u8("version") !== 0) throw malformed("a stop packet has version 0")
  const status = reader.u16("status_code")
  const seq = reader.u16("seq")
  const length = reader.u16("svrsig length")
  if (length > MAX_SIGNATURE_BYTES) throw malformed(`a session signature has at most ${MAX_SIGNATURE_BYTES} bytes`)
  const svrsig = reader.text(length, "svrsig")
  reader.take(AUTH_BYTES, "auth (unused)")
  return { status, seq, svrsig }
}

/** Writes a stop packet: 27 bytes and the signature. Throws `minisdp.packet`. */
export function encodeStop({ status, seq, svrsig }: StopPacket): Uint8Array {
  const text = encodeText(svrsig, "svrsig")
  const writer = new ByteWriter(27 + text.length)
  writer
    .u32(MAGIC)
    .u8(0)
    .u16(checked(status, 0xffff, "status"))
    .u16(checked(seq, 0xffff, "seq"))
  writer.u16(checked(text.length, MAX_SIGNATURE_BYTES, "length of svrsig")).bytes(text)
  return writer.bytes(new Uint8Array(AUTH_BYTES)).finish()
}

const MAGIC = 0xff535450
const AUTH_BYTES = 16
/** An IPv6 address and two ufrags, which RFC 8839 section 5.4 lets have 256 characters each. */
const MAX_SIGNATURE_BYTES = 640
