import { cutFrame } from "./frame-fragments.ts"
import { DEFAULT_MAX_PAYLOAD_BYTES } from "./h264-packetizer.ts"

/** How a VP9 frame is cut. */
export interface Vp9PacketizerOptions {
  readonly isKeyframe: boolean
  readonly maxPayloadBytes?: number
}

/**
 * Cuts a VP9 frame, or a superframe with all its hidden frames, into payloads of equal size (RFC 9628 section 4.2). The descriptor is the
 * shortest one of non-flexible mode, without layers and picture ids: receivers then go by sequence numbers, which run on through everything.
 */
export function packetizeVp9(
  frame: Uint8Array,
  { isKeyframe, maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES }: Vp9PacketizerOptions,
): Uint8Array[] {
  const always = isKeyframe ? 0 : IS_PREDICTED
  return cutFrame(
    frame,
    maxPayloadBytes,
    (isFirst, isLast) => always | (isFirst ? STARTS_FRAME : 0) | (isLast ? ENDS_FRAME : 0),
  )
}

const IS_PREDICTED = 0x40
const STARTS_FRAME = 0x08
const ENDS_FRAME = 0x04
