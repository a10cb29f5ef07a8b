import { GatewayError } from "../errors.ts"
import type { ByteReader } from "../media/bytes.ts"
import { fourCcText } from "./fourcc.ts"

/** An audio or video message: one tag, or one for each track of it. */
export interface TagMessage<Tag> {
  /** Added to the time of the message, 0 to 999 999 (ModEx TimestampOffsetNano). */
  readonly timestampOffsetNs: number
  /** Never empty; tracks without a number are track 0, the default one. */
  readonly tracks: readonly { readonly trackId: number; readonly tag: Tag }[]
}

/** Part of a message that belongs to one track. */
export interface ExTrack {
  readonly trackId: number
  readonly fourCc: string
  readonly body: Uint8Array
}

/**
 * Reads the chain of ModEx signals that may precede a packet type (Enhanced RTMP v2, "ExAudioTagHeader", "ExVideoTagHeader"); signals that
 * are not known are skipped. Throws `bytes.truncated`.
 */
export function readModEx(reader: ByteReader, first: number): { packetType: number; timestampOffsetNs: number } {
  let packetType = first
  let timestampOffsetNs = 0
  while (packetType === MOD_EX) {
    let sizeBytes = reader.u8() + 1
    if (sizeBytes === 256) sizeBytes = reader.u16() + 1
    const data = reader.take(sizeBytes)
    const types = reader.u8()
    packetType = types & 0x0f
    if (types >> 4 === TIMESTAMP_OFFSET_NANO) timestampOffsetNs = Math.min(u24(data), MAX_OFFSET_NS)
  }
  return { packetType, timestampOffsetNs }
}

/**
 * Reads what follows the packet type Multitrack: the packet type of all tracks, and where each one lies. Throws `flv.tag` for an unknown kind
 * of multitrack and `bytes.truncated`.
 */
export function readMultitrack(reader: ByteReader): { packetType: number; tracks: ExTrack[] } {
  const types = reader.u8()
  const kind = types >> 4
  if (kind > MANY_TRACKS_MANY_CODECS) throw new GatewayError("flv.tag", `multitrack type ${kind} is unknown`)
  const common = kind === MANY_TRACKS_MANY_CODECS ? undefined : fourCcText(reader.take(4))
  const tracks: ExTrack[] = []
  do {
    const fourCc = common ?? fourCcText(reader.take(4))
    const trackId = reader.u8()
    const sizeBytes = kind === ONE_TRACK ? reader.remaining : reader.u24()
    if (tracks.length >= MAX_TRACKS) throw new GatewayError("flv.tag", `more than ${MAX_TRACKS} tracks in a message`)
    tracks.push({ trackId, fourCc, body: reader.take(sizeBytes) })
  } while (reader.remaining > 0)
  return { packetType: types & 0x0f, tracks }
}

function u24(bytes: Uint8Array): number {
  const [high = 0, middle = 0, low = 0] = bytes
  return bytes.length < 3 ? 0 : (high << 16) | (middle << 8) | low
}

const MOD_EX = 7
const TIMESTAMP_OFFSET_NANO = 0
const MAX_OFFSET_NS = 999_999
const ONE_TRACK = 0
const MANY_TRACKS_MANY_CODECS = 2
/** As many as there are track numbers. */
const MAX_TRACKS = 256
