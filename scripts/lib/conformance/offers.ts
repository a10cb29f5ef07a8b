import { randomBytes, randomInt } from "node:crypto"
import type { Protocol } from "./check.ts"
import { attributeValue, readSdp, type SdpSection } from "./sdp-text.ts"

/** ICE credentials, which offers of one session share. */
export interface IceCredentials {
  readonly ufrag: string
  readonly pwd: string
}

/** How an offer differs from the plain one. */
export interface OfferOptions {
  readonly direction?: string
  readonly setup?: "actpass" | "active" | "passive"
  readonly sections?: readonly SectionOptions[]
  readonly ice?: IceCredentials
  /** Of the certificate that the client will show, sha-256; left out, one that nobody has. */
  readonly fingerprint?: string
}

/** One media section of an offer. */
export interface SectionOptions {
  readonly kind: "audio" | "video"
  /** Id of the MediaStream. */
  readonly streamId?: string
  /** Lines that say which codecs there are, instead of Opus or H.264 and VP8. */
  readonly codecs?: { readonly payloadTypes: string; readonly lines: readonly string[] }
  readonly extraLines?: readonly string[]
}

/** New credentials for an ICE session. */
export function createIce(): IceCredentials {
  return { ufrag: randomBytes(3).toString("hex"), pwd: randomBytes(16).toString("hex") }
}

/** An offer as a browser would make it (JSEP), with audio and video, max-bundle, and no candidates. */
export function createOffer(protocol: Protocol, options: OfferOptions = {}): string {
  const { ice = createIce(), setup = "actpass" } = options
  const { direction = protocol === "whip" ? "sendonly" : "recvonly", sections = BOTH_KINDS } = options
  const { fingerprint = randomFingerprint() } = options
  const mids = sections.map((_, index) => index).join(" ")
  const transport = [
    ...[`a=ice-ufrag:${ice.ufrag}`, `a=ice-pwd:${ice.pwd}`, "a=ice-options:trickle"],
    ...[`a=fingerprint:sha-256 ${fingerprint}`, `a=setup:${setup}`, "a=rtcp-mux", "a=rtcp-rsize"],
  ]
  const media = sections.flatMap(
    ({ kind, streamId = "conformance", codecs = CODECS[kind], extraLines = [] }, index) => [
      `m=${kind} 9 UDP/TLS/RTP/SAVPF ${codecs.payloadTypes}`,
      ...["c=IN IP4 0.0.0.0", `a=mid:${index}`, `a=${direction}`, ...transport, ...codecs.lines, ...extraLines],
      ...(protocol === "whip" ? [`a=msid:${streamId} ${kind}${index}`] : []),
    ],
  )
  return lines([...header(), `a=group:BUNDLE ${mids}`, "a=msid-semantic:WMS *", ...media])
}

/** The answer of a player that takes all that a server offers, with the first codec of each section. */
export function createAnswer(offer: string): string {
  const { sections } = readSdp(offer)
  const { ufrag, pwd } = createIce()
  const fingerprint = randomFingerprint()
  const mids = sections.map(midOf).join(" ")
  const media = sections.flatMap((section) => {
    const [payloadType = "0"] = section.payloadTypes
    const codec = section.attributes.filter((line) => new RegExp(`^(rtpmap|fmtp):${payloadType} `).test(line))
    return [
      `m=${section.kind} 9 UDP/TLS/RTP/SAVPF ${payloadType}`,
      ...["c=IN IP4 0.0.0.0", `a=mid:${midOf(section)}`, "a=recvonly", `a=ice-ufrag:${ufrag}`, `a=ice-pwd:${pwd}`],
      ...[`a=fingerprint:sha-256 ${fingerprint}`, "a=setup:active", "a=rtcp-mux", ...codec.map((line) => `a=${line}`)],
    ]
  })
  return lines([...header(), `a=group:BUNDLE ${mids}`, ...media])
}

/** The body of a PATCH, RFC 8840: credentials and candidates of the first section. */
export function createFragment({ ufrag, pwd }: IceCredentials, candidates: readonly string[] = [HOST]): string {
  return lines([
    ...["a=group:BUNDLE 0 1", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0"],
    ...[`a=ice-ufrag:${ufrag}`, `a=ice-pwd:${pwd}`, ...candidates.map((candidate) => `a=candidate:${candidate}`)],
  ])
}

function header(): string[] {
  return ["v=0", `o=- ${randomInt(2 ** 40)} 2 IN IP4 127.0.0.1`, "s=-", "t=0 0"]
}

function lines(parts: readonly string[]): string {
  return `${parts.join("\r\n")}\r\n`
}

function midOf({ attributes }: SdpSection): string {
  return attributeValue(attributes, "mid") ?? "0"
}

function randomFingerprint(): string {
  return (randomBytes(32).toString("hex").toUpperCase().match(/../g) as string[]).join(":")
}

/** An address for documentation, RFC 5737: nothing answers there. */
const HOST = "1 1 udp 2130706431 192.0.2.1 50000 typ host"
export const BOTH_KINDS: readonly SectionOptions[] = [{ kind: "audio" }, { kind: "video" }]
const H264 = "profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1"
const CODECS = {
  audio: { payloadTypes: "111", lines: ["a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1"] },
  video: {
    payloadTypes: "96 97",
    lines: ["a=rtpmap:96 H264/90000", `a=fmtp:96 ${H264}`, "a=rtcp-fb:96 nack pli", "a=rtpmap:97 VP8/90000"],
  },
}
