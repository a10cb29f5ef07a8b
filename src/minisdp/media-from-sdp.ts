import { parseDecimal, type SdpAttributes, type SdpSection } from "./sdp-lines.ts"
import type { MiniAacConfig, MiniCodec, MiniMedia, MiniParameterSets } from "./session.ts"
import { CLOCK_RATES_HZ, CODEC_NAMES, type CodecName, EXTENSION_URIS } from "./tables.ts"

/** A codec of a section and its format parameters, names in lower case. */
export interface CodecParameters {
  readonly codec: MiniCodec
  readonly parameters: ReadonlyMap<string, string>
}

/** Collects the codecs of a section that packets have a code for, by ascending payload type; rtx only beside what it repeats. */
export function codecParameters(section: SdpSection, chosen: ReadonlySet<number> | undefined): CodecParameters[] {
  const { attributes, formats } = section
  const fmtps = byPayloadType(attributes.all("fmtp"))
  const feedback = new Set(attributes.all("rtcp-fb").map((value) => value.replace(/ +/g, " ")))
  const codecs: CodecParameters[] = []
  for (const [format, rtpmap] of byPayloadType(attributes.all("rtpmap"))) {
    const [encoding = ""] = rtpmap.split("/", 1)
    const name = CODEC_BY_LOWER_CASE.get(encoding.toLowerCase())
    if (name === undefined || !formats.includes(format)) continue
    const parameters = parseParameters(fmtps.get(format) ?? "")
    const says = (value: string) => feedback.has(`${format} ${value}`) || feedback.has(`* ${value}`)
    const codec = codecOf(name, format, rtpmap, parameters, says)
    if (codec !== undefined) codecs.push({ codec, parameters })
  }
  const primary = new Set(codecs.filter(({ codec }) => isChosen(codec, chosen)).map(({ codec }) => codec.payloadType))
  return codecs
    .filter(({ codec }) => primary.has(codec.payloadType) || (codec.apt !== undefined && primary.has(codec.apt)))
    .sort((a, b) => a.codec.payloadType - b.codec.payloadType)
}

/** Puts a section together from its codecs and what else the packet carries of it. */
export function mediaFromSection(
  { attributes }: SdpSection,
  kind: MiniMedia["kind"],
  codecs: readonly CodecParameters[],
  session: SdpAttributes,
): MiniMedia {
  const groups = attributes.all("ssrc-group").map((value) => value.split(/ +/))
  const first = attributes.first("ssrc")?.split(" ", 1)[0] ?? groups[0]?.[1]
  const partner = (semantics: string) => {
    const group = groups.find(([name, primary]) => name === semantics && primary === first)
    return parseDecimal(group?.[2], 0xffff_ffff) ?? 0
  }
  const hasRtx = codecs.some(({ codec }) => codec.name === "rtx")
  const isVideo = kind === "video"
  return {
    kind,
    ssrc: parseDecimal(first, 0xffff_ffff) ?? 0,
    secondSsrc: partner("FEC-FR"),
    rtxSsrc: hasRtx ? partner("FID") : 0,
    codecs: codecs.map(({ codec }) => codec),
    extensions: extensionsOf([...attributes.all("extmap"), ...session.all("extmap")]),
    parameterSets: isVideo ? parameterSetsOf(codecs) : [],
    picture: isVideo ? pictureOf(codecs) : undefined,
  }
}

function isChosen({ name, payloadType }: MiniCodec, chosen: ReadonlySet<number> | undefined): boolean {
  return name !== "rtx" && (chosen === undefined || chosen.has(payloadType))
}

function codecOf(
  name: CodecName,
  format: string,
  rtpmap: string,
  parameters: ReadonlyMap<string, string>,
  says: (feedback: string) => boolean,
): MiniCodec | undefined {
  const [, clock, channelsText = "0"] = rtpmap.split("/")
  const payloadType = parseDecimal(format, 127)
  const clockRateHz = parseDecimal(clock, 0xffff_ffff)
  const channels = parseDecimal(channelsText, 3)
  if (payloadType === undefined || channels === undefined) return undefined
  if (!clockRateHz || !CLOCK_RATES_HZ.includes(clockRateHz)) return undefined
  return {
    payloadType,
    name,
    clockRateHz,
    channels,
    feedback: {
      nack: says("nack"),
      transportCc: says("transport-cc"),
      googRemb: says("goog-remb"),
      rrtr: says("rrtr"),
    },
    hasBFrames: (parseDecimal(parameters.get("bframe-enabled"), 0xffff_ffff) ?? 0) !== 0,
    aac: name === "MP4A-LATM" || name === "MP4A-ADTS" ? aacConfigOf(parameters) : undefined,
    apt: name === "rtx" ? parseDecimal(parameters.get("apt"), 127) : undefined,
  }
}

