import { GatewayError } from "../errors.ts"
import type { ByteReader, ByteWriter } from "../media/bytes.ts"

/** When packets arrived that carry transport-wide sequence numbers, draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1. */
export interface TransportFeedback {
  readonly type: "transport_feedback"
  readonly senderSsrc: number
  /** One of the sources that the packets belong to; the report is about all of them. */
  readonly mediaSsrc: number
  /** Counts the reports, 8 bits: a sender sees from it that one was lost. */
  readonly feedbackCount: number
  /** Transport-wide sequence number of the first entry in `arrivalsUs`, 16 bits; those that follow rise by one each. */
  readonly baseSequenceNumber: number
  /**
   * Arrival of each packet on the receiver's own clock, undefined for one that did not come; at least one entry. On the wire a multiple of
   * 250 µs that wraps after 12 days.
   */
  readonly arrivalsUs: readonly (number | undefined)[]
}

/** One packet of a report, as the sender of the media sees it. */
export interface ReportedPacket {
  /** Transport-wide, 16 bits. */
  readonly sequenceNumber: number
  /** Undefined for a packet that did not arrive. */
  readonly arrivalUs: number | undefined
}

/** The packets of a report with their numbers, in the order in which they were sent. */
export function reportedPackets({ baseSequenceNumber, arrivalsUs }: TransportFeedback): ReportedPacket[] {
  return arrivalsUs.map((arrivalUs, i) => ({ sequenceNumber: (baseSequenceNumber + i) & 0xffff, arrivalUs }))
}

/** Time on the wire: arrivals count in quarters of a millisecond. */
export function toDeltaTicks(arrivalUs: number): number {
  return Math.round(arrivalUs / DELTA_US)
}

/** Reads what follows the RTCP header. Throws `bytes.truncated` and `rtcp.packet`. */
export function parseTransportWideFeedback(body: ByteReader): TransportFeedback {
  const senderSsrc = body.u32()
  const mediaSsrc = body.u32()
  const baseSequenceNumber = body.u16()
  const count = body.u16()
  const referenceTime = body.u24()
  const feedbackCount = body.u8()
  // A run takes two bytes for 8191 packets, so that the size of the message bounds nothing.
  if (count === 0 || count > MAX_STATUSES) throw new GatewayError("rtcp.packet", `feedback on ${count} packets`)
  const statuses = parseStatuses(body, count)
  let ticks = referenceTime * REFERENCE_TICKS
  const arrivalsUs = statuses.map((status) => {
    if (status === NOT_RECEIVED) return undefined
    ticks += status === SMALL_DELTA ? body.u8() : (body.u16() << 16) >> 16
    return ticks * DELTA_US
  })
  return { type: "transport_feedback", senderSsrc, mediaSsrc, feedbackCount, baseSequenceNumber, arrivalsUs }
}

/**
 * Writes what follows the sender's SSRC. Throws a RangeError for a report that the format cannot hold: no packet or more than 65535, or
 * two after one another that arrived more than 8 s apart.
 */
export function writeTransportWideFeedback(feedback: TransportFeedback, body: ByteWriter): void {
  const { mediaSsrc, baseSequenceNumber, arrivalsUs, feedbackCount } = feedback
  if (arrivalsUs.length === 0 || arrivalsUs.length > 0xffff) {
    throw new RangeError(`feedback on ${arrivalsUs.length} packets`)
  }
  const first = arrivalsUs.find((arrivalUs) => arrivalUs !== undefined) ?? 0
  const referenceTime = Math.floor(toDeltaTicks(first) / REFERENCE_TICKS)
  let previousTicks = referenceTime * REFERENCE_TICKS
  const deltas: number[] = []
  const statuses = arrivalsUs.map((arrivalUs) => {
    if (arrivalUs === undefined) return NOT_RECEIVED
    const delta = toDeltaTicks(arrivalUs) - previousTicks
    if (delta < -MAX_DELTA_TICKS - 1 || delta > MAX_DELTA_TICKS) throw new RangeError(`delta of ${delta} ticks`)
    previousTicks += delta
    deltas.push(delta)
    return isSmall(delta) ? SMALL_DELTA : LARGE_DELTA
  })
  body.u32(mediaSsrc).u16(baseSequenceNumber).u16(arrivalsUs.length)
  body.u24(modulo(referenceTime, 2 ** 24)).u8(feedbackCount)
  for (let at = 0; at < statuses.length; ) at += writeChunk(statuses, at, body)
  for (const delta of deltas) {
    if (isSmall(delta)) body.u8(delta)
    else body.u16(delta & 0xffff)
  }
}

/** Packet status chunks, section 3.1.3 and 3.1.4: runs of one status, or vectors of fourteen or seven. */
function parseStatuses(body: ByteReader, count: number): number[] {
  const statuses: number[] = []
  while (statuses.length < count) {
    const chunk = body.u16()
    const room = count - statuses.length
    if (chunk >> 15 === 0) {
      const run = Math.min(chunk & MAX_RUN, room)
      if (run === 0) throw new GatewayError("rtcp.packet", "empty run of packet statuses")
      for (let i = 0; i < run; i++) statuses.push(checkedStatus(chunk >> 13))
    } else {
      const bits = (chunk & TWO_BIT_SYMBOLS) === 0 ? 1 : 2
      const symbols = Math.min(14 / bits, room) // the last vector may be longer than what is left
      for (let i = 1; i <= symbols; i++) statuses.push(checkedStatus((chunk >> (14 - i * bits)) & (bits === 1 ? 1 : 3)))
    }
  }
  return statuses
}

/** Writes the chunk that says most of the statuses from `at` on and returns how many that are. */
function writeChunk(statuses: readonly number[], at: number, body: ByteWriter): number {
  const status = statuses[at] as number
  let run = 1
  while (run < MAX_RUN && statuses[at + run] === status) run++
  let small = 0
  while (small < 14 && at + small < statuses.length && statuses[at + small] !== LARGE_DELTA) small++
  const isVector = at + small === statuses.length || small === 14
  if (run >= 14 || at + run === statuses.length || (run >= 7 && !isVector)) {
    body.u16((status << 13) | run)
    return run
  }
  const bits = isVector ? 1 : 2
  const symbols = Math.min(14 / bits, statuses.length - at)
  let chunk = VECTOR_CHUNK | (bits === 1 ? 0 : TWO_BIT_SYMBOLS)
  for (let i = 1; i <= symbols; i++) chunk |= (statuses[at + i - 1] as number) << (14 - i * bits)
  body.u16(chunk)
  return symbols
}

function checkedStatus(status: number): number {
  if (status > LARGE_DELTA) throw new GatewayError("rtcp.packet", "reserved packet status")
  return status
}

function isSmall(delta: number): boolean {
  return delta >= 0 && delta <= 0xff
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor
}

/** Feedback message type among the transport layer feedback. */
export const TRANSPORT_WIDE = 15
/** Largest step in time from one packet to the next, in ticks of `toDeltaTicks`; one more backwards. */
export const MAX_DELTA_TICKS = 0x7fff
const DELTA_US = 250
/** The reference time counts 64 ms. */
const REFERENCE_TICKS = 256
const MAX_STATUSES = 4_096
const MAX_RUN = 0x1fff
const VECTOR_CHUNK = 0x8000
const TWO_BIT_SYMBOLS = 0x4000
const NOT_RECEIVED = 0
const SMALL_DELTA = 1
const LARGE_DELTA = 2
