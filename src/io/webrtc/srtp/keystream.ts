import { type Cipheriv, createCipheriv } from "node:crypto"

/** Keystream for consecutive packets of one SSRC. */
export interface KeystreamWindow {
  ssrc: number
  rolloverCounter: number
  firstSequenceNumber: number
  /** Packets covered. */
  count: number
  /** 16-byte blocks for each. */
  blocks: number
  words: Uint32Array
  bytes: Uint8Array
}

/**
 * AES counter mode of RFC 3711 section 4.1.1 through one long-lived ECB cipher: a new cipher object for every packet costs
 * several times as much as the encryption. One call makes the keystream of the next packets ahead.
 */
export class CmKeystream {
  readonly #ecb: Cipheriv
  readonly #salt: Uint32Array

  /** `salt` has 14 bytes. */
  constructor(cipherKey: Uint8Array, salt: Uint8Array) {
    this.#ecb = createCipheriv("aes-128-ecb", cipherKey, null)
    this.#ecb.setAutoPadding(false)
    const padded = new Uint8Array(16)
    padded.set(salt)
    this.#salt = new Uint32Array(padded.buffer)
  }

  /** A window for `moveTo`, with nothing in it yet. */
  openWindow(ssrc: number): KeystreamWindow {
    const empty = new Uint32Array(0)
    const bytes = new Uint8Array(empty.buffer)
    return { ssrc, rolloverCounter: 0, firstSequenceNumber: 0, count: 0, blocks: 0, words: empty, bytes }
  }

  /**
   * Makes the window hold the keystream of one packet and returns the index of its first word. Where it must be made,
   * `ahead` packets are made at once; packets that come in order then find it ready.
   */
  moveTo(
    window: KeystreamWindow,
    rolloverCounter: number,
    sequenceNumber: number,
    length: number,
    ahead: number,
  ): number {
    const index = sequenceNumber - window.firstSequenceNumber
    const isReady = index >= 0 && index < window.count && rolloverCounter === window.rolloverCounter
    if (isReady && length <= window.blocks * BLOCK_BYTES) return index * window.blocks * BLOCK_WORDS
    window.blocks = Math.max(window.blocks, (length + BLOCK_BYTES - 1) >> 4)
    window.count = Math.min(ahead, 0x10000 - sequenceNumber)
    window.rolloverCounter = rolloverCounter
    window.firstSequenceNumber = sequenceNumber
    free(window.bytes)
    const bytes = this.#generate(window.ssrc, rolloverCounter, sequenceNumber, window.count, window.blocks)
    window.bytes = bytes
    window.words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
    return 0
  }

  /** Keystream of a single packet, in whole blocks. For SRTCP the index of 31 bits stands for both counters. */
  generateOne(ssrc: number, rolloverCounter: number, sequenceNumber: number, length: number): Uint8Array {
    return this.#generate(ssrc, rolloverCounter, sequenceNumber, 1, (length + BLOCK_BYTES - 1) >> 4)
  }

  #generate(
    ssrc: number,
    rolloverCounter: number,
    firstSequenceNumber: number,
    count: number,
    blocks: number,
  ): Uint8Array {
    const size = count * blocks * BLOCK_BYTES
    if (size > counters.length) counters = new Uint8Array(size)
    const words = new Uint32Array(counters.buffer)
    const salt = this.#salt
    const word0 = salt[0] as number
    const word1 = (salt[1] as number) ^ swap32(ssrc)
    const word2 = (salt[2] as number) ^ swap32(rolloverCounter)
    let at = 0
    for (let packet = 0; packet < count; packet++) {
      const word3 = (salt[3] as number) ^ swap16((firstSequenceNumber + packet) & 0xffff)
      for (let block = 0; block < blocks; block++) {
        words[at] = word0
        words[at + 1] = word1
        words[at + 2] = word2
        words[at + 3] = word3 | (swap16(block) << 16)
        at += BLOCK_WORDS
      }
    }
    const bytes = this.#ecb.update(counters.subarray(0, size))
    // A runtime may hand out a view that words cannot be laid over.
    return bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes)
  }
}

/**
 * Gives the memory back at once, for the next keystream: waiting for the garbage collection, many viewers would fill 60 MB with old ones. Some runtimes
 * hand out a part of a larger buffer, which stays.
 */
function free(bytes: Uint8Array): void {
  const { buffer } = bytes
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length) buffer.transfer(0)
}

/** Reverses the bytes of a word: fields are big-endian on the wire, and every machine this runs on is little-endian. */
export function swap32(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8)
}

const BLOCK_BYTES = 16
const BLOCK_WORDS = 4

/** Shared by all: filled and used within one call. */
let counters = new Uint8Array(16 * 1024)
