import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"

/**
 * Cookies that show that an address gets what is sent to it: only who could read an answer of ours there can present one from there. They name the address
 * without its port, which changes from one session to the next, and no secret of theirs outlives the process. Nothing is stored.
 */
export class AddressCookies {
  readonly #key = randomBytes(32)

  /** 16 bytes, good for 10 to 20 minutes at this address. */
  give(address: string, nowMs: number): Uint8Array {
    return this.#cookie(address, slotAt(nowMs))
  }

  /** Whether it was given to this address of late. */
  isValid(cookie: Uint8Array, address: string, nowMs: number): boolean {
    if (cookie.length !== COOKIE_BYTES) return false
    const slot = slotAt(nowMs)
    const isOf = (candidate: number) => timingSafeEqual(cookie, this.#cookie(address, candidate))
    return isOf(slot) || isOf(slot - 1)
  }

  #cookie(address: string, slot: number): Uint8Array {
    const digest = createHmac("sha256", this.#key).update(`${slot} ${address}`).digest()
    return new Uint8Array(digest.subarray(0, COOKIE_BYTES))
  }
}

function slotAt(nowMs: number): number {
  return Math.floor(nowMs / SLOT_MS)
}

const COOKIE_BYTES = 16
const SLOT_MS = 600_000
