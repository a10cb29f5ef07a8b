import { leb128Bytes, writeLeb128 } from "../media/av1-obu.ts"
import { DEFAULT_MAX_PAYLOAD_BYTES } from "./h264-packetizer.ts"

/** How a temporal unit is cut. */
export interface Av1PacketizerOptions {
  /** The unit begins a coded video sequence: a keyframe behind its sequence header. */
  readonly isKeyframe: boolean
  readonly maxPayloadBytes?: number
}

/**
 * Puts the OBUs of one temporal unit, without size fields and temporal delimiter, into payloads in order (AV1 RTP specification section 4).
 * All payloads but the last are as large as the bound (at least 16) or smaller by a byte or two; OBUs that do not fit go on in the next one.
 *
 * No payload but the last ends with the end of an OBU: libwebrtc takes that for the end of the picture where no dependency descriptor
 * says more, and a decoder that gives no picture, since it got hidden frames alone, for broken.
 */
export function packetizeAv1(
  obus: readonly Uint8Array[],
  { isKeyframe, maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES }: Av1PacketizerOptions,
): Uint8Array[] {
  const bound = Math.max(maxPayloadBytes, 16)
  const payloads: Uint8Array[] = []
  let draft = newDraft(false)
  const flush = (isInObu: boolean) => {
    payloads.push(aggregate(draft, isInObu, isKeyframe && payloads.length === 0))
    draft = newDraft(isInObu)
  }
  for (const [i, obu] of obus.entries()) {
    const isLast = i === obus.length - 1
    for (let at = 0; at < obu.length; ) {
      const room = bound - draft.bytes
      const fitting = Math.min(obu.length - at, room - leb128Bytes(room))
      const endsBoth = at + fitting === obu.length && room - leb128Bytes(fitting) - fitting < MIN_ROOM_BYTES
      const length = endsBoth && !isLast ? fitting - 1 : fitting
      if (length > 0) {
        draft.elements.push(obu.subarray(at, at + length))
        draft.bytes += leb128Bytes(length) + length
        at += length
      }
      if (at < obu.length) flush(at > 0)
    }
  }
  if (draft.elements.length > 0) flush(false)
  return payloads
}

/** A payload in the making. */
interface Draft {
  readonly continuesObu: boolean
  readonly elements: Uint8Array[]
  /** With the header and a length before each element. */
  bytes: number
}

function newDraft(continuesObu: boolean): Draft {
  return { continuesObu, elements: [], bytes: 1 }
}

/** Up to three elements are counted (W), and the last one needs no length then. */
function aggregate({ continuesObu, elements, bytes }: Draft, leavesOpen: boolean, startsSequence: boolean): Uint8Array {
  const count = elements.length <= MAX_COUNT ? elements.length : 0
  const lastBytes = elements.at(-1)?.length ?? 0
  const payload = new Uint8Array(count > 0 ? bytes - leb128Bytes(lastBytes) : bytes)
  payload[0] =
    (continuesObu ? CONTINUES_OBU : 0) |
    (leavesOpen ? LEAVES_OBU_OPEN : 0) |
    (count << 4) |
    (startsSequence ? STARTS_SEQUENCE : 0)
  let at = 1
  for (const [i, element] of elements.entries()) {
    if (i + 1 !== count) at = writeLeb128(payload, at, element.length)
    payload.set(element, at)
    at += element.length
  }
  return payload
}

const CONTINUES_OBU = 0x80
const LEAVES_OBU_OPEN = 0x40
const STARTS_SEQUENCE = 0x08
const MAX_COUNT = 3
/** A length and a byte. */
const MIN_ROOM_BYTES = 2
