import type { VideoCodec } from "../media/codec.ts"
import { KeyframeFinder } from "./h264-payload.ts"
import { NOTHING_FOUND, type PayloadInspector } from "./payload-inspector.ts"

/** Makes the inspector for the payload format of a codec. */
export function createPayloadInspector(codec: VideoCodec): PayloadInspector {
  return INSPECTORS[codec]()
}

const nothing = () => ({ startSource: () => undefined, addParameterSet: () => undefined, inspect: () => NOTHING_FOUND })

const INSPECTORS: Readonly<Record<VideoCodec, () => PayloadInspector>> = {
  h264: () => new KeyframeFinder(),
  h265: nothing,
  av1: nothing,
  vp9: nothing,
  vp8: nothing,
}
