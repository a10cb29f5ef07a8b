import type { PassedExtension } from "../../media/header-extension.ts"
import { absSendTime } from "../../rtp/header-extension.ts"
import type { TrackExtensions, ViewerTrack } from "./fanout.ts"
import { swap32 } from "./srtp/keystream.ts"
import type { PacketRing } from "./srtp/packet-ring.ts"

/** What the packets of all tracks of one viewer have in common. */
export interface TransportCounter {
  /** The next transport-wide sequence number; wraps at 16 bits when it is written. */
  next: number
}

/**
 * Writes the header extensions of one track's packets in the one-byte form: profile 0xbede, length in words, then for each element id and
 * length in one byte, and its value. Each element is filled up to whole words with zero bytes. RFC 8285 section 4.2.
 */
export class ExtensionWriter {
  readonly #midWords: Uint32Array
  readonly #passedIds: NonNullable<TrackExtensions["passed"]>
  readonly #counter: TransportCounter
  readonly #nowUs: () => number
  /** The first byte of the element at its place in the word; 0 without the element. */
  readonly #absSendTimeHead: number
  readonly #transportCcHead: number
  #absSendTimeWord = 0

  /** Throws a `RangeError` for an id that has no one-byte form. */
  constructor(extensions: TrackExtensions, counter: TransportCounter, nowUs: () => number) {
    checkExtensionIds(extensions)
    const { mid, absSendTime, transportCc, passed = {} } = extensions
    this.#midWords = mid === undefined ? new Uint32Array(0) : serializeMid(mid.id, mid.value)
    this.#absSendTimeHead = absSendTime === undefined ? 0 : ((absSendTime << 4) | 2) << 24
    this.#transportCcHead = transportCc === undefined ? 0 : ((transportCc << 4) | 1) << 24
    this.#passedIds = passed
    this.#counter = counter
    this.#nowUs = nowUs
  }

  /** Reads the clock for the packets that are sent at once from now on. */
  startBurst(): void {
    if (this.#absSendTimeHead === 0) return
    this.#absSendTimeWord = swap32(this.#absSendTimeHead | absSendTime(this.#nowUs()))
  }

  /** Writes the extensions of one packet at a word of the ring, and returns how many words they are; 0 without any. */
  write(ring: PacketRing, at: number, isAtStart: boolean, passed: readonly PassedExtension[] | undefined): number {
    const { words } = ring
    let end = at + 1
    if (this.#absSendTimeHead !== 0) words[end++] = this.#absSendTimeWord
    if (this.#transportCcHead !== 0) {
      words[end++] = swap32(this.#transportCcHead | ((this.#counter.next++ & 0xffff) << 8))
    }
    if (isAtStart) {
      const mid = this.#midWords
      for (let i = 0; i < mid.length; i++) words[end++] = mid[i] as number
    }
    if (passed !== undefined) end = this.#writePassed(ring, at + MAX_WORDS, end, passed)
    const count = end - at - 1
    if (count === 0) return 0
    words[at] = swap32(0xbede_0000 | count)
    return count + 1
  }

  /** Leaves out what the viewer did not agree on, what has no one-byte form, and what there is no room for. */
  #writePassed({ bytes, words }: PacketRing, limit: number, start: number, passed: readonly PassedExtension[]): number {
    let end = start
    for (const { name, value } of passed) {
      const id = this.#passedIds[name]
      const { length } = value
      const next = end + ((length + 4) >> 2)
      if (id === undefined || length < 1 || length > 16 || next > limit) continue
      words[next - 1] = 0
      bytes[4 * end] = (id << 4) | (length - 1)
      bytes.set(value, 4 * end + 1)
      end = next
    }
    return end
  }
}

/** Throws a `RangeError` for an id that has no one-byte form. */
export function checkExtensionIds({ mid, absSendTime, transportCc, passed = {} }: TrackExtensions = {}): void {
  for (const id of [mid?.id, absSendTime, transportCc, ...Object.values(passed)]) {
    if (id !== undefined && !(id >= 1 && id <= 14)) throw new RangeError(`header extension id ${id}`)
  }
}

/** What a track's packets carry: without RTX one is sent again as it was, so nothing in it may tell of the sending. */
export function sentExtensions({ extensions = {}, rtx }: ViewerTrack): TrackExtensions {
  if (rtx !== undefined) return extensions
  const { mid, passed } = extensions
  return { ...(mid && { mid }), ...(passed && { passed }) }
}

/** What packets carry that do not come by `sendTo`. */
export function liveExtensions(track: ViewerTrack): TrackExtensions {
  const { transportCc, isTransportCcForSendTo = false, ...others } = sentExtensions(track)
  return isTransportCcForSendTo || transportCc === undefined ? others : { ...others, transportCc }
}

function serializeMid(id: number, mid: string): Uint32Array {
  const value = new TextEncoder().encode(mid)
  if (value.length < 1 || value.length > 16) return new Uint32Array(0)
  const words = new Uint32Array((value.length + 4) >> 2)
  const bytes = new Uint8Array(words.buffer)
  bytes[0] = (id << 4) | (value.length - 1)
  bytes.set(value, 1)
  return words
}

/** With the word in front: 100 bytes, so that the longest payload still fits its place in the ring. */
const MAX_WORDS = 25
