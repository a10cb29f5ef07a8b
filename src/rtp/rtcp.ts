import { GatewayError } from "../errors.ts"
import { ByteReader, ByteWriter } from "../media/bytes.ts"
import {
  EXTENDED_REPORT,
  type ExtendedReport,
  parseExtendedReport,
  writeExtendedReport,
} from "./rtcp-extended-report.ts"
import {
  FIR,
  NACK,
  PAYLOAD_FEEDBACK,
  PLI,
  parsePayloadFeedback,
  parseTransportLayerFeedback,
  REMB,
  type RtcpFeedback,
  TRANSPORT_FEEDBACK,
  writeFeedback,
} from "./rtcp-feedback.ts"
import {
  BYE,
  parseBye,
  parseReceiverReport,
  parseSdes,
  parseSenderReport,
  RECEIVER_REPORT,
  type RtcpReport,
  SDES,
  SENDER_REPORT,
  writeReport,
} from "./rtcp-report.ts"
import { TRANSPORT_WIDE } from "./rtcp-transport-feedback.ts"

/** A packet that is not understood (APP and what is yet to come). */
export interface UnknownRtcp {
  readonly type: "unknown"
  readonly packetType: number
  /** The five bits after the padding bit: a count or a feedback message type. */
  readonly count: number
  /** What follows the four-byte header, borrowed, without padding. */
  readonly body: Uint8Array
}

/** One packet of a compound RTCP datagram. */
export type RtcpPacket = RtcpReport | RtcpFeedback | ExtendedReport | UnknownRtcp

/**
 * Parses a compound or reduced-size RTCP datagram (RFC 3550 section 6, RFC 4585, RFC 5506) that is decrypted already. Throws
 * `rtcp.packet` where any of its packets is malformed: nothing of a datagram with a lie in it is used.
 */
export function parseRtcp(datagram: Uint8Array): RtcpPacket[] {
  const packets: RtcpPacket[] = []
  const reader = new ByteReader(datagram)
  if (datagram.length === 0) throw new GatewayError("rtcp.packet", "empty RTCP datagram")
  while (reader.remaining > 0) {
    if (reader.remaining < 4) throw new GatewayError("rtcp.packet", "RTCP header is cut off")
    const first = reader.u8()
    const packetType = reader.u8()
    const bodyBytes = reader.u16() * 4
    if (first >> 6 !== 2) throw new GatewayError("rtcp.packet", `RTCP version ${first >> 6}`)
    if (bodyBytes > reader.remaining)
      throw new GatewayError("rtcp.packet", `RTCP packet of ${bodyBytes} bytes is cut off`)
    let body = reader.take(bodyBytes)
    if ((first & PADDING_BIT) !== 0) body = withoutPadding(body, reader.remaining)
    packets.push(parseBody(packetType, first & 0x1f, body))
  }
  return packets
}

/** Serializes packets into one datagram; the caller puts a report first where the peer did not agree to reduced size. */
export function serializeRtcp(packets: readonly RtcpPacket[]): Uint8Array {
  const datagram = new ByteWriter(128)
  for (const packet of packets) {
    const body = new ByteWriter(64)
    const { packetType, count } = writeBody(packet, body)
    const bytes = body.finish()
    datagram
      .u8(0x80 | count)
      .u8(packetType)
      .u16(Math.ceil(bytes.length / 4))
      .bytes(bytes)
    for (let i = bytes.length; i % 4 !== 0; i++) datagram.u8(0)
  }
  return datagram.finish()
}

function parseBody(packetType: number, count: number, body: Uint8Array): RtcpPacket {
  try {
    return parseKnown(packetType, count, new ByteReader(body)) ?? { type: "unknown", packetType, count, body }
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== "bytes.truncated") throw error
    throw new GatewayError("rtcp.packet", `RTCP packet of type ${packetType} is too short`, { cause: error })
  }
}

function parseKnown(packetType: number, count: number, body: ByteReader): RtcpPacket | undefined {
  switch (packetType) {
    case SENDER_REPORT:
      return parseSenderReport(body, count)
    case RECEIVER_REPORT:
      return parseReceiverReport(body, count)
    case SDES:
      return parseSdes(body, count)
    case BYE:
      return parseBye(body, count)
    case TRANSPORT_FEEDBACK:
      return parseTransportLayerFeedback(body, count)
    case PAYLOAD_FEEDBACK:
      return parsePayloadFeedback(body, count)
    case EXTENDED_REPORT:
      return parseExtendedReport(body)
    default:
      return undefined
  }
}

function writeBody(packet: RtcpPacket, body: ByteWriter): { packetType: number; count: number } {
  switch (packet.type) {
    case "sender_report":
      return { packetType: SENDER_REPORT, count: writeReport(packet, body) }
    case "receiver_report":
      return { packetType: RECEIVER_REPORT, count: writeReport(packet, body) }
    case "sdes":
      return { packetType: SDES, count: writeReport(packet, body) }
    case "bye":
      return { packetType: BYE, count: writeReport(packet, body) }
    case "extended_report":
      writeExtendedReport(packet, body)
      return { packetType: EXTENDED_REPORT, count: 0 }
    case "unknown":
      body.bytes(packet.body)
      return { packetType: packet.packetType, count: packet.count }
    default:
      writeFeedback(packet, body)
      return FEEDBACK_HEADER[packet.type]
  }
}

function withoutPadding(body: Uint8Array, bytesAfter: number): Uint8Array {
  const paddingBytes = body.at(-1) ?? 0
  if (bytesAfter > 0 || paddingBytes === 0 || paddingBytes > body.length) {
    throw new GatewayError("rtcp.packet", `RTCP padding of ${paddingBytes} bytes`)
  }
  return body.subarray(0, body.length - paddingBytes)
}

const PADDING_BIT = 0x20
const FEEDBACK_HEADER = {
  nack: { packetType: TRANSPORT_FEEDBACK, count: NACK },
  transport_feedback: { packetType: TRANSPORT_FEEDBACK, count: TRANSPORT_WIDE },
  pli: { packetType: PAYLOAD_FEEDBACK, count: PLI },
  fir: { packetType: PAYLOAD_FEEDBACK, count: FIR },
  remb: { packetType: PAYLOAD_FEEDBACK, count: REMB },
} as const