function aacConfigOf(parameters: ReadonlyMap<string, string>): MiniAacConfig {
  const isOn = (name: string) => (parseDecimal(parameters.get(name), 255) ?? 0) !== 0
  const config = parameters.get("config") ?? ""
  return {
    object: parseDecimal(parameters.get("object"), 255) ?? 0,
    config: /^[\da-f]{0,255}$/i.test(config) ? config : "",
    hasPs: isOn("ps-enabled"),
    hasSbr: isOn("sbr-enabled"),
    isStereo: isOn("stereo"),
    hasConfigInBand: isOn("cpresent"),
  }
}

function extensionsOf(extmaps: readonly string[]): MiniMedia["extensions"] {
  const byId = new Map<number, MiniMedia["extensions"][number]>()
  for (const value of extmaps) {
    const [idText = "", name] = value.split(/ +/)
    const id = parseDecimal(idText.split("/", 1)[0], 255)
    const uri = EXTENSION_URIS.find((known) => known === name)
    if (id !== undefined && uri !== undefined && !byId.has(id)) byId.set(id, { id, uri })
  }
  return [...byId.values()].sort((a, b) => a.id - b.id)
}

/** One for each codec; those that are too long for a TLV travel in band. */
function parameterSetsOf(codecs: readonly CodecParameters[]): MiniParameterSets[] {
  const sets: MiniParameterSets[] = []
  for (const { codec, parameters } of codecs) {
    if (sets.some((known) => known.codec === codec.name)) continue
    const own = parameterSetsOfCodec(codec, parameters)
    const chars = own === undefined ? 0 : Object.values(own).join("").length
    if (own !== undefined && chars <= MAX_PARAMETER_SETS_CHARS) sets.push(own)
  }
  return sets.sort((a, b) => (a.codec < b.codec ? -1 : 1))
}

function parameterSetsOfCodec(
  { name }: MiniCodec,
  parameters: ReadonlyMap<string, string>,
): MiniParameterSets | undefined {
  if (name === "H264") {
    const value = parameters.get("sprop-parameter-sets")
    if (value === undefined) return undefined
    const comma = value.indexOf(",")
    return comma < 0
      ? { codec: "H264", sps: value, pps: "" }
      : { codec: "H264", sps: value.slice(0, comma), pps: value.slice(comma + 1) }
  }
  if (name !== "H265") return undefined
  const [sps, pps, vps] = ["sprop-sps", "sprop-pps", "sprop-vps"].map((each) => parameters.get(each))
  return sps && pps && vps ? { codec: "H265", sps, pps, vps } : undefined
}

function pictureOf(codecs: readonly CodecParameters[]): MiniMedia["picture"] {
  for (const { parameters } of codecs) {
    const width = parseDecimal(parameters.get("width"), 0xffff_ffff)
    if (width !== undefined) return { width, height: parseDecimal(parameters.get("height"), 0xffff_ffff) ?? 0 }
  }
  return undefined
}

/** The first value for each payload type, as text. */
function byPayloadType(values: readonly string[]): Map<string, string> {
  const map = new Map<string, string>()
  for (const value of values) {
    const space = value.indexOf(" ")
    const format = value.slice(0, space)
    if (space > 0 && !map.has(format)) map.set(format, value.slice(space + 1).trim())
  }
  return map
}

function parseParameters(fmtp: string): Map<string, string> {
  const parameters = new Map<string, string>()
  for (const part of fmtp.split(";")) {
    const [name = "", ...value] = part.trim().split("=")
    const key = name.toLowerCase()
    if (!parameters.has(key)) parameters.set(key, value.join("="))
  }
  return parameters
}

const CODEC_BY_LOWER_CASE = new Map(CODEC_NAMES.map((name) => [name.toLowerCase(), name]))
/** With the codec and three lengths it fits into one TLV. */
const MAX_PARAMETER_SETS_CHARS = 248
