import type { VideoFrame } from "../media/frame.ts"
import type { H264PacketizerOptions } from "../rtp/h264-packetizer.ts"

/** How frames are cut; the mode is for H.264 alone. */
export type VideoPacketizerOptions = H264PacketizerOptions

/** Cuts the frames of one codec into RTP payloads, with all in front of keyframes that a decoder needs. */
export interface VideoPacketizer {
  /** How many pictures a decoder holds back in the group of pictures that is being sent; 0 without B-frames. */
  readonly reorderDepth: number
  /** Returns the payloads of the next frame in decoding order. Throws `rtp.payload` for one that cannot be sent. */
  packetize(frame: VideoFrame): Uint8Array[]
}
