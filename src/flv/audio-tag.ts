import { GatewayError } from "../errors.ts"
import { ByteReader, ByteWriter } from "../media/bytes.ts"
import { fourCcBytes, fourCcText } from "./fourcc.ts"

/** Audio codecs that tags can carry here. */
export type AudioTagCodec = "aac" | "opus"

/** The body of an FLV audio tag, which is that of an RTMP audio message too. */
export type AudioTag =
  /** AudioSpecificConfig for AAC, identification header (RFC 7845 section 5.1) for Opus. */
  | { readonly type: "config"; readonly codec: AudioTagCodec; readonly config: Uint8Array }
  | { readonly type: "frame"; readonly codec: AudioTagCodec; readonly data: Uint8Array }
  | { readonly type: "endOfSequence" }
  /** Something without sound: a channel layout. */
  | { readonly type: "other" }

/**
 * Reads an audio tag body (FLV 10.1 section E.4.2.1, Enhanced RTMP v2 for FourCC `Opus` and `mp4a`). Data borrows from the
 * input.
 *
 * Throws `flv.tag` for other codecs, naming them, and `bytes.truncated` where it is cut off.
 */
export function parseAudioTag(body: Uint8Array): AudioTag {
  const reader = new ByteReader(body)
  const first = reader.u8()
  const format = first >> 4
  if (format === EX_HEADER) return parseExtended(reader, first & 0x0f)
  if (format !== AAC)
    throw new GatewayError("flv.tag", `audio codec ${LEGACY_NAMES[format] ?? format} is not supported yet`)
  const packetType = reader.u8()
  if (packetType === AAC_SEQUENCE_HEADER) return { type: "config", codec: "aac", config: reader.rest() }
  if (packetType === AAC_RAW) return { type: "frame", codec: "aac", data: reader.rest() }
  throw new GatewayError("flv.tag", `AAC packet type ${packetType}`)
}

/** Writes the tag body of a sequence header. */
export function serializeAudioConfig(codec: AudioTagCodec, config: Uint8Array): Uint8Array {
  const header = codec === "aac" ? AAC_CONFIG_HEADER : OPUS_CONFIG_HEADER
  return new ByteWriter(header.length + config.length).bytes(header).bytes(config).finish()
}

/** What precedes the data in the tag body of an audio frame. */
export function audioFrameHeader(codec: AudioTagCodec): Uint8Array {
  return codec === "aac" ? AAC_FRAME_HEADER : OPUS_FRAME_HEADER
}

function parseExtended(reader: ByteReader, packetType: number): AudioTag {
  const fourCc = fourCcText(reader.take(4))
  const codec = EX_CODECS[fourCc]
  if (codec === undefined) throw new GatewayError("flv.tag", `audio codec ${fourCc} is not supported yet`)
  switch (packetType) {
    case EX_SEQUENCE_START:
      return { type: "config", codec, config: reader.rest() }
    case EX_CODED_FRAMES:
      return { type: "frame", codec, data: reader.rest() }
    case EX_SEQUENCE_END:
      return { type: "endOfSequence" }
    case EX_MULTICHANNEL_CONFIG:
      return { type: "other" }
    default:
      throw new GatewayError("flv.tag", `enhanced audio packet type ${packetType} is not supported yet`)
  }
}

const EX_HEADER = 9
const AAC = 10
const AAC_SEQUENCE_HEADER = 0
const AAC_RAW = 1
const EX_SEQUENCE_START = 0
const EX_CODED_FRAMES = 1
const EX_SEQUENCE_END = 2
const EX_MULTICHANNEL_CONFIG = 4
const EX_CODECS: Readonly<Record<string, AudioTagCodec>> = { Opus: "opus", mp4a: "aac" }
/** For AAC the flags are always 44 kHz, 16 bits, stereo, whatever the sound is. */
const AAC_FLAGS = (AAC << 4) | 0x0f
const AAC_CONFIG_HEADER = Uint8Array.of(AAC_FLAGS, AAC_SEQUENCE_HEADER)
const AAC_FRAME_HEADER = Uint8Array.of(AAC_FLAGS, AAC_RAW)
const OPUS_CONFIG_HEADER = Uint8Array.of((EX_HEADER << 4) | EX_SEQUENCE_START, ...fourCcBytes("Opus"))
const OPUS_FRAME_HEADER = Uint8Array.of((EX_HEADER << 4) | EX_CODED_FRAMES, ...fourCcBytes("Opus"))
const LEGACY_NAMES: Readonly<Record<number, string>> = {
  0: "PCM",
  1: "ADPCM",
  2: "MP3",
  3: "PCM",
  4: "Nellymoser",
  5: "Nellymoser",
  6: "Nellymoser",
  7: "G.711 A-law",
  8: "G.711 mu-law",
  11: "Speex",
  14: "MP3",
}
