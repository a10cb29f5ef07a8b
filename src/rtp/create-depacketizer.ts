import type { VideoCodec } from "../media/codec.ts"
import { Av1Depacketizer } from "./av1-depacketizer.ts"
import type { DepacketizerOptions, VideoDepacketizer } from "./depacketizer.ts"
import { H264Depacketizer } from "./h264-depacketizer.ts"
import { H265Depacketizer } from "./h265-depacketizer.ts"
import { Vp8Depacketizer } from "./vp8-depacketizer.ts"
import { Vp9Depacketizer } from "./vp9-depacketizer.ts"

/** Makes the receiver for the payload format of a codec. */
export function createDepacketizer(codec: VideoCodec, options: DepacketizerOptions): VideoDepacketizer {
  return DEPACKETIZERS[codec](options)
}

const DEPACKETIZERS: Readonly<Record<VideoCodec, (options: DepacketizerOptions) => VideoDepacketizer>> = {
  h264: (options) => new H264Depacketizer(options),
  h265: (options) => new H265Depacketizer(options),
  av1: (options) => new Av1Depacketizer(options),
  vp9: (options) => new Vp9Depacketizer(options),
  vp8: (options) => new Vp8Depacketizer(options),
}
