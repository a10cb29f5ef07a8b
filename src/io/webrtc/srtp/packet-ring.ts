import { PAD_BYTES } from "./hmac.ts"

/**
 * Memory that outgoing packets are built in, slot after slot: a socket may still hold a packet when the next one is
 * made, so a slot comes round again only after 4096 others. The packet begins `PAD_BYTES` into its slot.
 */
export class PacketRing {
  readonly bytes: Uint8Array
  readonly words: Uint32Array
  #next = 0

  constructor(slots = 4096) {
    this.bytes = new Uint8Array(slots * SLOT_BYTES)
    this.words = new Uint32Array(this.bytes.buffer)
  }

  /** Offset of the packet of the next slot; a multiple of 4. */
  next(): number {
    const slot = this.#next
    this.#next = (slot + SLOT_BYTES) % this.bytes.length
    return slot + PAD_BYTES
  }
}

const SLOT_BYTES = 2048

/** The longest packet before protection; what is longer does not fit an Ethernet frame anyway. */
export const MAX_PACKET_BYTES = SLOT_BYTES - PAD_BYTES - 20
