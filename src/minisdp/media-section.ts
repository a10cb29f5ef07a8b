import type { ByteWriter } from "../media/bytes.ts"
import type { FieldReader } from "./field-reader.ts"
import { checked, malformed } from "./malformed.ts"
import type { MiniAacConfig, MiniCodec, MiniMedia } from "./session.ts"
import {
  BASE_CODECS,
  BASE_EXTENSIONS,
  CLOCK_RATES_HZ,
  CODEC_NAMES,
  EXTENSION_URIS,
  type ExtensionUri,
  MEDIA_KINDS,
} from "./tables.ts"
import { encodeText } from "./text.ts"

/**
 * Reads a media section of either generation, SPEC section 4. Codecs and extensions with a code that nobody knows are left out; the fields that TLVs
 * carry are still empty. Throws `minisdp.packet`.
 */
export function readMediaSection(reader: FieldReader, hasAacConfig: boolean): MiniMedia {
  const ssrc = reader.u32("ssrc1")
  const secondSsrc = reader.u32("ssrc2")
  const typeAndCount = reader.u8("media_type, codec_num")
  const kind = MEDIA_KINDS[typeAndCount & 3]
  const codecCount = typeAndCount >> 2
  reader.meaning(() => `${kind ?? "reserved"}, ${codecCount} codecs`)
  if (kind === undefined) throw malformed("media type 3 is reserved")
  const codecs: MiniCodec[] = []
  for (let i = 0; i < codecCount; i++) {
    const codec = readCodec(reader, hasAacConfig)
    if (codec !== undefined) codecs.push(codec)
  }
  const extensions = readExtensions(reader)
  return { kind, ssrc, secondSsrc, rtxSsrc: 0, codecs, extensions, parameterSets: [], picture: undefined }
}

/** The section without what v0-base does not know. */
export function asBaseSection(media: MiniMedia): MiniMedia {
  const codecs = media.codecs.filter(({ name }) => CODEC_NAMES.indexOf(name) < BASE_CODECS)
  return {
    ...media,
    rtxSsrc: 0,
    codecs: codecs.map((codec) => ({ ...codec, feedback: { ...codec.feedback, rrtr: false } })),
    extensions: media.extensions.filter(({ uri }) => EXTENSION_URIS.indexOf(uri) < BASE_EXTENSIONS),
    parameterSets: [],
    picture: undefined,
  }
}

/** Writes a media section. Throws `minisdp.packet` for what it has no room or code for. */
export function writeMediaSection(writer: ByteWriter, media: MiniMedia, hasAacConfig: boolean): void {
  const { codecs, extensions } = media
  writer.u32(checked(media.ssrc, 0xffff_ffff, "ssrc")).u32(checked(media.secondSsrc, 0xffff_ffff, "ssrc"))
  writer.u8(MEDIA_KINDS.indexOf(media.kind) | (checked(codecs.length, 63, "number of codecs") << 2))
  for (const codec of codecs.toSorted((a, b) => a.payloadType - b.payloadType)) writeCodec(writer, codec, hasAacConfig)
  writer.u8(checked(extensions.length, 255, "number of extensions"))
  for (const { id, uri } of extensions.toSorted((a, b) => a.id - b.id)) {
    writer.u8(checked(id, 255, "extension id")).u8(EXTENSION_URIS.indexOf(uri))
  }
}

function readCodec(reader: FieldReader, hasAacConfig: boolean): MiniCodec | undefined {
  const code = reader.u8("codec, frequency")
  const name = CODEC_NAMES[code >> 4]
  const clockRateHz = CLOCK_RATES_HZ[code & 15] as number
  reader.meaning(() => `${name ?? "unknown"}/${clockRateHz}`)
  const payloadType = reader.u8("payload type") >> 1
  reader.meaning(() => String(payloadType))
  const bits = reader.u8("feedback")
  reader.meaning(() => FEEDBACK_NAMES.filter((_, index) => bits & (8 << index)).join(", ") || "none")
  const more = reader.u8("rrtr, channels")
  const channels = more >> 6
  const rrtr = (more & RRTR) !== 0
  reader.meaning(() => `${channels} channels${rrtr ? ", rrtr" : ""}`)
  const isAac = name === "MP4A-LATM" || name === "MP4A-ADTS"
  const aac = isAac && hasAacConfig ? readAacConfig(reader) : undefined
  if (name === undefined) return undefined
  const feedback = {
    nack: (bits & NACK) !== 0,
    transportCc: (bits & TRANSPORT_CC) !== 0,
    googRemb: (bits & GOOG_REMB) !== 0,
    rrtr,
  }
  const hasBFrames = (bits & BFRAMES) !== 0
  return { payloadType, name, clockRateHz, channels, feedback, hasBFrames, aac, apt: undefined }
}

