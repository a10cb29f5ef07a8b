import { cutFrame } from "./frame-fragments.ts"
import { DEFAULT_MAX_PAYLOAD_BYTES } from "./h264-packetizer.ts"

/**
 * Cuts a VP8 frame into payloads of equal size behind the shortest descriptor (RFC 7741 section 4.2): without picture ids, so that receivers
 * go by sequence numbers (`withoutVp8PictureIds` tells why).
 */
export function packetizeVp8(
  frame: Uint8Array,
  { maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES }: { readonly maxPayloadBytes?: number } = {},
): Uint8Array[] {
  return cutFrame(frame, maxPayloadBytes, (isFirst) => (isFirst ? STARTS_PARTITION : 0))
}

const STARTS_PARTITION = 0x10
