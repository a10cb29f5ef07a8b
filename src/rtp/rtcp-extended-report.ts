import type { ByteReader, ByteWriter } from "../media/bytes.ts"
import type { NtpTime } from "./ntp.ts"

/** How long a receiver's reference time was at a source before the answer left it, RFC 3611 section 4.5. */
export interface ReferenceTimeAnswer {
  /** Whose reference time it was. */
  readonly ssrc: number
  /** Middle 32 bits of that time, 0 where none had come. */
  readonly lastSr: number
  /** Time since then in 1/65536 s. */
  readonly delaySinceLastSr: number
}

/**
 * The two blocks of an extended report (RFC 3611) by which a receiver that sends no media learns its round trip time: its own clock, and the
 * answer to it. Blocks of other types are skipped.
 */
export interface ExtendedReport {
  readonly type: "extended_report"
  readonly senderSsrc: number
  readonly referenceTime?: NtpTime
  readonly answers: readonly ReferenceTimeAnswer[]
}

/** Reads the body of an extended report; throws `bytes.truncated`. */
export function parseExtendedReport(body: ByteReader): ExtendedReport {
  const senderSsrc = body.u32()
  let referenceTime: NtpTime | undefined
  const answers: ReferenceTimeAnswer[] = []
  while (body.remaining > 0) {
    const blockType = body.u8()
    body.skip(1)
    const words = body.u16()
    if (blockType === REFERENCE_TIME && words === 2) referenceTime = { ntpSeconds: body.u32(), ntpFraction: body.u32() }
    else if (blockType === ANSWERS && words % 3 === 0) {
      for (let i = 0; i < words; i += 3) {
        answers.push({ ssrc: body.u32(), lastSr: body.u32(), delaySinceLastSr: body.u32() })
      }
    } else body.skip(words * 4)
  }
  return { type: "extended_report", senderSsrc, ...(referenceTime && { referenceTime }), answers }
}

/** Writes the body of an extended report. */
export function writeExtendedReport({ senderSsrc, referenceTime, answers }: ExtendedReport, body: ByteWriter): void {
  body.u32(senderSsrc)
  if (referenceTime !== undefined) {
    body.u8(REFERENCE_TIME).u8(0).u16(2).u32(referenceTime.ntpSeconds).u32(referenceTime.ntpFraction)
  }
  if (answers.length === 0) return
  body
    .u8(ANSWERS)
    .u8(0)
    .u16(answers.length * 3)
  for (const { ssrc, lastSr, delaySinceLastSr } of answers) body.u32(ssrc).u32(lastSr).u32(delaySinceLastSr)
}

/** RTCP packet type, RFC 3611 section 2. */
export const EXTENDED_REPORT = 207
const REFERENCE_TIME = 4
const ANSWERS = 5
