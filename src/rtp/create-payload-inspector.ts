import type { VideoCodec } from "../media/codec.ts"
import { findAv1Keyframe } from "./av1-payload.ts"
import { H264_FORMAT } from "./h264-payload.ts"
import { H265_FORMAT } from "./h265-payload.ts"
import { KeyframeHeaderInspector } from "./keyframe-header-inspector.ts"
import { NalInspector } from "./nal-inspector.ts"
import type { PayloadInspector } from "./payload-inspector.ts"
import { findVp8Keyframe } from "./vp8-payload.ts"
import { findVp9Keyframe } from "./vp9-payload.ts"

/** Makes the inspector for the payload format of a codec. */
export function createPayloadInspector(codec: VideoCodec): PayloadInspector {
  return INSPECTORS[codec]()
}

const INSPECTORS: Readonly<Record<VideoCodec, () => PayloadInspector>> = {
  h264: () => new NalInspector(H264_FORMAT),
  h265: () => new NalInspector(H265_FORMAT),
  av1: () => new KeyframeHeaderInspector(findAv1Keyframe),
  vp9: () => new KeyframeHeaderInspector(findVp9Keyframe),
  vp8: () => new KeyframeHeaderInspector(findVp8Keyframe),
}
