import { GatewayError } from "../errors.ts"
import { ByteReader, ByteWriter } from "../media/bytes.ts"
import type { PassedAudioCodec } from "../media/codec.ts"
import { AUDIO_ID, passedCodecOfId } from "./codec-id.ts"
import { type ExTrack, readModEx, readMultitrack, type TagMessage } from "./ex-header.ts"
import { AUDIO_FOURCC, audioCodecOfFourCc, type FourCcAudioCodec, fourCcBytes, fourCcText } from "./fourcc.ts"

/** What an audio message says of one track. */
export type AudioTag =
  /** AudioSpecificConfig for AAC, identification header (RFC 7845 section 5.1, may be empty) for Opus, STREAMINFO for FLAC. */
  | { readonly type: "config"; readonly codec: FourCcAudioCodec; readonly config: Uint8Array }
  | { readonly type: "frame"; readonly codec: FourCcAudioCodec; readonly data: Uint8Array }
  /** A frame of the time before Enhanced RTMP; `flags` is the first byte of the body (format, rate, size and type). */
  | {
      readonly type: "legacyFrame"
      readonly codec: PassedAudioCodec
      readonly flags: number
      readonly data: Uint8Array
    }
  /** How many channels there are, for codecs that do not say it themselves. */
  | { readonly type: "channels"; readonly codec: FourCcAudioCodec; readonly channels: number }
  | { readonly type: "endOfSequence"; readonly codec: FourCcAudioCodec }
  /** Something that nothing here carries, with its name. */
  | { readonly type: "unsupported"; readonly title: string }

/**
 * Reads the body of an audio tag or message that is not empty (FLV 10.1 section E.4.2.1; Enhanced RTMP v2, "ExAudioTagHeader" and
 * "ExAudioTagBody"). Data borrows from the input.
 *
 * Throws `flv.tag` where it contradicts itself and `bytes.truncated` where it is cut off.
 */
export function parseAudioTag(body: Uint8Array): TagMessage<AudioTag> {
  const reader = new ByteReader(body)
  const flags = reader.u8()
  if (flags >> 4 === AUDIO_ID.exHeader) return parseExtended(reader, flags & 0x0f)
  return { timestampOffsetNs: 0, tracks: [{ trackId: 0, tag: parseLegacy(reader, flags) }] }
}

/** Writes the tag body of a sequence header: AAC as every peer knows it, all others by Enhanced RTMP. */
export function serializeAudioConfig(codec: FourCcAudioCodec, config: Uint8Array): Uint8Array {
  const header = codec === "aac" ? AAC_CONFIG_HEADER : CONFIG_HEADERS[codec]
  return new ByteWriter(header.length + config.length).bytes(header).bytes(config).finish()
}

/** What precedes the data in the tag body of an audio frame; shared, so never write to it. */
export function audioFrameHeader(codec: FourCcAudioCodec): Uint8Array {
  return codec === "aac" ? AAC_FRAME_HEADER : FRAME_HEADERS[codec]
}

function parseLegacy(reader: ByteReader, flags: number): AudioTag {
  const id = flags >> 4
  if (id !== AUDIO_ID.aac) {
    const codec = passedCodecOfId(id)
    if (codec === undefined) return { type: "unsupported", title: `sound format ${id}` }
    return { type: "legacyFrame", codec, flags, data: reader.rest() }
  }
  const packetType = reader.u8()
  if (packetType === AAC_SEQUENCE_HEADER) return { type: "config", codec: "aac", config: reader.rest() }
  if (packetType === AAC_RAW) return { type: "frame", codec: "aac", data: reader.rest() }
  throw new GatewayError("flv.tag", `AAC packet type ${packetType} is unknown`)
}

function parseExtended(reader: ByteReader, first: number): TagMessage<AudioTag> {
  const { packetType, timestampOffsetNs } = readModEx(reader, first)
  if (packetType !== EX_MULTITRACK) {
    const track = { trackId: 0, fourCc: fourCcText(reader.take(4)), body: reader.rest() }
    return { timestampOffsetNs, tracks: [{ trackId: 0, tag: parseTrack(track, packetType) }] }
  }
  const multitrack = readMultitrack(reader)
  const tracks = multitrack.tracks.map((track) => ({
    trackId: track.trackId,
    tag: parseTrack(track, multitrack.packetType),
  }))
  return { timestampOffsetNs, tracks }
}

function parseTrack({ fourCc, body }: ExTrack, packetType: number): AudioTag {
  const codec = audioCodecOfFourCc(fourCc)
  if (codec === undefined) return { type: "unsupported", title: `the audio codec ${fourCc}` }
  switch (packetType) {
    case EX_SEQUENCE_START:
      return { type: "config", codec, config: body }
    case EX_CODED_FRAMES:
      return { type: "frame", codec, data: body }
    case EX_SEQUENCE_END:
      return { type: "endOfSequence", codec }
    case EX_MULTICHANNEL_CONFIG: {
      const reader = new ByteReader(body)
      reader.skip(1) // the order of the channels
      return { type: "channels", codec, channels: reader.u8() }
    }
    default:
      throw new GatewayError("flv.tag", `Enhanced RTMP has no audio packet type ${packetType} here`)
  }
}

function headers(packetType: number): Readonly<Record<FourCcAudioCodec, Uint8Array>> {
  const flags = (AUDIO_ID.exHeader << 4) | packetType
  const entries = Object.entries(AUDIO_FOURCC).map(([codec, fourCc]) => [
    codec,
    Uint8Array.of(flags, ...fourCcBytes(fourCc)),
  ])
  return Object.fromEntries(entries)
}

const AAC_SEQUENCE_HEADER = 0
const AAC_RAW = 1
const EX_SEQUENCE_START = 0
const EX_CODED_FRAMES = 1
const EX_SEQUENCE_END = 2
const EX_MULTICHANNEL_CONFIG = 4
const EX_MULTITRACK = 5
/** For AAC the flags are always 44 kHz, 16 bits, stereo, whatever the sound is. */
const AAC_FLAGS = (AUDIO_ID.aac << 4) | 0x0f
const AAC_CONFIG_HEADER = Uint8Array.of(AAC_FLAGS, AAC_SEQUENCE_HEADER)
const AAC_FRAME_HEADER = Uint8Array.of(AAC_FLAGS, AAC_RAW)
const CONFIG_HEADERS = headers(EX_SEQUENCE_START)
const FRAME_HEADERS = headers(EX_CODED_FRAMES)
