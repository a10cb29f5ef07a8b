import { OBU_TYPE, obuType } from "../media/av1.ts"
import type { VideoCodec } from "../media/codec.ts"
import { isFrameOf, type VideoFrame } from "../media/frame.ts"
import { packetizeAv1 } from "../rtp/av1-packetizer.ts"
import { packetizeVp8 } from "../rtp/vp8-packetizer.ts"
import { packetizeVp9 } from "../rtp/vp9-packetizer.ts"
import { H264ToRtp } from "./h264-to-rtp.ts"
import { H265ToRtp } from "./h265-to-rtp.ts"
import type { VideoPacketizer, VideoPacketizerOptions } from "./video-packetizer.ts"

/** Makes the packetizer for a codec; frames of another one get no payloads. */
export function createVideoPacketizer(codec: VideoCodec, options: VideoPacketizerOptions): VideoPacketizer {
  return PACKETIZERS[codec](options)
}

const PACKETIZERS: Readonly<Record<VideoCodec, (options: VideoPacketizerOptions) => VideoPacketizer>> = {
  h264: (options) => new H264ToRtp(options),
  h265: (options) => new H265ToRtp(options),
  vp8: (options) => inOrder((frame) => (isFrameOf(frame, "vp8") ? packetizeVp8(theOne(frame), options) : [])),
  vp9: ({ maxPayloadBytes }) =>
    inOrder((frame) => {
      const options = { isKeyframe: frame.isKeyframe, ...(maxPayloadBytes !== undefined && { maxPayloadBytes }) }
      return isFrameOf(frame, "vp9") ? packetizeVp9(theOne(frame), options) : []
    }),
  av1: ({ maxPayloadBytes }) =>
    inOrder((frame) => {
      const options = { isKeyframe: frame.isKeyframe, ...(maxPayloadBytes !== undefined && { maxPayloadBytes }) }
      return packetizeAv1(obusOf(frame), options)
    }),
}

/** These codecs have hidden pictures instead of B-frames: what is shown comes in the order in which it is decoded. */
function inOrder(packetize: (frame: VideoFrame) => Uint8Array[]): VideoPacketizer {
  return { reorderDepth: 0, packetize }
}

function theOne({ units }: VideoFrame): Uint8Array {
  return units[0] ?? NONE
}

/** A keyframe has its sequence header in front, also where the publisher sent it only once. */
function obusOf(frame: VideoFrame): readonly Uint8Array[] {
  if (!isFrameOf(frame, "av1")) return []
  const { isKeyframe, track, units } = frame
  const isComplete = !isKeyframe || units.some((obu) => obuType(obu) === OBU_TYPE.sequenceHeader)
  return isComplete ? units : [track.sequenceHeader, ...units]
}

const NONE = new Uint8Array()
