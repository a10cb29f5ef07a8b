import { GcmCipher } from "./gcm.ts"
import { PAD_BYTES, PacketHmac, tagWords } from "./hmac.ts"
import { deriveSrtpKeys, type SrtpMaster, type SrtpSessionKeys } from "./keys.ts"
import { CmKeystream, type KeystreamWindow } from "./keystream.ts"
import { MAX_PACKET_BYTES, type PacketRing } from "./packet-ring.ts"
import { readU32, writeU32 } from "./rtp-header.ts"

/** A payload as the protector takes it: readable as 32-bit words, whoever shares it. */
export interface AlignedPayload {
  readonly bytes: Uint8Array
  /** As many whole words as there are. */
  readonly words: Uint32Array
}

/** The sending side of one SRTP session. */
export interface SrtpProtector {
  /**
   * Encrypts and authenticates one packet in the ring: the header (a multiple of 4 bytes) already stands at `offset`, the payload is
   * read from where it is. Returns the length of the packet. Packets of one SSRC may come late, but never
   * with the same sequence number and another content: that would give the keystream away.
   */
  protect(ring: PacketRing, offset: number, headerBytes: number, payload: AlignedPayload): number
}

/** Opens the sending side with the keys that DTLS exported. */
export function createProtector(master: SrtpMaster): SrtpProtector {
  return createProtectorFromSessionKeys(deriveSrtpKeys(master))
}

/** The same for keys that are derived already, as test vectors give them. */
export function createProtectorFromSessionKeys(keys: SrtpSessionKeys): SrtpProtector {
  return keys.profile === "AES128_CM_SHA1_80" ? new CmProtector(keys) : new GcmProtector(keys)
}

/** Gives a payload the form that `protect` wants; copies it only where its memory is not aligned to words. */
export function alignPayload(payload: Uint8Array): AlignedPayload {
  const bytes = payload.byteOffset % 4 === 0 ? payload : new Uint8Array(payload)
  return { bytes, words: new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2) }
}

/** Rollover counter of what is sent: follows the sequence numbers, and knows late ones from before a wrap. */
class RolloverCounter {
  #counter = 0
  #last = -1

  /** The counter that belongs to a sequence number, 32 bits. RFC 3711 section 3.3.1. */
  follow(sequenceNumber: number): number {
    if (this.#last < 0) this.#last = sequenceNumber
    const isForward = ((sequenceNumber - this.#last) & 0xffff) < 0x8000
    if (!isForward) return sequenceNumber > this.#last ? this.#counter - 1 : this.#counter
    if (sequenceNumber < this.#last) this.#counter++
    this.#last = sequenceNumber
    return this.#counter
  }
}

interface CmStream {
  readonly rollover: RolloverCounter
  readonly window: KeystreamWindow
}

class CmProtector implements SrtpProtector {
  readonly #keystream: CmKeystream
  readonly #hmac: PacketHmac
  readonly #streams = new Map<number, CmStream>()

  constructor(keys: SrtpSessionKeys) {
    this.#keystream = new CmKeystream(keys.cipherKey, keys.salt)
    this.#hmac = new PacketHmac(keys.authKey)
  }

  protect(ring: PacketRing, offset: number, headerBytes: number, payload: AlignedPayload): number {
    const { bytes, words } = ring
    const length = payload.bytes.length
    checkFits(headerBytes + length)
    const ssrc = readU32(bytes, offset + 8)
    const sequenceNumber = ((bytes[offset + 2] as number) << 8) | (bytes[offset + 3] as number)
    let stream = this.#streams.get(ssrc)
    if (!stream) {
      stream = { rollover: new RolloverCounter(), window: this.#keystream.openWindow(ssrc) }
      this.#streams.set(ssrc, stream)
    }
    const rollover = stream.rollover.follow(sequenceNumber)
    const key = this.#keystream.moveTo(stream.window, rollover, sequenceNumber, length, PACKETS_AHEAD)
    xor(payload, stream.window, key, bytes, words, offset + headerBytes)
    const end = offset + headerBytes + length
    writeU32(bytes, end, rollover) // authenticated with the packet, but not sent: the tag takes its place
    this.#hmac.digest(bytes, words, offset - PAD_BYTES, end + 4)
    writeU32(bytes, end, tagWords[0] as number)
    writeU32(bytes, end + 4, tagWords[1] as number)
    bytes[end + 8] = (tagWords[2] as number) >>> 24
    bytes[end + 9] = (tagWords[2] as number) >>> 16
    return headerBytes + length + 10
  }
}

class GcmProtector implements SrtpProtector {
  readonly #cipher: GcmCipher
  readonly #rollovers = new Map<number, RolloverCounter>()

  constructor(keys: SrtpSessionKeys) {
    this.#cipher = new GcmCipher(keys.cipherKey, keys.salt)
  }

  protect(ring: PacketRing, offset: number, headerBytes: number, payload: AlignedPayload): number {
    const { bytes } = ring
    const length = payload.bytes.length
    checkFits(headerBytes + length)
    const ssrc = readU32(bytes, offset + 8)
    const sequenceNumber = ((bytes[offset + 2] as number) << 8) | (bytes[offset + 3] as number)
    let rollover = this.#rollovers.get(ssrc)
    if (!rollover) {
      rollover = new RolloverCounter()
      this.#rollovers.set(ssrc, rollover)
    }
    const start = offset + headerBytes
    this.#cipher.setNonce(ssrc, rollover.follow(sequenceNumber), sequenceNumber, 2)
    this.#cipher.seal(bytes.subarray(offset, start), payload.bytes, bytes, start)
    return headerBytes + length + 16
  }
}

function xor(
  payload: AlignedPayload,
  window: KeystreamWindow,
  firstKeyWord: number,
  bytes: Uint8Array,
  words: Uint32Array,
  offset: number,
): void {
  const source = payload.words
  const key = window.words
  const start = offset >> 2
  const count = source.length
  for (let i = 0; i < count; i++) words[start + i] = (source[i] as number) ^ (key[firstKeyWord + i] as number)
  for (let i = count << 2; i < payload.bytes.length; i++) {
    bytes[offset + i] = (payload.bytes[i] as number) ^ (window.bytes[(firstKeyWord << 2) + i] as number)
  }
}

function checkFits(length: number): void {
  if (length > MAX_PACKET_BYTES) throw new Error(`RTP packet of ${length} bytes`)
}

/** Packets whose keystream is made in one call: enough to spread its fixed cost, little to throw away. */
const PACKETS_AHEAD = 16
