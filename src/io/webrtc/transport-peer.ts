import { randomUUID } from "node:crypto"
import { GatewayError } from "../../errors.ts"
import type { IceLiteResponder } from "../../ice/lite-responder.ts"
import { isRtcp } from "../../rtp/packet.ts"
import { DtlsSession } from "./dtls-session.ts"
import type { Fingerprint } from "./dtls-verify.ts"
import { IceCredentials, type IceLogin } from "./ice-credentials.ts"
import type { DtlsIdentity } from "./identity.ts"
import { type NetworkPath, RemoteAddress } from "./remote-address.ts"
import type { OpenAead } from "./srtp/gcm.ts"
import type { SrtpKeys, SrtpProfile } from "./srtp/keys.ts"
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

/** What the peer's session description says of its side of the transport. */
export interface RemoteParameters {
  /** `a=fingerprint` lines; the peer's certificate must match one of them. */
  readonly fingerprints: readonly Fingerprint[]
  /** Our role: `server` where the peer's setup is active or actpass, `client` where it is passive. */
  readonly dtlsRole: "server" | "client"
  /** The peer's ufrag: its checks must name it. */
  readonly ufrag: string
}

/** How a session is opened. */
export interface WebRtcPeerOptions {
  readonly events: WebRtcPeerEvents
  /** Left out where we make the offer: `setRemote` follows with the answer. */
  readonly remote?: RemoteParameters
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
  /** The newest login, also while a restart waits for its first check. */
  readonly localUfrag: string
  readonly localPwd: string
  /** For our session description; `actpass` as long as the peer's is not there. */
  readonly setup: "actpass" | "passive" | "active"
  readonly remote: RemoteAddress
  readonly stats: Readonly<WebRtcPeerStats>
  /** The peer's answer to our offer, once; the handshake begins. */
  setRemote(remote: RemoteParameters): void
  /**
   * ICE restart: a new login for the answer. The old one is good, and media stays on its path, until the first authenticated check
   * under the new one; if none comes, the session goes on as before.
   */
  restartIce(remoteUfrag: string): IceLogin
  /**
   * Takes a source that has shown by a cookie that it gets what is sent there for the peer's address, as the first authenticated check does,
   * and begins the handshake where that is ours to begin. Nothing happens where an address is known already, or the source leads to another session:
   * then a check decides.
   */
  trustPath(path: NetworkPath): void
  /** Encrypts and sends a compound RTCP packet; nothing happens before `connected` and after the end. */
  sendRtcp(compound: Uint8Array): void
  /** Says goodbye and ends the session; the text is for the log. */
  close(text: string): void
}

/** What a session needs of the transport that it belongs to. */
export interface PeerHost {
  readonly identity: DtlsIdentity
  readonly profiles?: readonly SrtpProfile[] | undefined
  readonly openAead?: OpenAead | undefined
  /** Where the session is found by its ufrags. */
  readonly responder: IceLiteResponder<TransportPeer | undefined>
  nowMs(): number
  send(datagram: Uint8Array, to: NetworkPath): void
  /** Makes a source lead to the session; false where it leads to another one. */
  claim(path: NetworkPath, peer: TransportPeer): boolean
  /** The session is over; its addresses are free again. */
  release(peer: TransportPeer): void
  /** An error that nobody expected. */
  onBug(error: unknown): void
}

/** How long a session may do without. */
export interface PeerLimits {
  /** From the session descriptions to keys. */
  readonly connectTimeoutMs: number
  /** Without an authenticated check, SRTP or SRTCP packet. */
  readonly idleTimeoutMs: number
  /** For the answer to an offer of ours. */
  readonly answerTimeoutMs: number
}

/** The transport's side of a session. */
export class TransportPeer implements WebRtcPeer {
  readonly id = randomUUID()
  readonly remote = new RemoteAddress()
  readonly stats: WebRtcPeerStats = { receivedPackets: 0, receivedBytes: 0, droppedPackets: 0 }
  readonly #host: PeerHost
  readonly #events: WebRtcPeerEvents
  readonly #credentials: IceCredentials<TransportPeer | undefined>
  #dtlsRole: "server" | "client" | undefined
  #dtls: DtlsSession | undefined
  #keys: SrtpKeys | undefined
  #unprotector: SrtpUnprotector | undefined
  #srtcp: SrtcpSession | undefined
  #lastHeardMs: number
  #isEnded = false

  constructor(host: PeerHost, { events, remote }: WebRtcPeerOptions) {
    this.#host = host
    this.#events = events
    this.#lastHeardMs = host.nowMs()
    this.#credentials = new IceCredentials<TransportPeer | undefined>(host.responder, this, remote?.ufrag)
    if (remote) this.#openDtls(remote)
  }

  get localUfrag(): string {
    return this.#credentials.current.ufrag
  }

  get localPwd(): string {
    return this.#credentials.current.pwd
  }

  get setup(): "actpass" | "passive" | "active" {
    return this.#dtlsRole === undefined ? "actpass" : SETUP_OF_ROLE[this.#dtlsRole]
  }

