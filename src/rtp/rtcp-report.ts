import { GatewayError } from "../errors.ts"
import type { ByteReader, ByteWriter } from "../media/bytes.ts"

/** What a receiver reports of one source, RFC 3550 section 6.4.1. */
export interface ReportBlock {
  readonly ssrc: number
  /** Share of packets lost since the last report, in 1/256. */
  readonly fractionLost: number
  /** Packets lost since the beginning, signed 24 bits: duplicates can make it negative. */
  readonly cumulativeLost: number
  /** Highest sequence number seen, with the count of its wraps in the upper 16 bits. */
  readonly extendedHighestSequenceNumber: number
  /** In ticks of the RTP clock. */
  readonly jitter: number
  /** Middle 32 bits of the NTP time of the last sender report, 0 where there was none. */
  readonly lastSr: number
  /** Time since then in 1/65536 s. */
  readonly delaySinceLastSr: number
}

/** A sender's clock and counts, RFC 3550 section 6.4.1. */
export interface SenderReport {
  readonly type: "sender_report"
  readonly senderSsrc: number
  /** Seconds since 1900 and their fraction in 1/2^32: one instant in both clocks. */
  readonly ntpSeconds: number
  readonly ntpFraction: number
  readonly rtpTimestamp: number
  readonly packetCount: number
  /** Payload bytes. */
  readonly octetCount: number
  readonly reports: readonly ReportBlock[]
}

/** RFC 3550 section 6.4.2. */
export interface ReceiverReport {
  readonly type: "receiver_report"
  readonly senderSsrc: number
  readonly reports: readonly ReportBlock[]
}

/** Source description, RFC 3550 section 6.5; CNAME is the only item that is kept. */
export interface SourceDescription {
  readonly type: "sdes"
  readonly chunks: readonly { readonly ssrc: number; readonly cname: string }[]
}

/** Sources that end, RFC 3550 section 6.6. */
export interface Bye {
  readonly type: "bye"
  readonly ssrcs: readonly number[]
  readonly reason?: string
}

export type RtcpReport = SenderReport | ReceiverReport | SourceDescription | Bye

/** Reads the body of a sender report; throws `bytes.truncated`. Profile-specific extensions at the end are skipped. */
export function parseSenderReport(body: ByteReader, count: number): SenderReport {
  return {
    type: "sender_report",
    senderSsrc: body.u32(),
    ntpSeconds: body.u32(),
    ntpFraction: body.u32(),
    rtpTimestamp: body.u32(),
    packetCount: body.u32(),
    octetCount: body.u32(),
    reports: parseReportBlocks(body, count),
  }
}

/** Reads the body of a receiver report; throws `bytes.truncated`. */
export function parseReceiverReport(body: ByteReader, count: number): ReceiverReport {
  return { type: "receiver_report", senderSsrc: body.u32(), reports: parseReportBlocks(body, count) }
}

/** Reads the chunks of a source description; one without a CNAME gets an empty one. Throws `bytes.truncated`. */
export function parseSdes(body: ByteReader, count: number): SourceDescription {
  const chunks: { ssrc: number; cname: string }[] = []
  for (let i = 0; i < count; i++) {
    const start = body.offset
    const ssrc = body.u32()
    let cname = ""
    for (let item = body.u8(); item !== 0; item = body.u8()) {
      const text = body.take(body.u8())
      if (item === CNAME) cname = utf8.decode(text)
    }
    // A chunk ends with one to four null bytes, on a 32-bit boundary; the first was the item type 0.
    body.skip((4 - ((body.offset - start) % 4)) % 4)
    chunks.push({ ssrc, cname })
  }
  return { type: "sdes", chunks }
}

/** Reads the body of a BYE; throws `bytes.truncated`. */
export function parseBye(body: ByteReader, count: number): Bye {
  const ssrcs: number[] = []
  for (let i = 0; i < count; i++) ssrcs.push(body.u32())
  if (body.remaining === 0) return { type: "bye", ssrcs }
  return { type: "bye", ssrcs, reason: utf8.decode(body.take(body.u8())) }
}

/** Writes the body of a report and returns the count for the packet's header; throws `rtcp.packet` above 31 entries. */
export function writeReport(packet: RtcpReport, body: ByteWriter): number {
  switch (packet.type) {
    case "sender_report":
      body.u32(packet.senderSsrc).u32(packet.ntpSeconds).u32(packet.ntpFraction).u32(packet.rtpTimestamp)
      body.u32(packet.packetCount).u32(packet.octetCount)
      return writeReportBlocks(packet.reports, body)
    case "receiver_report":
      body.u32(packet.senderSsrc)
      return writeReportBlocks(packet.reports, body)
    case "sdes":
      for (const chunk of packet.chunks) {
        const cname = shortText(chunk.cname)
        body.u32(chunk.ssrc).u8(CNAME).u8(cname.length).bytes(cname).u8(0)
        while (body.length % 4 !== 0) body.u8(0)
      }
      return checkedCount(packet.chunks.length)
    case "bye":
      for (const ssrc of packet.ssrcs) body.u32(ssrc)
      if (packet.reason !== undefined) {
        const reason = shortText(packet.reason)
        body.u8(reason.length).bytes(reason)
      }
      return checkedCount(packet.ssrcs.length)
  }
}

function parseReportBlocks(body: ByteReader, count: number): ReportBlock[] {
  const reports: ReportBlock[] = []
  for (let i = 0; i < count; i++) {
    reports.push({
      ssrc: body.u32(),
      fractionLost: body.u8(),
      cumulativeLost: (body.u24() << 8) >> 8,
      extendedHighestSequenceNumber: body.u32(),
      jitter: body.u32(),
      lastSr: body.u32(),
      delaySinceLastSr: body.u32(),
    })
  }
  return reports
}

function writeReportBlocks(reports: readonly ReportBlock[], body: ByteWriter): number {
  for (const report of reports) {
    body
      .u32(report.ssrc)
      .u8(report.fractionLost)
      .u24(report.cumulativeLost & 0xffffff)
    body.u32(report.extendedHighestSequenceNumber).u32(report.jitter).u32(report.lastSr).u32(report.delaySinceLastSr)
  }
  return checkedCount(reports.length)
}

function checkedCount(count: number): number {
  if (count > 31) throw new GatewayError("rtcp.packet", `${count} entries do not fit into an RTCP packet`)
  return count
}

function shortText(text: string): Uint8Array {
  return new TextEncoder().encode(text).subarray(0, 255)
}

/** RTCP packet types, RFC 3550 section 12.1. */
export const SENDER_REPORT = 200
export const RECEIVER_REPORT = 201
export const SDES = 202
export const BYE = 203
const CNAME = 1
const utf8 = new TextDecoder()
