import { GatewayError } from "../../errors.ts"
import type { SocketAddress } from "../../ice/ip-address.ts"
import { isRtcp } from "../../rtp/packet.ts"
import { DtlsSession } from "./dtls-session.ts"
import type { Fingerprint } from "./dtls-verify.ts"
import type { DtlsIdentity } from "./identity.ts"
import { RemoteAddress } from "./remote-address.ts"
import type { SrtpKeys } from "./srtp/keys.ts"
import { SrtcpSession } from "./srtp/srtcp.ts"
import { createUnprotector, type SrtpUnprotector } from "./srtp/unprotect.ts"

/** Why a session ended; `bug` is the gateway's own fault, everything else the peer's, the network's or the caller's. */
export type PeerCloseReason =
  | { readonly type: "closedByPeer" }
  | { readonly type: "closedByUs"; readonly text: string }
  | { readonly type: "failed"; readonly error: GatewayError }
  | { readonly type: "silent"; readonly idleMs: number }
  | { readonly type: "bug"; readonly error: unknown }

/** What a session reports. */
export interface WebRtcPeerEvents {
  /** ICE and DTLS are done; the keys are for the fan-out. */
  connected?(keys: SrtpKeys): void
  /** A decrypted RTP packet, in order of arrival, never twice. The array is the receiver's own. */
  rtp?(packet: Uint8Array): void
  /** A decrypted compound RTCP packet. The array is the receiver's own. */
  rtcp?(compound: Uint8Array): void
  /** The end, once, also after `close`. */
  closed?(reason: PeerCloseReason): void
}

/** How a session is opened. */
export interface WebRtcPeerOptions {
  /** `a=fingerprint` lines of the offer; the peer's certificate must match one of them. */
  readonly remoteFingerprints: readonly Fingerprint[]
  /** `server` answers `setup:passive`, which is right unless the offer says passive itself. */
  readonly dtlsRole: "server" | "client"
  /** From the offer; where it is given, checks must name it. */
  readonly remoteUfrag?: string | undefined
  readonly events: WebRtcPeerEvents
}

/** Counters of one session. */
export interface WebRtcPeerStats {
  receivedPackets: number
  receivedBytes: number
  /** Packets that were forged, replayed, malformed, or came too early. */
  droppedPackets: number
}

/** One WHIP or WHEP session as the code above it sees it. */
export interface WebRtcPeer {
  /** Unguessable and fit for a URL. */
  readonly id: string
  readonly localUfrag: string
  readonly localPwd: string
  /** For the answer. */
  readonly setup: "passive" | "active"
  readonly remote: RemoteAddress
  readonly stats: Readonly<WebRtcPeerStats>
  /** Encrypts and sends a compound RTCP packet; nothing happens before `connected` and after the end. */
  sendRtcp(compound: Uint8Array): void
  /** Says goodbye and ends the session; the text is for the log. */
  close(text: string): void
}

/** What a session needs of the transport that it belongs to. */
export interface PeerHost {
  readonly identity: DtlsIdentity
  nowMs(): number
  send(datagram: Uint8Array, to: SocketAddress): void
  /** The session is over; its addresses and ufrag are free again. */
  release(peer: TransportPeer): void
  /** An error that nobody expected. */
  onBug(error: unknown): void
}

/** How long a session may do without. */
export interface PeerLimits {
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
}

/** The transport's side of a session. */
export class TransportPeer implements WebRtcPeer {
  readonly id: string
  readonly localUfrag: string
  readonly localPwd: string
  readonly setup: "passive" | "active"
  readonly remote = new RemoteAddress()
  readonly stats: WebRtcPeerStats = { receivedPackets: 0, receivedBytes: 0, droppedPackets: 0 }
  /** Sources whose checks were authentic, oldest first, as keys of the transport's table. */
  readonly sources = new Set<string>()
  readonly #host: PeerHost
  readonly #events: WebRtcPeerEvents
  readonly #dtls: DtlsSession
  #keys: SrtpKeys | undefined
  #unprotector: SrtpUnprotector | undefined
  #srtcp: SrtcpSession | undefined
  #lastHeardMs: number
  #isEnded = false

