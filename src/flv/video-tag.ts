import { GatewayError } from "../errors.ts"
import { ByteReader, ByteWriter } from "../media/bytes.ts"
import type { VideoCodec } from "../media/codec.ts"
import { VIDEO_ID, videoCodecOfId, videoIdTitle } from "./codec-id.ts"
import { type ExTrack, readModEx, readMultitrack, type TagMessage } from "./ex-header.ts"
import { fourCcBytes, fourCcText, VIDEO_FOURCC, videoCodecOfFourCc } from "./fourcc.ts"

/** What a video message says of one track. */
export type VideoTag =
  /** Sequence header: the decoder configuration record of the codec. */
  | { readonly type: "config"; readonly codec: VideoCodec; readonly record: Uint8Array }
  | VideoFrameTag
  | { readonly type: "endOfSequence"; readonly codec: VideoCodec }
  /** Pairs of name and value in AMF, of what no decoder needs; `colorInfo` is the only name defined. */
  | { readonly type: "metadata"; readonly codec: VideoCodec; readonly amf: Uint8Array }
  /** No picture: the server-side seek of Flash, 0 for its begin, 1 for its end. */
  | { readonly type: "command"; readonly command: number }
  /** Something that nothing here carries, with its name. */
  | { readonly type: "unsupported"; readonly title: string }

/** One picture: H.264 and HEVC as NAL units with lengths in front, AV1 as OBUs with size fields, VP8 and VP9 as the frame. */
export interface VideoFrameTag {
  readonly type: "frame"
  readonly codec: VideoCodec
  /** As the publisher says; the bitstream knows better. */
  readonly isKeyframe: boolean
  /** Presentation minus decoding time, signed 24 bits. */
  readonly compositionTimeMs: number
  readonly data: Uint8Array
}

/**
 * Reads the body of a video tag or message that is not empty (FLV 10.1 section E.4.3.1, and HEVC by codec id 12; Enhanced RTMP v2,
 * "ExVideoTagHeader" and "ExVideoTagBody"). Data borrows from the input.
 *
 * Throws `flv.tag` where it contradicts itself and `bytes.truncated` where it is cut off.
 */
export function parseVideoTag(body: Uint8Array): TagMessage<VideoTag> {
  const reader = new ByteReader(body)
  const first = reader.u8()
  const frameType = (first >> 4) & 7
  if ((first & EX_HEADER) !== 0) return parseExtended(reader, frameType, first & 0x0f)
  const tag: VideoTag =
    frameType === COMMAND_FRAME ? { type: "command", command: reader.u8() } : parseLegacy(reader, frameType, first & 15)
  return { timestampOffsetNs: 0, tracks: [{ trackId: 0, tag }] }
}

/** Writes the tag body of a sequence header: H.264 as every peer knows it, all others by Enhanced RTMP. */
export function serializeVideoConfig(codec: VideoCodec, record: Uint8Array): Uint8Array {
  const writer = new ByteWriter(MAX_HEADER_BYTES + record.length)
  if (codec === "h264")
    writer
      .u8((KEYFRAME << 4) | VIDEO_ID.h264)
      .u8(AVC_SEQUENCE_HEADER)
      .u24(0)
  else writer.u8(exFlags(KEYFRAME, EX_SEQUENCE_START)).bytes(FOURCC_BYTES[codec])
  return writer.bytes(record).finish()
}

/** Writes what precedes the data in the tag body of a picture. Only H.264 and HEVC have composition times. */
export function serializeVideoFrameHeader(
  codec: VideoCodec,
  isKeyframe: boolean,
  compositionTimeMs: number,
): Uint8Array {
  const frameType = isKeyframe ? KEYFRAME : INTER_FRAME
  const writer = new ByteWriter(MAX_HEADER_BYTES)
  if (codec === "h264") {
    writer
      .u8((frameType << 4) | VIDEO_ID.h264)
      .u8(AVC_NAL_UNITS)
      .u24(compositionTimeMs & 0xff_ffff)
  } else if (codec === "h265" && compositionTimeMs !== 0) {
    writer
      .u8(exFlags(frameType, EX_CODED_FRAMES))
      .bytes(FOURCC_BYTES.h265)
      .u24(compositionTimeMs & 0xff_ffff)
  } else {
    const packetType = codec === "h265" ? EX_CODED_FRAMES_X : EX_CODED_FRAMES
    writer.u8(exFlags(frameType, packetType)).bytes(FOURCC_BYTES[codec])
  }
  return writer.finish()
}

