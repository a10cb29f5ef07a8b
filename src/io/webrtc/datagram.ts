import type { NetworkPath } from "./remote-address.ts"

/** Takes datagrams of one kind. The array is the receiver's own: it may keep it or write to it. */
export type DatagramHandler = (datagram: Uint8Array, source: NetworkPath) => void

/** Who takes what comes in, told apart by the first byte (RFC 7983 section 7). */
export interface DatagramHandlers {
  /** First byte 0 to 3. */
  readonly stun: DatagramHandler
  /** First byte 20 to 63. */
  readonly dtls: DatagramHandler
  /** First byte 128 to 191: RTP and RTCP, encrypted. */
  readonly srtp: DatagramHandler
  /** First byte 255; without it such datagrams are dropped. */
  readonly miniSdp?: DatagramHandler
  /** A handler threw, which is a bug. */
  readonly onBug: (error: unknown) => void
}

/** Hands a datagram to its handler; false where no protocol claims it, as for an empty one. Never throws. */
export function dispatchDatagram(datagram: Uint8Array, source: NetworkPath, handlers: DatagramHandlers): boolean {
  const first = datagram[0] ?? NOTHING
  try {
    if (first >= 128 && first <= 191) handlers.srtp(datagram, source)
    else if (first <= 3) handlers.stun(datagram, source)
    else if (first >= 20 && first <= 63) handlers.dtls(datagram, source)
    else if (first === 255 && handlers.miniSdp) handlers.miniSdp(datagram, source)
    else return false
  } catch (error) {
    handlers.onBug(error)
  }
  return true
}

const NOTHING = 64
