import { type AmfObject, type AmfValue, amfField, isAmfRecord } from "./amf-value.ts"

/** What a peer says of itself in `connect` or in the answer to it, Enhanced RTMP v2 "Enhancing NetConnection connect Command". */
export interface PeerCapabilities {
  /** FourCC codes of video that the peer can receive, `*` for all; undefined where it says nothing of them. */
  readonly video: ReadonlySet<string> | undefined
  /** The same for audio. */
  readonly audio: ReadonlySet<string> | undefined
  /** It can be asked to connect again (`NetConnection.Connect.ReconnectRequest`). */
  readonly canReconnect: boolean
  readonly canMultitrack: boolean
  /** It can at least skip ModEx signals. */
  readonly canModEx: boolean
  readonly canNanosecondOffsets: boolean
}

/** What a peer of before Enhanced RTMP says: nothing. */
export const NO_CAPABILITIES: PeerCapabilities = {
  video: undefined,
  audio: undefined,
  canReconnect: false,
  canMultitrack: false,
  canModEx: false,
  canNanosecondOffsets: false,
}

/** Reads `fourCcList`, `videoFourCcInfoMap`, `audioFourCcInfoMap` and `capsEx`; what is not of the specified type counts as not said. */
export function parseCapabilities(properties: AmfValue): PeerCapabilities {
  const list = fourCcSet(amfField(properties, "fourCcList"))
  const caps = amfField(properties, "capsEx")
  const flags = typeof caps === "number" ? caps : 0
  return {
    video: receivable(amfField(properties, "videoFourCcInfoMap")) ?? list,
    audio: receivable(amfField(properties, "audioFourCcInfoMap")) ?? list,
    canReconnect: (flags & CAPS.reconnect) !== 0,
    canMultitrack: (flags & CAPS.multitrack) !== 0,
    canModEx: (flags & CAPS.modEx) !== 0,
    canNanosecondOffsets: (flags & CAPS.timestampNanoOffset) !== 0,
  }
}

/** Whether a list of codecs has one; undefined where there is no list. */
export function listsFourCc(list: ReadonlySet<string> | undefined, fourCc: string): boolean | undefined {
  return list === undefined ? undefined : list.has(fourCc) || list.has("*")
}

/** True where a peer speaks Enhanced RTMP, whatever it says. */
export function isEnhanced(properties: AmfValue): boolean {
  return ENHANCED_PROPERTIES.some((name) => amfField(properties, name) !== undefined)
}

/** What this gateway says of itself: it forwards these codecs, reads ModEx, and as a server asks peers to connect again. */
export function ownCapabilities(): AmfObject {
  const forwarded = (codes: readonly string[]) => Object.fromEntries(codes.map((code) => [code, CAN_FORWARD]))
  return {
    fourCcList: [...VIDEO_FOURCCS, ...AUDIO_FOURCCS],
    videoFourCcInfoMap: forwarded(VIDEO_FOURCCS),
    audioFourCcInfoMap: forwarded(AUDIO_FOURCCS),
    capsEx: CAPS.reconnect | CAPS.multitrack | CAPS.modEx | CAPS.timestampNanoOffset,
  }
}

function fourCcSet(value: AmfValue): ReadonlySet<string> | undefined {
  if (!Array.isArray(value)) return undefined
  return new Set(value.filter((item) => typeof item === "string"))
}

/** Who can decode or forward a codec can receive it. */
function receivable(map: AmfValue): ReadonlySet<string> | undefined {
  if (!isAmfRecord(map)) return undefined
  const entries: Iterable<readonly [string, AmfValue]> = map instanceof Map ? map : Object.entries(map)
  const codes = new Set<string>()
  for (const [code, flags] of entries) {
    if (typeof flags === "number" && (flags & (CAN_DECODE | CAN_FORWARD)) !== 0) codes.add(code)
  }
  return codes
}

const CAN_DECODE = 1
const CAN_FORWARD = 4
const CAPS = { reconnect: 1, multitrack: 2, modEx: 4, timestampNanoOffset: 8 } as const
const ENHANCED_PROPERTIES = ["fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx"]
const VIDEO_FOURCCS = ["avc1", "hvc1", "av01", "vp09", "vp08"]
const AUDIO_FOURCCS = ["mp4a", "Opus", ".mp3", "fLaC", "ac-3", "ec-3"]
