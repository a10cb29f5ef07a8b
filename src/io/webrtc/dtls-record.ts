import { ByteReader, ByteWriter } from "../../media/bytes.ts"

/** One DTLS record. RFC 6347 section 4.1. */
export interface DtlsRecord {
  readonly type: number
  readonly version: number
  readonly epoch: number
  /** 48 bits. */
  readonly sequenceNumber: number
  readonly content: Uint8Array
  /** Header of 13 bytes and content. */
  readonly bytes: Uint8Array
}

/** Splits a datagram into its records; what is cut off or left over is dropped, as the RFC wants. Borrows. */
export function parseDtlsRecords(datagram: Uint8Array): DtlsRecord[] {
  const records: DtlsRecord[] = []
  const reader = new ByteReader(datagram)
  while (reader.remaining >= RECORD_HEADER_BYTES) {
    const start = reader.offset
    const type = reader.u8()
    const version = reader.u16()
    const epoch = reader.u16()
    const sequenceNumber = reader.u16() * 2 ** 32 + reader.u32()
    const length = reader.u16()
    if (length > reader.remaining || version >> 8 !== DTLS_MAJOR) break
    const content = reader.take(length)
    const bytes = datagram.subarray(start, start + RECORD_HEADER_BYTES + length)
    records.push({ type, version, epoch, sequenceNumber, content, bytes })
  }
  return records
}

/** Writes one record. */
export function serializeDtlsRecord(
  type: number,
  epoch: number,
  sequenceNumber: number,
  content: Uint8Array,
): Uint8Array {
  const writer = new ByteWriter(RECORD_HEADER_BYTES + content.length).u8(type).u16(DTLS_1_2).u16(epoch)
  writer
    .u16(Math.floor(sequenceNumber / 2 ** 32))
    .u32(sequenceNumber >>> 0)
    .u16(content.length)
  return writer.bytes(content).finish()
}

export const ALERT = 21
export const HANDSHAKE = 22
export const DTLS_1_2 = 0xfefd

const DTLS_MAJOR = 0xfe
const RECORD_HEADER_BYTES = 13
