import { aacParameters } from "./aac-parameters.ts"
import type { MiniSdpPacket } from "./packet.ts"
import type { MiniCodec, MiniFeedback, MiniMedia, MiniSession } from "./session.ts"

/**
 * The SDP text that Tencent's decoder of one generation makes of a packet, byte for byte (SPEC section 13.2). For comparison
 * only: browsers want `sessionToSdp`. To see another generation's text, decode the packet as that one.
 */
export function referenceText({ generation, session }: MiniSdpPacket): string {
  const isExt = generation === "ext"
  const isIpv6 = session.addressFamily === 6
  const mids = session.media.map(({ kind }, index) => (session.hasNamedMids ? kind : String(index)))
  const lines = [
    "v=0",
    `o=- ${session.isSequenceAligned ? 1 : 0} 0 IN ${isIpv6 ? "IP6 ::1" : "IP4 127.0.0.1"}`,
    "s=-",
    "t=0 0",
    ["a=group:BUNDLE", ...mids].join(" "),
    "a=msid-semantic: WMS ",
    ...session.media.flatMap((media, index) => sectionLines(session, media, mids[index] as string, isExt)),
  ]
  return `${lines.join("\r\n")}\r\n`
}

function sectionLines(session: MiniSession, media: MiniMedia, mid: string, isExt: boolean): string[] {
  const { fingerprint } = session
  const isExtData = isExt && media.kind === "data"
  const unspecified = session.addressFamily === 6 ? "IN IP6 ::" : "IN IP4 0.0.0.0"
  const codecs = codecsOf(media)
  const type = media.kind === "data" ? "" : media.kind // v0-base has no name for it
  const profile = session.isEncrypted ? "UDP/TLS/RTP/SAVPF" : "RTP/AVPF"
  const payloadTypes = codecs.flatMap(({ codec, rtx }) => [codec, ...rtx]).map(({ payloadType }) => ` ${payloadType}`)
  return [
    isExtData ? "m=application 9 UDP/DTLS/SCTP webrtc-datachannel" : `m=${type} 9 ${profile}${payloadTypes.join("")}`,
    `c=${unspecified}`,
    ...(isExtData ? [] : [`a=rtcp:9 ${unspecified}`, ...candidateLines(session, isExt)]),
    ...(session.ufrag === "" ? [] : [`a=ice-ufrag:${session.ufrag}`]),
    ...(session.pwd === "" ? [] : [`a=ice-pwd:${session.pwd}`]),
    ...(fingerprint === undefined ? [] : [`a=fingerprint:${fingerprint.algorithm} ${fingerprint.value}`]),
    `a=setup:${session.role}`,
    `a=mid:${mid}`,
    ...(isExtData ? [] : [`a=${session.direction}`, "a=rtcp-mux"]),
    ...(media.kind === "video" ? ["a=rtcp-rsize"] : []),
    ...(isExtData ? ["a=sctp-port:5000", "a=max-message-size:262144"] : []),
    ...media.extensions.toSorted((a, b) => a.id - b.id).map(({ id, uri }) => `a=extmap:${id} ${uri}`),
    ...codecs.flatMap(({ codec, rtx }) => codecLines(codec, rtx, media, session, isExt)),
    ...sourceLines(session.ufrag, media, codecs.at(-1)?.codec, isExt),
  ]
}

function candidateLines({ candidates }: MiniSession, isExt: boolean): string[] {
  return (isExt ? candidates : candidates.slice(0, 1)).map(
    ({ transport, address, port }) =>
      `a=candidate:foundation 1 ${transport} 100 ${address} ${port} typ srflx raddr ${address} rport ${port} generation 0`,
  )
}

