import { packetizeH264 } from "../../src/rtp/h264-packetizer.ts"
import { PPS, SPS_320 } from "../rtp/h264-stream.ts"

/** How a synthetic picture is made. */
export interface PictureOptions {
  readonly isKeyframe?: boolean
  readonly sps?: Uint8Array
  readonly slices?: number
  readonly sliceBytes?: number
}

/** A synthetic picture: its slices, which tell it from all others, and its RTP payloads. */
export interface Picture {
  readonly units: readonly Uint8Array[]
  /** Of a keyframe the first two are SPS and PPS, each in a packet of its own, as libdatachannel and GStreamer send them. */
  readonly payloads: readonly Uint8Array[]
}

/** Makes a picture of several slices, some of them longer than a packet. */
export function picture(id: number, options: PictureOptions = {}): Picture {
  const { isKeyframe = false, sps = SPS_320, slices = 3, sliceBytes = 900 } = options
  const units = Array.from({ length: slices }, (_, i) => slice(id, i, isKeyframe, sliceBytes + i * 700))
  const payloads = units.flatMap((nalUnit) => packetizeH264([nalUnit]))
  return { units, payloads: isKeyframe ? [sps, PPS, ...payloads] : payloads }
}

/** Only the first slice begins with macroblock 0: first_mb_in_slice is 0 there (`1`), and 1, 3 or more after it. */
function slice(id: number, index: number, isKeyframe: boolean, length: number): Uint8Array {
  const nalUnit = new Uint8Array(length).fill(0x40 + (id % 64))
  nalUnit.set([isKeyframe ? 0x65 : 0x41, index === 0 ? 0x9a : 0x5a, id >> 8, id, index])
  return nalUnit
}