  constructor(
    host: PeerHost,
    credentials: { readonly id: string; readonly localUfrag: string; readonly localPwd: string },
    options: WebRtcPeerOptions,
  ) {
    this.#host = host
    this.#events = options.events
    this.#lastHeardMs = host.nowMs()
    this.id = credentials.id
    this.localUfrag = credentials.localUfrag
    this.localPwd = credentials.localPwd
    this.setup = options.dtlsRole === "server" ? "passive" : "active"
    const dtls = { identity: host.identity, role: options.dtlsRole, fingerprints: options.remoteFingerprints }
    this.#dtls = new DtlsSession(dtls, {
      send: (datagram) => this.#host.send(datagram, this.remote),
      connected: (keys) => this.#connect(keys),
      failed: (error) => this.#end({ type: "failed", error }),
      closed: () => this.#end({ type: "closedByPeer" }),
    })
  }

  sendRtcp(compound: Uint8Array): void {
    if (this.#srtcp && !this.#isEnded) this.#host.send(this.#srtcp.protect(compound), this.remote)
  }

  close(text: string): void {
    this.#end({ type: "closedByUs", text })
  }

  /** An authenticated check came; `selected` makes its source the address to send to. */
  pushCheck(source: SocketAddress, selected: boolean): void {
    this.#lastHeardMs = this.#keys ? this.#host.nowMs() : this.#lastHeardMs
    if (!selected) return
    const isFirst = !this.remote.isKnown
    this.remote.moveTo(source)
    if (isFirst) this.#dtls.start()
  }

  pushDtls(datagram: Uint8Array): void {
    if (!this.#isEnded) this.#dtls.push(datagram)
  }

  /** Takes an SRTP or SRTCP packet, told apart by the second byte (RFC 5761 section 4). Throws `srtp.packet`, and what the events throw. */
  pushSrtp(packet: Uint8Array): void {
    if (!this.#srtcp || !this.#keys || this.#isEnded) throw new GatewayError("srtp.packet", "not connected")
    if (isRtcp(packet)) {
      const compound = this.#srtcp.unprotect(packet)
      this.#count(packet)
      this.#events.rtcp?.(compound)
    } else if (this.#events.rtp) {
      this.#unprotector ??= createUnprotector(this.#keys.remote)
      const plain = this.#unprotector.unprotect(packet)
      this.#count(packet)
      this.#events.rtp(plain)
    } // who takes no media does not pay for its decryption
  }

  /** Ends the session if it did not connect in time, or was silent for too long. */
  checkTimeout({ connectTimeoutMs, idleTimeoutMs }: PeerLimits): void {
    const idleMs = this.#host.nowMs() - this.#lastHeardMs
    if (this.#keys) {
      if (idleMs >= idleTimeoutMs) this.#end({ type: "silent", idleMs })
    } else if (idleMs >= connectTimeoutMs) {
      const step = this.remote.isKnown ? this.#dtls.alertText || "DTLS handshake" : "no connectivity check"
      const error = new GatewayError("dtls.handshake", `not connected after ${connectTimeoutMs} ms: ${step}`)
      this.#end({ type: "failed", error })
    }
  }

  /** Ends the session for an error that nobody expected. */
  fail(error: unknown): void {
    this.#host.onBug(error)
    this.#end({ type: "bug", error })
  }

  #connect(keys: SrtpKeys): void {
    this.#keys = keys
    this.#srtcp = new SrtcpSession(keys)
    this.#lastHeardMs = this.#host.nowMs()
    try {
      this.#events.connected?.(keys)
    } catch (error) {
      if (error instanceof GatewayError) this.#end({ type: "failed", error })
      else this.fail(error)
    }
  }

  #count(packet: Uint8Array): void {
    this.#lastHeardMs = this.#host.nowMs()
    this.stats.receivedPackets++
    this.stats.receivedBytes += packet.length
  }

  #end(reason: PeerCloseReason): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#dtls.close()
    this.#host.release(this)
    try {
      this.#events.closed?.(reason)
    } catch (error) {
      this.#host.onBug(error)
    }
  }
}
