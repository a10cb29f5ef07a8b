import { GatewayError } from "../errors.ts"
import type { ByteReader, ByteWriter } from "../media/bytes.ts"
import {
  parseTransportWideFeedback,
  TRANSPORT_WIDE,
  type TransportFeedback,
  writeTransportWideFeedback,
} from "./rtcp-transport-feedback.ts"

/** Generic NACK: packets that are asked for again, RFC 4585 section 6.2.1. */
export interface Nack {
  readonly type: "nack"
  readonly senderSsrc: number
  readonly mediaSsrc: number
  /** 16 bits each; in the order of the stream where they are written. */
  readonly sequenceNumbers: readonly number[]
}

/** Picture loss indication, RFC 4585 section 6.3.1: a wish for a keyframe. */
export interface PictureLossIndication {
  readonly type: "pli"
  readonly senderSsrc: number
  readonly mediaSsrc: number
}

/** Full intra request, RFC 5104 section 4.3.1: an order for a keyframe. */
export interface FullIntraRequest {
  readonly type: "fir"
  readonly senderSsrc: number
  /** `sequenceNumber` (8 bits) rises with each new request, and stays where one is repeated. */
  readonly requests: readonly { readonly ssrc: number; readonly sequenceNumber: number }[]
}

/** Receiver estimated maximum bitrate, draft-alvestrand-rmcat-remb-03 section 2.2. */
export interface ReceiverEstimatedMaxBitrate {
  readonly type: "remb"
  readonly senderSsrc: number
  /** Rounded down to 18 significant bits on the wire. */
  readonly bitrateBps: number
  readonly ssrcs: readonly number[]
}

/** One feedback message. */
export type RtcpFeedback =
  | Nack
  | TransportFeedback
  | PictureLossIndication
  | FullIntraRequest
  | ReceiverEstimatedMaxBitrate

/**
 * Reads a transport layer feedback message; undefined for formats other than NACK and transport-wide congestion control. Throws
 * `bytes.truncated` and `rtcp.packet`.
 */
export function parseTransportLayerFeedback(body: ByteReader, format: number): Nack | TransportFeedback | undefined {
  if (format === TRANSPORT_WIDE) return parseTransportWideFeedback(body)
  return format === NACK ? parseNack(body) : undefined
}

/** Reads a payload-specific feedback message; undefined for formats other than PLI, FIR and REMB. Throws as above. */
export function parsePayloadFeedback(body: ByteReader, format: number): RtcpFeedback | undefined {
  if (format !== PLI && format !== FIR && format !== REMB) return undefined
  const senderSsrc = body.u32()
  const mediaSsrc = body.u32()
  if (format === PLI) return { type: "pli", senderSsrc, mediaSsrc }
  return format === FIR ? parseFir(body, senderSsrc) : parseRemb(body, senderSsrc)
}

/** Writes the body of a feedback message. */
export function writeFeedback(packet: RtcpFeedback, body: ByteWriter): void {
  body.u32(packet.senderSsrc)
  switch (packet.type) {
    case "nack":
      body.u32(packet.mediaSsrc)
      writeNackEntries(packet.sequenceNumbers, body)
      break
    case "transport_feedback":
      writeTransportWideFeedback(packet, body)
      break
    case "pli":
      body.u32(packet.mediaSsrc)
      break
    case "fir":
      body.u32(0)
      for (const { ssrc, sequenceNumber } of packet.requests) body.u32(ssrc).u8(sequenceNumber).u24(0)
      break
    case "remb": {
      const exponent = Math.max(0, Math.floor(Math.log2(Math.max(packet.bitrateBps, 1))) - 17)
      const mantissa = Math.min(Math.floor(packet.bitrateBps / 2 ** exponent), 0x3ffff)
      body.u32(0).u32(REMB_IDENTIFIER).u8(packet.ssrcs.length)
      body.u24((exponent << 18) | mantissa)
      for (const ssrc of packet.ssrcs) body.u32(ssrc)
    }
  }
}

function parseNack(body: ByteReader): Nack {
  const senderSsrc = body.u32()
  const mediaSsrc = body.u32()
  const sequenceNumbers: number[] = []
  if (body.remaining > MAX_NACK_ENTRIES * 4) throw new GatewayError("rtcp.packet", "too many NACK entries")
  while (body.remaining > 0) {
    const first = body.u16()
    sequenceNumbers.push(first)
    for (let mask = body.u16(), i = 1; mask !== 0; mask >>= 1, i++) {
      if ((mask & 1) !== 0) sequenceNumbers.push((first + i) & 0xffff)
    }
  }
  return { type: "nack", senderSsrc, mediaSsrc, sequenceNumbers }
}

function parseFir(body: ByteReader, senderSsrc: number): FullIntraRequest {
  const requests: { ssrc: number; sequenceNumber: number }[] = []
  while (body.remaining > 0) {
    requests.push({ ssrc: body.u32(), sequenceNumber: body.u8() })
    body.skip(3)
  }
  return { type: "fir", senderSsrc, requests }
}

/** "AFB" messages other than REMB are not for us: undefined. */
function parseRemb(body: ByteReader, senderSsrc: number): ReceiverEstimatedMaxBitrate | undefined {
  if (body.remaining < 4 || body.u32() !== REMB_IDENTIFIER) return undefined
  const count = body.u8()
  const exponentAndMantissa = body.u24()
  const bitrateBps = (exponentAndMantissa & 0x3ffff) * 2 ** (exponentAndMantissa >>> 18)
  const ssrcs: number[] = []
  for (let i = 0; i < count; i++) ssrcs.push(body.u32())
  return { type: "remb", senderSsrc, bitrateBps, ssrcs }
}

/** Packs numbers into pairs of a first number and a mask of the sixteen that follow it. */
function writeNackEntries(sequenceNumbers: readonly number[], body: ByteWriter): void {
  let first: number | undefined
  let mask = 0
  for (const sequenceNumber of sequenceNumbers) {
    const distance = first === undefined ? 0 : (sequenceNumber - first) & 0xffff
    if (first !== undefined && distance >= 1 && distance <= 16) mask |= 1 << (distance - 1)
    else if (first === undefined || distance > 16) {
      if (first !== undefined) body.u16(first).u16(mask)
      first = sequenceNumber
      mask = 0
    }
  }
  if (first !== undefined) body.u16(first).u16(mask)
}

/** RTCP packet types and feedback message types, RFC 4585 section 6, RFC 5104 section 4.3. */
export const TRANSPORT_FEEDBACK = 205
export const PAYLOAD_FEEDBACK = 206
export const NACK = 1
export const PLI = 1
export const FIR = 4
export const REMB = 15
const REMB_IDENTIFIER = 0x52454d42
const MAX_NACK_ENTRIES = 512