  setRemote(remote: RemoteParameters): void {
    if (this.#dtls) throw new Error("the peer's session description is there already")
    if (this.#isEnded) return
    this.#credentials.setRemoteUfrag(remote.ufrag)
    this.#lastHeardMs = this.#host.nowMs()
    const dtls = this.#openDtls(remote)
    if (this.remote.isKnown) dtls.start()
  }

  restartIce(remoteUfrag: string): IceLogin {
    if (this.#isEnded) throw new GatewayError("session.not_found", "the session has ended")
    return this.#credentials.restart(remoteUfrag)
  }

  trustPath(path: NetworkPath): void {
    if (this.#isEnded || this.remote.isKnown || !this.#host.claim(path, this)) return
    this.remote.moveTo(path)
    // The peer can do nothing with our handshake before it has our answer, which goes out first.
    setImmediate(() => {
      if (!this.#isEnded) this.#dtls?.start()
    })
  }

  sendRtcp(compound: Uint8Array): void {
    if (this.#srtcp && !this.#isEnded) this.#host.send(this.#srtcp.protect(compound), this.remote)
  }

  close(text: string): void {
    this.#end({ type: "closedByUs", text })
  }

  /** An authenticated check came under this ufrag; `selected` makes its source the address to send to. */
  pushCheck(source: NetworkPath, localUfrag: string, selected: boolean): void {
    this.#credentials.confirm(localUfrag)
    this.#lastHeardMs = this.#keys ? this.#host.nowMs() : this.#lastHeardMs
    if (!selected) return
    const isFirst = !this.remote.isKnown
    this.remote.moveTo(source)
    if (isFirst) this.#dtls?.start()
  }

  /** A path is gone: the next authenticated check may select another. */
  forgetPath(path: NetworkPath): void {
    this.#credentials.forgetPath(path)
  }

  pushDtls(datagram: Uint8Array): void {
    if (!this.#isEnded) this.#dtls?.push(datagram)
  }

  /** Takes an SRTP or SRTCP packet, told apart by the second byte (RFC 5761 section 4). Throws `srtp.packet`, and what the events throw. */
  pushSrtp(packet: Uint8Array): void {
    if (!this.#srtcp || !this.#keys || this.#isEnded) throw new GatewayError("srtp.packet", "not connected")
    if (isRtcp(packet)) {
      const compound = this.#srtcp.unprotect(packet)
      this.#count(packet)
      this.#events.rtcp?.(compound)
    } else if (this.#events.rtp) {
      this.#unprotector ??= createUnprotector(this.#keys.remote, this.#host.openAead)
      const plain = this.#unprotector.unprotect(packet)
      this.#count(packet)
      this.#events.rtp(plain)
    } // who takes no media does not pay for its decryption
  }

  /** Ends the session if it did not connect in time, or was silent for too long. */
  checkTimeout({ answerTimeoutMs, connectTimeoutMs, idleTimeoutMs }: PeerLimits): void {
    const idleMs = this.#host.nowMs() - this.#lastHeardMs
    if (this.#keys) {
      if (idleMs >= idleTimeoutMs) this.#end({ type: "silent", idleMs })
    } else if (!this.#dtls) {
      if (idleMs >= answerTimeoutMs) this.#fail(`no answer to our offer after ${answerTimeoutMs} ms`)
    } else if (idleMs >= connectTimeoutMs) {
      const step = this.remote.isKnown ? this.#dtls.alertText || "DTLS handshake" : "no connectivity check"
      this.#fail(`not connected after ${connectTimeoutMs} ms: ${step}`)
    }
  }

  /** Ends the session for an error that nobody expected. */
  fail(error: unknown): void {
    this.#host.onBug(error)
    this.#end({ type: "bug", error })
  }

  #openDtls({ fingerprints, dtlsRole }: RemoteParameters): DtlsSession {
    const dtls = new DtlsSession(
      { identity: this.#host.identity, role: dtlsRole, fingerprints, profiles: this.#host.profiles },
      {
        send: (datagram) => this.#host.send(datagram, this.remote),
        connected: (keys) => this.#connect(keys),
        failed: (error) => this.#end({ type: "failed", error }),
        closed: () => this.#end({ type: "closedByPeer" }),
      },
    )
    this.#dtlsRole = dtlsRole
    this.#dtls = dtls
    return dtls
  }

  #connect(keys: SrtpKeys): void {
    this.#keys = keys
    this.#srtcp = new SrtcpSession(keys, this.#host.openAead)
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

  #fail(text: string): void {
    this.#end({ type: "failed", error: new GatewayError("dtls.handshake", text) })
  }

  #end(reason: PeerCloseReason): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#dtls?.close()
    this.#credentials.close()
    this.#host.release(this)
    try {
      this.#events.closed?.(reason)
    } catch (error) {
      this.#host.onBug(error)
    }
  }
}

const SETUP_OF_ROLE = { server: "passive", client: "active" } as const