/** Writes the tag body of metadata, pairs of name and value in AMF0; peers without Enhanced RTMP do not know it. */
export function serializeVideoMetadata(codec: VideoCodec, amf: Uint8Array): Uint8Array {
  const writer = new ByteWriter(MAX_HEADER_BYTES + amf.length)
  return writer.u8(exFlags(KEYFRAME, EX_METADATA)).bytes(FOURCC_BYTES[codec]).bytes(amf).finish()
}

/** The layout of AVC, which HEVC has too. */
function parseLegacy(reader: ByteReader, frameType: number, id: number): VideoTag {
  const codec = videoCodecOfId(id)
  if (codec === undefined) return { type: "unsupported", title: videoIdTitle(id) }
  const packetType = reader.u8()
  const compositionTimeMs = readI24(reader)
  switch (packetType) {
    case AVC_SEQUENCE_HEADER:
      return { type: "config", codec, record: reader.rest() }
    case AVC_NAL_UNITS:
      return { type: "frame", codec, isKeyframe: frameType === KEYFRAME, compositionTimeMs, data: reader.rest() }
    case AVC_END_OF_SEQUENCE:
      return { type: "endOfSequence", codec }
    default:
      throw new GatewayError("flv.tag", `packet type ${packetType} of ${codec} is unknown`)
  }
}

function parseExtended(reader: ByteReader, frameType: number, first: number): TagMessage<VideoTag> {
  const { packetType, timestampOffsetNs } = readModEx(reader, first)
  if (frameType === COMMAND_FRAME && packetType !== EX_METADATA) {
    return { timestampOffsetNs, tracks: [{ trackId: 0, tag: { type: "command", command: reader.u8() } }] }
  }
  if (packetType !== EX_MULTITRACK) {
    const track = { trackId: 0, fourCc: fourCcText(reader.take(4)), body: reader.rest() }
    return { timestampOffsetNs, tracks: [{ trackId: 0, tag: parseTrack(track, frameType, packetType) }] }
  }
  const multitrack = readMultitrack(reader)
  const tracks = multitrack.tracks.map((track) => ({
    trackId: track.trackId,
    tag: parseTrack(track, frameType, multitrack.packetType),
  }))
  return { timestampOffsetNs, tracks }
}

function parseTrack({ fourCc, body }: ExTrack, frameType: number, packetType: number): VideoTag {
  const codec = videoCodecOfFourCc(fourCc)
  if (codec === undefined) return { type: "unsupported", title: `the video codec ${fourCc}` }
  const isKeyframe = frameType === KEYFRAME
  switch (packetType) {
    case EX_SEQUENCE_START:
      return { type: "config", codec, record: body }
    case EX_CODED_FRAMES: {
      const reader = new ByteReader(body)
      const compositionTimeMs = codec === "h264" || codec === "h265" ? readI24(reader) : 0
      return { type: "frame", codec, isKeyframe, compositionTimeMs, data: reader.rest() }
    }
    case EX_CODED_FRAMES_X:
      return { type: "frame", codec, isKeyframe, compositionTimeMs: 0, data: body }
    case EX_SEQUENCE_END:
      return { type: "endOfSequence", codec }
    case EX_METADATA:
      return { type: "metadata", codec, amf: body }
    case EX_MPEG2TS_SEQUENCE_START:
      return { type: "unsupported", title: "AV1 as in MPEG-2 TS" }
    default:
      throw new GatewayError("flv.tag", `Enhanced RTMP has no video packet type ${packetType} here`)
  }
}

function readI24(reader: ByteReader): number {
  return (reader.u24() << 8) >> 8
}

function exFlags(frameType: number, packetType: number): number {
  return EX_HEADER | (frameType << 4) | packetType
}

const EX_HEADER = 0x80
const MAX_HEADER_BYTES = 8
const KEYFRAME = 1
const INTER_FRAME = 2
const COMMAND_FRAME = 5
const AVC_SEQUENCE_HEADER = 0
const AVC_NAL_UNITS = 1
const AVC_END_OF_SEQUENCE = 2
const EX_SEQUENCE_START = 0
const EX_CODED_FRAMES = 1
const EX_SEQUENCE_END = 2
const EX_CODED_FRAMES_X = 3
const EX_METADATA = 4
const EX_MPEG2TS_SEQUENCE_START = 5
const EX_MULTITRACK = 6
const FOURCC_BYTES: Readonly<Record<VideoCodec, Uint8Array>> = {
  h264: fourCcBytes(VIDEO_FOURCC.h264),
  h265: fourCcBytes(VIDEO_FOURCC.h265),
  av1: fourCcBytes(VIDEO_FOURCC.av1),
  vp9: fourCcBytes(VIDEO_FOURCC.vp9),
  vp8: fourCcBytes(VIDEO_FOURCC.vp8),
}
