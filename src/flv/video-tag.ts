import { GatewayError } from "../errors.ts"
import { ByteReader, ByteWriter } from "../media/bytes.ts"
import { fourCcText } from "./fourcc.ts"

/** The body of an FLV video tag, which is that of an RTMP video message too. */
export type VideoTag =
  /** AVCDecoderConfigurationRecord. */
  | { readonly type: "config"; readonly record: Uint8Array }
  | VideoFrameTag
  | { readonly type: "endOfSequence" }
  /** Something without a picture: a command frame, metadata. */
  | { readonly type: "other" }

/** One picture: NAL units with lengths in front. */
export interface VideoFrameTag {
  readonly type: "frame"
  /** As the publisher says; the NAL units know better. */
  readonly isKeyframe: boolean
  /** Presentation minus decoding time, signed 24 bits. */
  readonly compositionTimeMs: number
  readonly data: Uint8Array
}

/**
 * Reads a video tag body (FLV 10.1 section E.4.3.1, Enhanced RTMP v2 for FourCC `avc1`). Data borrows from the input.
 *
 * Throws `flv.tag` for other codecs, naming them, and `bytes.truncated` where it is cut off.
 */
export function parseVideoTag(body: Uint8Array): VideoTag {
  const reader = new ByteReader(body)
  const first = reader.u8()
  const frameType = (first >> 4) & 7
  if ((first & EX_HEADER) !== 0) return parseExtended(reader, frameType, first & 0x0f)
  if (frameType === COMMAND_FRAME) return { type: "other" }
  const codec = first & 0x0f
  if (codec !== AVC)
    throw new GatewayError("flv.tag", `video codec ${LEGACY_NAMES[codec] ?? codec} is not supported yet`)
  const packetType = reader.u8()
  const compositionTimeMs = (reader.u24() << 8) >> 8
  switch (packetType) {
    case AVC_SEQUENCE_HEADER:
      return { type: "config", record: reader.rest() }
    case AVC_NAL_UNITS:
      return { type: "frame", isKeyframe: frameType === KEYFRAME, compositionTimeMs, data: reader.rest() }
    case AVC_END_OF_SEQUENCE:
      return { type: "endOfSequence" }
    default:
      throw new GatewayError("flv.tag", `AVC packet type ${packetType}`)
  }
}

/** Writes the tag body of a sequence header. */
export function serializeVideoConfig(record: Uint8Array): Uint8Array {
  return new ByteWriter(HEADER_BYTES + record.length)
    .u8((KEYFRAME << 4) | AVC)
    .u8(AVC_SEQUENCE_HEADER)
    .u24(0)
    .bytes(record)
    .finish()
}

/** Writes what precedes the NAL units in the tag body of a picture. */
export function serializeVideoFrameHeader(isKeyframe: boolean, compositionTimeMs: number): Uint8Array {
  return new ByteWriter(HEADER_BYTES)
    .u8(((isKeyframe ? KEYFRAME : INTER_FRAME) << 4) | AVC)
    .u8(AVC_NAL_UNITS)
    .u24(compositionTimeMs & 0xff_ffff)
    .finish()
}

function parseExtended(reader: ByteReader, frameType: number, packetType: number): VideoTag {
  const fourCc = fourCcText(reader.take(4))
  if (fourCc !== "avc1") throw new GatewayError("flv.tag", `video codec ${fourCc} is not supported yet`)
  if (frameType === COMMAND_FRAME) return { type: "other" }
  const isKeyframe = frameType === KEYFRAME
  switch (packetType) {
    case EX_SEQUENCE_START:
      return { type: "config", record: reader.rest() }
    case EX_CODED_FRAMES: {
      const compositionTimeMs = (reader.u24() << 8) >> 8
      return { type: "frame", isKeyframe, compositionTimeMs, data: reader.rest() }
    }
    case EX_CODED_FRAMES_X:
      return { type: "frame", isKeyframe, compositionTimeMs: 0, data: reader.rest() }
    case EX_SEQUENCE_END:
      return { type: "endOfSequence" }
    case EX_METADATA:
      return { type: "other" }
    default:
      throw new GatewayError("flv.tag", `enhanced video packet type ${packetType} is not supported yet`)
  }
}

const EX_HEADER = 0x80
const HEADER_BYTES = 5
const KEYFRAME = 1
const INTER_FRAME = 2
const COMMAND_FRAME = 5
const AVC = 7
const AVC_SEQUENCE_HEADER = 0
const AVC_NAL_UNITS = 1
const AVC_END_OF_SEQUENCE = 2
const EX_SEQUENCE_START = 0
const EX_CODED_FRAMES = 1
const EX_SEQUENCE_END = 2
const EX_CODED_FRAMES_X = 3
const EX_METADATA = 4
/** Codec ids of FLV; 12 is what Chinese encoders use for HEVC without Enhanced RTMP. */
const LEGACY_NAMES: Readonly<Record<number, string>> = {
  2: "Sorenson H.263",
  3: "Screen",
  4: "VP6",
  5: "VP6A",
  12: "HEVC",
}
