import { VIDEO_CODECS, type VideoCodec } from "../media/codec.ts"
import type { OfferedCodec } from "./codec.ts"
import { parseDecimal } from "./description.ts"

/**
 * Chooses the payload type for a video codec. With a profile, that of a stream, it takes only a format that decodes it,
 * except for H.264, where every decoder takes more than its offer says; without one the main profile comes first.
 */
export function chooseVideo(
  codecs: readonly OfferedCodec[],
  name: VideoCodec,
  profileIdc?: number,
): OfferedCodec | undefined {
  const formats = codecs.filter((codec) => codec.name === name && codec.clockRateHz === 90_000)
  switch (name) {
    case "h264":
      return chooseH264(formats, profileIdc)
    case "h265": {
      // The other modes of RFC 7798 section 7.1 spread a stream over several RTP streams, or number its units in decoding order.
      const single = formats.filter(
        ({ parameters }) =>
          /^(srst)?$/i.test(parameters.get("tx-mode") ?? "") && /^0*$/.test(parameters.get("sprop-max-don-diff") ?? ""),
      )
      return chooseProfile(single, PROFILES.h265, profileIdc)
    }
    case "av1":
    case "vp9":
      return chooseProfile(formats, PROFILES[name], profileIdc)
    case "vp8":
      return formats[0]
  }
}

/** The profile of a format that says one truly; undefined for H.264 (OBS says 42e01f whatever it encodes) and VP8. */
export function profileOf(codec: OfferedCodec): number | undefined {
  const name = VIDEO_CODECS.find((known) => known === codec.name)
  if (name === undefined || name === "h264" || name === "vp8") return undefined
  return formatProfile(codec, PROFILES[name])
}

/** Chooses the Opus payload type, RFC 7587. */
export function chooseOpus(codecs: readonly OfferedCodec[]): OfferedCodec | undefined {
  return codecs.find((codec) => codec.name === "opus" && codec.clockRateHz === 48_000)
}

/** The payload type of RFC 2198 whose blocks are all of the given codec; its format is like `111/111`. */
export function findRed(codecs: readonly OfferedCodec[], codec: OfferedCodec): OfferedCodec | undefined {
  const payloadType = String(codec.payloadType)
  return codecs.find((red) => {
    const [blocks = ""] = red.parameters.keys()
    return red.name === "red" && red.clockRateHz === 48_000 && blocks.split("/").every((block) => block === payloadType)
  })
}

/** The retransmission payload type that goes with a codec, RFC 4588. */
export function findRtx(codecs: readonly OfferedCodec[], codec: OfferedCodec): OfferedCodec | undefined {
  const apt = String(codec.payloadType)
  return codecs.find((rtx) => rtx.name === "rtx" && rtx.parameters.get("apt") === apt)
}

/** The packetization mode of an H.264 format; 0 where the offer says none (RFC 6184 section 8.1). */
export function packetizationMode(codec: OfferedCodec): number {
  return parseDecimal(codec.parameters.get("packetization-mode") ?? "0", 255) ?? 255
}

/** RFC 6184: packetization mode 1 before mode 0, then the given profile, then the offer's own order. */
function chooseH264(h264: readonly OfferedCodec[], profileIdc: number | undefined): OfferedCodec | undefined {
  const mode1 = h264.filter((codec) => packetizationMode(codec) === 1)
  const candidates = mode1.length > 0 ? mode1 : h264.filter((codec) => packetizationMode(codec) === 0)
  const wanted = profileIdc?.toString(16).padStart(2, "0")
  return (
    candidates.find((codec) => codec.parameters.get("profile-level-id")?.slice(0, 2).toLowerCase() === wanted) ??
    candidates[0]
  )
}

/** How a codec names its profiles. */
interface ProfileRule {
  readonly parameter: string
  /** What a format without the parameter means, the profile that all have. */
  readonly usual: number
  /** True where decoders of a higher profile take the lower ones too. */
  readonly isNested: boolean
}

function chooseProfile(
  formats: readonly OfferedCodec[],
  rule: ProfileRule,
  wanted: number | undefined,
): OfferedCodec | undefined {
  const find = (fits: (profile: number) => boolean) => formats.find((codec) => fits(formatProfile(codec, rule)))
  if (wanted === undefined) return find((profile) => profile === rule.usual) ?? formats[0]
  return find((profile) => profile === wanted) ?? find((profile) => rule.isNested && profile > wanted)
}

function formatProfile(codec: OfferedCodec, { parameter, usual }: ProfileRule): number {
  return parseDecimal(codec.parameters.get(parameter), 255) ?? usual
}

const PROFILES: Readonly<Record<"h265" | "av1" | "vp9", ProfileRule>> = {
  h265: { parameter: "profile-id", usual: 1, isNested: true }, // RFC 7798 section 7.1
  av1: { parameter: "profile", usual: 0, isNested: true }, // RTP payload format for AV1, section 7.2.1
  vp9: { parameter: "profile-id", usual: 0, isNested: false }, // RFC 9628 section 6.1
}
