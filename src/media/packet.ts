import type { PassedExtension } from "./header-extension.ts"

/**
 * The vocabulary of the packets lane: RTP packets ready for a WebRTC viewer except for what differs per viewer (SSRC,
 * payload type, sequence and timestamp offset, header extensions, encryption).
 */

/** One RTP packet of a lane. */
export interface LanePacket {
  /** The lane's own numbering, 16 bits, without a gap where nothing was lost on the way in. */
  readonly sequenceNumber: number
  readonly marker: boolean
  /** Payload in the codec's RTP format (RFC 6184, RFC 7798, RFC 7741, RFC 9628, AV1 RTP, RFC 7587). */
  readonly payload: Uint8Array
  /** Header extensions that came with it and go on to viewers; most packets have none. */
  readonly extensions?: readonly PassedExtension[]
}

/** Packets of one timestamp of one track: a whole frame from the packetizer, or one packet passed on as it came. */
export interface RtpBatch {
  readonly kind: "video" | "audio"
  /** RTP timestamp of the lane, 32 bits, 90 kHz for video and 48 kHz for Opus. */
  readonly timestamp: number
  /** The same instant on the stream's timeline. */
  readonly ptsUs: number
  /** True for the batch with which a keyframe and its parameter sets begin: a viewer can start here. */
  readonly startsKeyframe: boolean
  /** There where it is known that no other picture refers to this one, so that it can be left out; on all batches of the picture. */
  readonly isDisposable?: true
  /** With a keyframe of video with B-frames: how many pictures a decoder holds back before it gives the first one. */
  readonly reorderDepth?: number
  /** Size of the picture, on the batch of a keyframe that tells it: mostly its first one, else one soon after. */
  readonly widthPx?: number
  readonly heightPx?: number
  readonly packets: readonly LanePacket[]
}

/** RTP clock of each kind of track. */
export const CLOCK_RATE_HZ = { video: 90_000, audio: 48_000 } as const
