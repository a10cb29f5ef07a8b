import { GatewayError } from "../errors.ts"
import { ByteWriter } from "../media/bytes.ts"
import type { AmfValue } from "../rtmp/amf-value.ts"
import { serializeAmf0 } from "../rtmp/amf0.ts"

/** Tag types of FLV, which are the message types of RTMP (FLV 10.1 section E.4.1). */
export const FLV_TAG_TYPE = { audio: 8, video: 9, script: 18 } as const

/** A tag as it is to stand in a file: the body in parts that follow one another. */
export interface FlvTag {
  /** One of `FLV_TAG_TYPE`. */
  readonly typeId: number
  /** Unsigned 32 bits, wraps. */
  readonly timestampMs: number
  readonly parts: readonly Uint8Array[]
}

/** Makes the header of a file or stream, with the size of the tag that is not there before the first one (FLV 10.1 sections E.2 and E.3). */
export function flvFileHeader({ hasVideo, hasAudio }: { hasVideo: boolean; hasAudio: boolean }): Uint8Array {
  return new ByteWriter(FLV_FILE_HEADER_BYTES)
    .u24(SIGNATURE)
    .u8(1)
    .u8((hasAudio ? HAS_AUDIO : 0) | (hasVideo ? HAS_VIDEO : 0))
    .u32(HEADER_ONLY_BYTES)
    .u32(0)
    .finish()
}

/** Makes a tag, followed by its size as a file has it (FLV 10.1 sections E.3 and E.4). Throws `flv.tag` for a body of 16 MiB and more. */
export function flvTag({ typeId, timestampMs, parts }: FlvTag): Uint8Array {
  const bodyBytes = parts.reduce((sum, { length }) => sum + length, 0)
  if (bodyBytes > MAX_BODY_BYTES) throw new GatewayError("flv.tag", `a tag cannot hold ${bodyBytes} bytes`)
  const writer = new ByteWriter(FLV_TAG_HEADER_BYTES + bodyBytes + FLV_TAG_SIZE_BYTES)
    .u8(typeId)
    .u24(bodyBytes)
    .u24(timestampMs & 0xff_ffff)
    .u8(timestampMs >>> 24)
    .u24(0) // the stream id, always 0
  for (const part of parts) writer.bytes(part)
  return writer.u32(FLV_TAG_HEADER_BYTES + bodyBytes).finish()
}

/** Makes a script tag such as `onMetaData`: its name, then its values as an ECMA array or what else they are (FLV 10.1 section E.4.4). */
export function scriptTag(name: string, values: AmfValue, timestampMs: number): Uint8Array {
  return flvTag({ typeId: FLV_TAG_TYPE.script, timestampMs, parts: [serializeAmf0([name, values])] })
}

/** What `flvFileHeader` takes. */
export const FLV_FILE_HEADER_BYTES = 13
/** What precedes the body of a tag. */
export const FLV_TAG_HEADER_BYTES = 11
/** What follows it. */
export const FLV_TAG_SIZE_BYTES = 4

const HEADER_ONLY_BYTES = 9
/** "FLV" */
const SIGNATURE = 0x46_4c_56
const HAS_AUDIO = 4
const HAS_VIDEO = 1
const MAX_BODY_BYTES = 0xff_ffff
