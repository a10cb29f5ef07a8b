import { pathKey } from "../../ice/ip-address.ts"
import type { NetworkPath } from "../webrtc/remote-address.ts"

/**
 * Keeps what comes from a source whose session is being decided on: a client may send the beginning of its DTLS handshake right behind its offer,
 * which saves a round trip. Only sources that were announced are kept for, and only little.
 */
export class EarlyDatagrams {
  readonly #bySource = new Map<string, Uint8Array[]>()

  /** From now on, datagrams of this source are kept. */
  expect(source: NetworkPath): void {
    this.#bySource.set(pathKey(source), [])
  }

  /** Keeps a datagram; false where its source was not announced, or has sent enough. */
  keep(datagram: Uint8Array, source: NetworkPath): boolean {
    if (this.#bySource.size === 0) return false
    const kept = this.#bySource.get(pathKey(source))
    if (kept === undefined || kept.length >= MAX_DATAGRAMS || datagram.length > MAX_DATAGRAM_BYTES) return false
    kept.push(datagram)
    return true
  }

  /** What came from the source, in order; nothing more is kept of it. */
  take(source: NetworkPath): readonly Uint8Array[] {
    const key = pathKey(source)
    const kept = this.#bySource.get(key) ?? []
    this.#bySource.delete(key)
    return kept
  }
}

const MAX_DATAGRAMS = 4
const MAX_DATAGRAM_BYTES = 1500
