import { randomInt } from "node:crypto"
import type { DtlsIdentity } from "../../../src/io/webrtc/identity.ts"
import type { SrtpKeys } from "../../../src/io/webrtc/srtp/keys.ts"
import { decodeLossless, encodeLossless, type LosslessPacket } from "../../../src/minisdp/lossless/envelope.ts"
import type { Scope } from "../../support/scope.ts"
import { within } from "../../support/wait.ts"
import { keysOf, RawClient } from "../webrtc/raw-client.ts"

/** What an offer says that is not as always. */
export interface OfferOptions {
  readonly direction?: "sendonly" | "recvonly"
  readonly setup?: "actpass" | "active" | "passive"
}

/** Opus alone, of payload type 96. */
export function opusOffer(
  { fingerprint }: Pick<DtlsIdentity, "fingerprint">,
  { direction = "recvonly", setup = "actpass" }: OfferOptions = {},
) {
  const lines = [
    "v=0",
    "o=- 1 1 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "m=audio 9 UDP/TLS/RTP/SAVPF 96",
    "c=IN IP4 0.0.0.0",
    "a=mid:0",
    `a=${direction}`,
    "a=ice-ufrag:them",
    "a=ice-pwd:a-password-of-22-chars",
    `a=fingerprint:sha-256 ${fingerprint}`,
    `a=setup:${setup}`,
    "a=rtcp-mux",
    "a=rtpmap:96 opus/48000/2",
  ]
  return `${lines.join("\r\n")}\r\n`
}

/** An offer of the lossless form, padded to 300 bytes. */
export function losslessOffer(sdp: string, changes: Partial<LosslessPacket> = {}): Uint8Array {
  const packet: LosslessPacket = {
    type: "offer",
    seq: randomInt(1, 2 ** 16),
    status: 0,
    immSend: false,
    streamUrl: "live/cam1",
    cookie: new Uint8Array(0),
    sessionId: "",
    sdp,
  }
  return encodeLossless({ ...packet, ...changes }, 300)
}

/** A client by hand that speaks MiniSDP, ICE and DTLS on one socket, and keeps all that it receives. */
export class RawPeer {
  readonly raw: RawClient
  readonly received: Buffer[] = []

  private constructor(raw: RawClient) {
    this.raw = raw
    raw.onDatagram = (datagram) => this.received.push(datagram)
  }

  static async open(port: number, scope: Scope): Promise<RawPeer> {
    const raw = await RawClient.open(port)
    scope.defer(() => raw.close())
    return new RawPeer(raw)
  }

  /** Sends a datagram and gives the next one that begins with 0xff. */
  ask(datagram: Uint8Array): Promise<Buffer> {
    const answer = this.next(0xff, 0xff)
    this.raw.send(datagram)
    return answer
  }

  /** The answer to an offer of the lossless form. */
  async offer(sdp: string, changes: Partial<LosslessPacket> = {}): Promise<LosslessPacket> {
    return decodeLossless(await this.ask(losslessOffer(sdp, changes)))
  }

  /** Sends a check under the login in an answer. */
  async check(answerSdp: string): Promise<void> {
    await within(
      5_000,
      "an answer to a check",
      this.raw.check(attribute(answerSdp, "ice-ufrag"), attribute(answerSdp, "ice-pwd")),
    )
  }

  /** Goes through the handshake; the address must be known to the gateway. */
  async connect(identity: DtlsIdentity, role: "client" | "server" = "client"): Promise<SrtpKeys> {
    const dtls = this.raw.openDtls(role, identity)
    const done = new Promise<void>((resolve) => dtls.onConnect.once(resolve))
    await within(5_000, "the end of the handshake", done)
    return keysOf(dtls)
  }

  /** The next datagram whose first byte is in the range. */
  next(from: number, to: number): Promise<Buffer> {
    return within(5_000, `a datagram of ${from} to ${to}`, this.raw.next(from, to))
  }

  /** First bytes of what came that is not signalling. */
  get mediaBytes(): number[] {
    return this.received.map(([first = 0]) => first).filter((first) => first !== 0xff)
  }
}

/** The value of an attribute of a session description. */
export function attribute(sdp: string, name: string): string {
  const [, value] = new RegExp(`^a=${name}:(.*)\r$`, "m").exec(sdp) ?? []
  if (value === undefined) throw new Error(`no a=${name} in ${sdp}`)
  return value
}