/** Ascending payload types, an rtx behind what it repeats; one that repeats nothing in the list stands for itself. */
function codecsOf({ codecs }: MiniMedia): { codec: MiniCodec; rtx: MiniCodec[] }[] {
  const sorted = codecs.toSorted((a, b) => a.payloadType - b.payloadType)
  const isAttached = ({ apt }: MiniCodec) => apt !== undefined && codecs.some((codec) => codec.payloadType === apt)
  return sorted
    .filter((codec) => !isAttached(codec))
    .map((codec) => ({ codec, rtx: sorted.filter(({ apt }) => apt === codec.payloadType) }))
}

function codecLines(
  codec: MiniCodec,
  rtx: readonly MiniCodec[],
  media: MiniMedia,
  session: MiniSession,
  isExt: boolean,
): string[] {
  const pt = codec.payloadType
  const feedback = (Object.keys(FEEDBACK) as (keyof MiniFeedback)[]).filter((name) => codec.feedback[name])
  const parameters = parametersOf(codec, media, session, isExt)
  return [
    `a=rtpmap:${pt} ${encoding(codec)}`,
    ...feedback.map((name) => `a=rtcp-fb:${pt} ${FEEDBACK[name]}`),
    ...(parameters.length === 0 ? [] : [`a=fmtp:${pt} ${parameters.sort().join(";")}`]),
    ...rtx.flatMap((each) => [
      `a=rtpmap:${each.payloadType} ${encoding(each)}`,
      `a=fmtp:${each.payloadType} apt=${pt}`,
    ]),
  ]
}

function encoding({ name, clockRateHz, channels }: MiniCodec): string {
  return `${name}/${clockRateHz}${channels === 0 ? "" : `/${channels}`}`
}

function parametersOf(codec: MiniCodec, media: MiniMedia, { hasAacConfig }: MiniSession, isExt: boolean): string[] {
  const { name, aac } = codec
  if (media.kind === "audio") {
    if (aac !== undefined && hasAacConfig) return aacParameters(aac)
    return name === "flexfec-03" ? [] : ["stereo=1"]
  }
  if (media.kind === "data" || (isExt && name === "rtx")) return []
  const { picture } = media
  return [
    ...(codec.hasBFrames ? ["bframe-enabled=1"] : []),
    ...["level-asymmetry-allowed=1", "packetization-mode=1", "profile-level-id=42e01f"],
    ...(picture === undefined ? [] : [`Width=${picture.width}`, `Height=${picture.height}`]),
    ...spropParameters(codec, media),
  ]
}

function spropParameters({ name }: MiniCodec, { parameterSets }: MiniMedia): string[] {
  return parameterSets.flatMap((sets) => {
    if (sets.codec !== name) return []
    return sets.codec === "H264"
      ? [`sprop-parameter-sets=${sets.sps},${sets.pps}`]
      : [`sprop-sps=${sets.sps}`, `sprop-pps=${sets.pps}`, `sprop-vps=${sets.vps}`]
  })
}

function sourceLines(ufrag: string, media: MiniMedia, lastCodec: MiniCodec | undefined, isExt: boolean): string[] {
  const { kind, ssrc, secondSsrc, rtxSsrc } = media
  const hasFec = isExt || media.codecs.some(({ name }) => name === "flexfec-03")
  const label = `${ufrag}_${isExt ? kind : (lastCodec?.name ?? "")}`
  return [
    ...(hasFec && secondSsrc !== 0 ? [`a=ssrc-group:FEC-FR ${ssrc} ${secondSsrc}`] : []),
    ...(rtxSsrc === 0 ? [] : [`a=ssrc-group:FID ${ssrc} ${rtxSsrc}`]),
    ...[ssrc, secondSsrc, rtxSsrc]
      .filter((each) => each !== 0)
      .flatMap((each) => [
        `a=ssrc:${each} cname:${ufrag}`,
        `a=ssrc:${each} label:${label}`,
        `a=ssrc:${each} msid:${ufrag} ${label}`,
        `a=ssrc:${each} mslabel:${ufrag}`,
      ]),
  ]
}

/** In the order of their text. */
const FEEDBACK = { googRemb: "goog-remb", nack: "nack", rrtr: "rrtr", transportCc: "transport-cc" } as const
