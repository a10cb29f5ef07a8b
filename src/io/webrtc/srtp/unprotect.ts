import { GatewayError } from "../../../errors.ts"
import { GCM_TAG_BYTES, GcmCipher, type OpenAead } from "./gcm.ts"
import { PAD_BYTES, PacketHmac, tagWords } from "./hmac.ts"
import { deriveSrtpKeys, type SrtpMaster, type SrtpSessionKeys } from "./keys.ts"
import { CmKeystream } from "./keystream.ts"
import { TrackerTable } from "./packet-index.ts"
import { readU32, rtpHeaderBytes, writeU32 } from "./rtp-header.ts"

/** The receiving side of one SRTP session. */
export interface SrtpUnprotector {
  /**
   * Checks and decrypts one packet in its own memory and returns what is left of it, the plain RTP packet. Throws
   * `srtp.packet` for a packet that is malformed, not authentic, or was received before; such a packet is to be dropped.
   */
  unprotect(packet: Uint8Array): Uint8Array
}

/** Opens the receiving side with the keys that DTLS exported; `openAead` is that of node:crypto if left out. RFC 3711 section 3.3, RFC 7714 section 8. */
export function createUnprotector(master: SrtpMaster, openAead?: OpenAead): SrtpUnprotector {
  return createUnprotectorFromSessionKeys(deriveSrtpKeys(master), openAead)
}

/** The same for keys that are derived already, as test vectors give them. */
export function createUnprotectorFromSessionKeys(keys: SrtpSessionKeys, openAead?: OpenAead): SrtpUnprotector {
  const cipher = keys.profile === "AES128_CM_SHA1_80" ? new CmOpener(keys) : new GcmOpener(keys, openAead)
  return new Unprotector(cipher)
}

/** What differs between the profiles: checks a packet with its index and decrypts it in place, or says that it is not authentic. */
interface PacketOpener {
  readonly tagBytes: number
  open(packet: Uint8Array, headerBytes: number, ssrc: number, rolloverCounter: number, sequenceNumber: number): boolean
}

class Unprotector implements SrtpUnprotector {
  readonly #opener: PacketOpener
  readonly #trackers = new TrackerTable()

  constructor(opener: PacketOpener) {
    this.#opener = opener
  }

  unprotect(packet: Uint8Array): Uint8Array {
    const end = packet.length - this.#opener.tagBytes
    const headerBytes = rtpHeaderBytes(packet, end)
    if (packet.length > MAX_PACKET_BYTES) throw new GatewayError("srtp.packet", `packet of ${packet.length} bytes`)
    const ssrc = readU32(packet, 8)
    const sequenceNumber = ((packet[2] as number) << 8) | (packet[3] as number)
    const tracker = this.#trackers.find(ssrc)
    if (!tracker) throw new GatewayError("srtp.packet", "too many SSRCs")
    const index = tracker.estimate(sequenceNumber)
    if (index < 0 || !tracker.window.isFresh(index)) throw new GatewayError("srtp.packet", "replayed or too old")
    const rolloverCounter = Math.floor(index / 0x10000)
    if (!this.#opener.open(packet, headerBytes, ssrc, rolloverCounter, sequenceNumber)) {
      throw new GatewayError("srtp.packet", "authentication failed")
    }
    tracker.window.accept(index)
    this.#trackers.keep(ssrc, tracker)
    return packet.subarray(0, end)
  }
}

class CmOpener implements PacketOpener {
  readonly tagBytes = 10
  readonly #keystream: CmKeystream
  readonly #hmac: PacketHmac

  constructor(keys: SrtpSessionKeys) {
    this.#keystream = new CmKeystream(keys.cipherKey, keys.salt)
    this.#hmac = new PacketHmac(keys.authKey)
  }

  open(
    packet: Uint8Array,
    headerBytes: number,
    ssrc: number,
    rolloverCounter: number,
    sequenceNumber: number,
  ): boolean {
    const end = packet.length - this.tagBytes
    scratch.set(packet.subarray(0, end), PAD_BYTES)
    writeU32(scratch, PAD_BYTES + end, rolloverCounter)
    this.#hmac.digest(scratch, scratchWords, 0, PAD_BYTES + end + 4)
    if (!isTag(packet, end)) return false
    const key = this.#keystream.generateOne(ssrc, rolloverCounter, sequenceNumber, end - headerBytes)
    xorInPlace(packet, headerBytes, end, key)
    return true
  }
}

class GcmOpener implements PacketOpener {
  readonly tagBytes = GCM_TAG_BYTES
  readonly #cipher: GcmCipher

  constructor(keys: SrtpSessionKeys, openAead?: OpenAead) {
    this.#cipher = new GcmCipher(keys.cipherKey, keys.salt, openAead)
  }

  open(
    packet: Uint8Array,
    headerBytes: number,
    ssrc: number,
    rolloverCounter: number,
    sequenceNumber: number,
  ): boolean {
    this.#cipher.setNonce(ssrc, rolloverCounter, sequenceNumber, 2)
    return this.#cipher.open(packet.subarray(0, headerBytes), packet.subarray(headerBytes), packet, headerBytes)
  }
}

/** By words where the memory allows it, which it does for nearly all packets as the network delivers them. */
function xorInPlace(packet: Uint8Array, start: number, end: number, key: Uint8Array): void {
  const offset = packet.byteOffset + start
  const count = offset % 4 === 0 ? (end - start) >> 2 : 0
  const words = count > 0 ? new Uint32Array(packet.buffer, offset, count) : NO_WORDS
  const keyWords = count > 0 ? new Uint32Array(key.buffer, key.byteOffset, count) : NO_WORDS
  for (let i = 0; i < count; i++) words[i] = (words[i] as number) ^ (keyWords[i] as number)
  for (let i = start + 4 * count; i < end; i++) packet[i] = (packet[i] as number) ^ (key[i - start] as number)
}

/** Compares the first ten bytes of the last digest, in constant time. */
function isTag(packet: Uint8Array, at: number): boolean {
  const first = readU32(packet, at) ^ (tagWords[0] as number)
  const second = readU32(packet, at + 4) ^ (tagWords[1] as number)
  const third = (((packet[at + 8] as number) << 8) | (packet[at + 9] as number)) ^ ((tagWords[2] as number) >>> 16)
  return (first | second | third) === 0
}

const MAX_PACKET_BYTES = 8192
const NO_WORDS = new Uint32Array(0)

/** A packet is copied here for its HMAC, which needs room before and after it. */
const scratch = new Uint8Array(PAD_BYTES + MAX_PACKET_BYTES + 4)
const scratchWords = new Uint32Array(scratch.buffer)