function writeCodec(writer: ByteWriter, codec: MiniCodec, hasAacConfig: boolean): void {
  const { name, feedback, aac } = codec
  const clockCode = CLOCK_RATES_HZ.indexOf(codec.clockRateHz)
  if (clockCode < 0) throw malformed(`there is no code for a clock of ${codec.clockRateHz} Hz`)
  const bits =
    (codec.hasBFrames ? BFRAMES : 0) |
    (feedback.googRemb ? GOOG_REMB : 0) |
    (feedback.transportCc ? TRANSPORT_CC : 0) |
    (name === "flexfec-03" ? FLEXFEC : 0) |
    (feedback.nack ? NACK : 0)
  const rrtr = feedback.rrtr ? RRTR : 0
  writer.u8((CODEC_NAMES.indexOf(name) << 4) | clockCode).u8(checked(codec.payloadType, 127, "payload type") << 1)
  writer.u8(bits).u8(rrtr | (checked(codec.channels, 3, "channels") << 6))
  if (name !== "MP4A-LATM" && name !== "MP4A-ADTS") return
  if (hasAacConfig) writeAacConfig(writer, aac ?? NO_AAC_CONFIG)
}

/** SPEC section 4.3; flag bits that mean nothing hold garbage from v0-base senders. */
function readAacConfig(reader: FieldReader): MiniAacConfig {
  const object = reader.u8("AAC object")
  const length = reader.u8("AAC config length")
  const flags = reader.u16le("AAC flags")
  const aac = { hasPs: (flags & 1) !== 0, hasSbr: (flags & 2) !== 0, isStereo: (flags & 4) !== 0 }
  const config = reader.text(length, "AAC config")
  return { object, config, ...aac, hasConfigInBand: (flags & 8) !== 0 }
}

function writeAacConfig(writer: ByteWriter, aac: MiniAacConfig): void {
  const config = encodeText(aac.config, "AAC config")
  const flags = (aac.hasPs ? 1 : 0) | (aac.hasSbr ? 2 : 0) | (aac.isStereo ? 4 : 0) | (aac.hasConfigInBand ? 8 : 0)
  writer.u8(checked(aac.object, 255, "AAC object")).u8(checked(config.length, 255, "length of the AAC config"))
  writer.u8(flags).u8(0).bytes(config)
}

function readExtensions(reader: FieldReader): MiniMedia["extensions"] {
  const count = reader.u8("ext_num")
  const extensions: { id: number; uri: ExtensionUri }[] = []
  for (let i = 0; i < count; i++) {
    const id = reader.u8("extmap id")
    const index = reader.u8("extmap URI")
    const uri = EXTENSION_URIS[index]
    reader.meaning(() => uri ?? "unknown, skipped")
    if (uri !== undefined) extensions.push({ id, uri })
  }
  return extensions
}

const BFRAMES = 0x08
const GOOG_REMB = 0x10
const TRANSPORT_CC = 0x20
const FLEXFEC = 0x40
const NACK = 0x80
/** By bit, from `BFRAMES` upwards. */
const FEEDBACK_NAMES = ["bframe-enabled", "goog-remb", "transport-cc", "flexfec", "nack"]
const RRTR = 0x20
const NO_AAC_CONFIG: MiniAacConfig = {
  object: 0,
  config: "",
  hasPs: false,
  hasSbr: false,
  isStereo: false,
  hasConfigInBand: false,
}
