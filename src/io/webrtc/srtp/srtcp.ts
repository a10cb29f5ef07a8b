import { createHmac, timingSafeEqual } from "node:crypto"
import { GatewayError } from "../../../errors.ts"
import { GCM_TAG_BYTES, GcmCipher, type OpenAead } from "./gcm.ts"
import { deriveSrtcpKeys, type SrtpKeys, type SrtpSessionKeys } from "./keys.ts"
import { CmKeystream } from "./keystream.ts"
import { TrackerTable } from "./packet-index.ts"
import { readU32, writeU32 } from "./rtp-header.ts"

/**
 * Both directions of SRTCP for one session. There must be only one of these for a session: it counts the index
 * that makes each packet's encryption unique. RFC 3711 section 3.4, RFC 7714 section 9.
 */
export class SrtcpSession {
  readonly #local: SrtcpCipher
  readonly #remote: SrtcpCipher
  readonly #trackers = new TrackerTable()
  #nextIndex = 0

  /** `openAead` is that of node:crypto if left out. */
  constructor(keys: SrtpKeys, openAead?: OpenAead) {
    this.#local = createSrtcpCipher(deriveSrtcpKeys(keys.local), openAead)
    this.#remote = createSrtcpCipher(deriveSrtcpKeys(keys.remote), openAead)
  }

  /** Encrypts a compound packet; returns a new array. */
  protect(compound: Uint8Array): Uint8Array {
    if (compound.length < HEADER_BYTES) throw new Error(`RTCP packet of ${compound.length} bytes`)
    const index = this.#nextIndex++
    if (index > MAX_INDEX) throw new GatewayError("srtp.packet", "the SRTCP index is used up")
    return this.#local.seal(compound, index)
  }

  /**
   * Checks and decrypts a packet; returns a new array. Throws `srtp.packet` where it is malformed, not encrypted, not authentic,
   * or was received before.
   */
  unprotect(packet: Uint8Array): Uint8Array {
    const cipher = this.#remote
    if (packet.length < HEADER_BYTES + INDEX_BYTES + cipher.tagBytes || (packet[0] as number) >> 6 !== 2) {
      throw new GatewayError("srtp.packet", "not an SRTCP packet")
    }
    const word = readU32(packet, packet.length - cipher.indexFromEnd)
    if (word < ENCRYPTED_FLAG) throw new GatewayError("srtp.packet", "SRTCP packet is not encrypted")
    const index = word - ENCRYPTED_FLAG
    const ssrc = readU32(packet, 4)
    const tracker = this.#trackers.find(ssrc)
    if (!tracker?.window.isFresh(index)) throw new GatewayError("srtp.packet", "replayed or too old")
    const compound = cipher.open(packet, ssrc, index)
    if (!compound) throw new GatewayError("srtp.packet", "authentication failed")
    tracker.window.accept(index)
    this.#trackers.keep(ssrc, tracker)
    return compound
  }
}

interface SrtcpCipher {
  readonly tagBytes: number
  /** Where the word with flag and index begins, counted from the end. */
  readonly indexFromEnd: number
  seal(compound: Uint8Array, index: number): Uint8Array
  open(packet: Uint8Array, ssrc: number, index: number): Uint8Array | undefined
}

/** One direction with keys that are derived already, as test vectors give them. */
export function createSrtcpCipher(keys: SrtpSessionKeys, openAead?: OpenAead): SrtcpCipher {
  return keys.profile === "AES128_CM_SHA1_80" ? new CmCipher(keys) : new GcmSrtcpCipher(keys, openAead)
}

/** Layout: header (8 bytes), encrypted rest, flag and index (4), HMAC over all before it (10). */
class CmCipher implements SrtcpCipher {
  readonly tagBytes = 10
  readonly indexFromEnd = 14
  readonly #keystream: CmKeystream
  readonly #authKey: Uint8Array

  constructor(keys: SrtpSessionKeys) {
    this.#keystream = new CmKeystream(keys.cipherKey, keys.salt)
    this.#authKey = keys.authKey
  }

  seal(compound: Uint8Array, index: number): Uint8Array {
    const packet = new Uint8Array(compound.length + INDEX_BYTES + this.tagBytes)
    packet.set(compound)
    this.#crypt(packet, compound.length, readU32(compound, 4), index)
    writeU32(packet, compound.length, ENCRYPTED_FLAG + index)
    packet.set(this.#tag(packet), packet.length - this.tagBytes)
    return packet
  }

  open(packet: Uint8Array, ssrc: number, index: number): Uint8Array | undefined {
    if (!timingSafeEqual(this.#tag(packet), packet.subarray(packet.length - this.tagBytes))) return undefined
    const compound = new Uint8Array(packet.subarray(0, packet.length - this.indexFromEnd))
    this.#crypt(compound, compound.length, ssrc, index)
    return compound
  }

  #tag(packet: Uint8Array): Uint8Array {
    const covered = packet.subarray(0, packet.length - this.tagBytes)
    return createHmac("sha1", this.#authKey).update(covered).digest().subarray(0, this.tagBytes)
  }

  #crypt(packet: Uint8Array, end: number, ssrc: number, index: number): void {
    const key = this.#keystream.generateOne(ssrc, index >>> 16, index & 0xffff, end - HEADER_BYTES)
    for (let i = HEADER_BYTES; i < end; i++) packet[i] = (packet[i] as number) ^ (key[i - HEADER_BYTES] as number)
  }
}

/** Layout: header (8 bytes), encrypted rest with the tag (16) at its end, flag and index (4). */
class GcmSrtcpCipher implements SrtcpCipher {
  readonly tagBytes = GCM_TAG_BYTES
  readonly indexFromEnd = 4
  readonly #cipher: GcmCipher
  readonly #additional = new Uint8Array(HEADER_BYTES + INDEX_BYTES)

  constructor(keys: SrtpSessionKeys, openAead?: OpenAead) {
    this.#cipher = new GcmCipher(keys.cipherKey, keys.salt, openAead)
  }

  seal(compound: Uint8Array, index: number): Uint8Array {
    const packet = new Uint8Array(compound.length + GCM_TAG_BYTES + INDEX_BYTES)
    const header = compound.subarray(0, HEADER_BYTES)
    packet.set(header)
    this.#prepare(header, readU32(compound, 4), index)
    this.#cipher.seal(this.#additional, compound.subarray(HEADER_BYTES), packet, HEADER_BYTES)
    writeU32(packet, packet.length - INDEX_BYTES, ENCRYPTED_FLAG + index)
    return packet
  }

  open(packet: Uint8Array, ssrc: number, index: number): Uint8Array | undefined {
    const header = packet.subarray(0, HEADER_BYTES)
    this.#prepare(header, ssrc, index)
    const compound = new Uint8Array(packet.length - INDEX_BYTES - GCM_TAG_BYTES)
    compound.set(header)
    const sealed = packet.subarray(HEADER_BYTES, packet.length - INDEX_BYTES)
    return this.#cipher.open(this.#additional, sealed, compound, HEADER_BYTES) ? compound : undefined
  }

  #prepare(header: Uint8Array, ssrc: number, index: number): void {
    this.#additional.set(header)
    writeU32(this.#additional, HEADER_BYTES, ENCRYPTED_FLAG + index)
    this.#cipher.setNonce(ssrc, 0, index, 4)
  }
}

const HEADER_BYTES = 8
const INDEX_BYTES = 4
const ENCRYPTED_FLAG = 0x80000000
const MAX_INDEX = 0x7fffffff
