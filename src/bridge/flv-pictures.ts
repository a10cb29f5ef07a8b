import type { VideoCodec } from "../media/codec.ts"
import type { VideoTrack } from "../media/frame.ts"
import { Av1Pictures } from "./flv-pictures-av1.ts"
import { H264Pictures, H265Pictures } from "./flv-pictures-nal.ts"
import { Vp8Pictures, Vp9Pictures } from "./flv-pictures-vpx.ts"

/** A picture as `VideoFrame` has it, without its times. */
export interface FlvPicture {
  readonly track: VideoTrack
  readonly isKeyframe: boolean
  readonly units: readonly Uint8Array[]
  /** It is decoded from later pictures too. */
  readonly isBidirectional?: boolean
}

/** Reads the data of video tags of one codec. */
export interface FlvPictures {
  readonly codec: VideoCodec
  /** Takes the record of a sequence header. Throws the `media.…` error of the codec. */
  configure(record: Uint8Array): void
  /**
   * Reads the data of a coded frame, which the publisher calls a keyframe or not; undefined where there is no picture in it, or none that
   * could be decoded by what has come so far. Throws the `media.…` error of the codec or `bytes.truncated`.
   */
  read(data: Uint8Array, isCalledKeyframe: boolean): FlvPicture | undefined
}

/** Makes the reader of a codec. */
export function createFlvPictures(codec: VideoCodec): FlvPictures {
  switch (codec) {
    case "h264":
      return new H264Pictures()
    case "h265":
      return new H265Pictures()
    case "av1":
      return new Av1Pictures()
    case "vp9":
      return new Vp9Pictures()
    case "vp8":
      return new Vp8Pictures()
  }
}
