import { CLOCK_RATE_HZ } from "../../media/packet.ts"
import { usToTicks } from "../../media/time.ts"
import { unixUsToNtp } from "../../rtp/ntp.ts"
import type { RtcpPacket } from "../../rtp/rtcp.ts"
import type { LocalTrack } from "../../sdp/serialize.ts"
import type { ViewerTrackStats } from "./fanout.ts"

/** The moment of a sender report, and what it is about. */
export interface ReportMoment {
  readonly kind: "audio" | "video"
  readonly local: LocalTrack
  /** Now on the stream's timeline. */
  readonly timelineUs: number
  /** The same moment as a wall clock has it. */
  readonly unixUs: number
}

/**
 * A sender report with the track's name (RFC 3550 section 6.4.1): it joins the clocks of sound and picture, so that a viewer can bring them
 * together. Undefined before the first packet.
 */
export function senderReport(
  stats: ViewerTrackStats,
  { kind, local, timelineUs, unixUs }: ReportMoment,
): RtcpPacket[] | undefined {
  if (stats.ptsUs === undefined) return undefined
  const sinceTicks = usToTicks(timelineUs - stats.ptsUs, CLOCK_RATE_HZ[kind])
  return [
    {
      type: "sender_report",
      senderSsrc: local.ssrc,
      ...unixUsToNtp(unixUs),
      rtpTimestamp: (stats.rtpTimestamp + sinceTicks) >>> 0,
      packetCount: stats.packetCount,
      octetCount: stats.octetCount,
      reports: [],
    },
    { type: "sdes", chunks: [{ ssrc: local.ssrc, cname: local.cname }] },
  ]
}
