import type { CodecName, ExtensionUri } from "./tables.ts"

/** All that a MiniSDP packet says about media and transport; one direction, role and set of credentials for all sections. */
export interface MiniSession {
  readonly direction: MiniDirection
  readonly role: "actpass" | "active" | "passive"
  /** DTLS-SRTP is wanted; without it media travels in the clear, as between Tencent's own programs. */
  readonly isEncrypted: boolean
  readonly ufrag: string
  readonly pwd: string
  readonly fingerprint: { readonly algorithm: string; readonly value: string } | undefined
  /** Family of the `o=` line and of all candidates; a packet has only one. */
  readonly addressFamily: 4 | 6
  /** The first one with UDP stands in the packet's header, so it is the one that old receivers see. */
  readonly candidates: readonly MiniCandidate[]
  /** At most one section of each kind, in wire order. */
  readonly media: readonly MiniMedia[]
  /** Sections are named `audio`, `video` and `data` instead of 0, 1, 2 in wire order. */
  readonly hasNamedMids: boolean
  /** AAC codecs carry their configuration. */
  readonly hasAacConfig: boolean
  /** The session id of the `o=` line is 1: what Tencent calls sequence alignment. */
  readonly isSequenceAligned: boolean
}

/** Who sends media, seen from the one that wrote the packet. */
export type MiniDirection = "sendonly" | "recvonly" | "sendrecv"

/** A transport address; type and priority are not carried. */
export interface MiniCandidate {
  readonly transport: "udp" | "tcp"
  readonly address: string
  readonly port: number
}

/** One media section. SSRCs are 0 where there is none. */
export interface MiniMedia {
  readonly kind: "audio" | "video" | "data"
  readonly ssrc: number
  /** v0-ext: the FEC partner (FEC-FR) of `ssrc`; v0-base: whichever source came second. */
  readonly secondSsrc: number
  /** Only v0-ext, and only beside an rtx codec that has an `apt`. */
  readonly rtxSsrc: number
  /** Ascending payload types. */
  readonly codecs: readonly MiniCodec[]
  /** Ascending ids. */
  readonly extensions: readonly { readonly id: number; readonly uri: ExtensionUri }[]
  /** Only v0-ext, only video; all values are base64 text as in `a=fmtp`. */
  readonly parameterSets: readonly MiniParameterSets[]
  /** Only v0-ext, only video. */
  readonly picture: { readonly width: number; readonly height: number } | undefined
}

/** A codec with the parameters and feedback that survive the packet. */
export interface MiniCodec {
  readonly payloadType: number
  readonly name: CodecName
  readonly clockRateHz: number
  /** 0 where `a=rtpmap` has none; at most 3. */
  readonly channels: number
  readonly feedback: MiniFeedback
  readonly hasBFrames: boolean
  /** Only `MP4A-LATM` and `MP4A-ADTS`, and only in sessions with `hasAacConfig`. */
  readonly aac: MiniAacConfig | undefined
  /** Only `rtx`: the payload type that it repeats. */
  readonly apt: number | undefined
}

/** The only `a=rtcp-fb` values that the public form has. */
export interface MiniFeedback {
  readonly nack: boolean
  readonly transportCc: boolean
  readonly googRemb: boolean
  /** Only v0-ext. */
  readonly rrtr: boolean
}

/** Parameters of an AAC codec in `a=fmtp`. */
export interface MiniAacConfig {
  readonly object: number
  /** Hexadecimal text; empty where there is none. */
  readonly config: string
  readonly hasPs: boolean
  readonly hasSbr: boolean
  readonly isStereo: boolean
  readonly hasConfigInBand: boolean
}

/** Parameter sets out of band, from `sprop-parameter-sets` or from `sprop-sps`, `sprop-pps` and `sprop-vps`. */
export type MiniParameterSets =
  | { readonly codec: "H264"; readonly sps: string; readonly pps: string }
  | { readonly codec: "H265"; readonly sps: string; readonly pps: string; readonly vps: string }
