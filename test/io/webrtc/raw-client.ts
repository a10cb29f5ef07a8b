import { createHmac, randomBytes } from "node:crypto"
import { createSocket } from "node:dgram"
import { once } from "node:events"
import { type AddressInfo, connect } from "node:net"
import {
  BINDING,
  CLASS_REQUEST,
  type StunAttribute,
  serializeStunMessage,
  USE_CANDIDATE,
  USERNAME,
} from "../../../src/ice/stun.ts"
import { FrameReader, serializeFrame } from "../../../src/ice/tcp-framing.ts"
import type { DtlsIdentity } from "../../../src/io/webrtc/identity.ts"
import type { SrtpKeys } from "../../../src/io/webrtc/srtp/keys.ts"
import { DtlsClient, DtlsServer, type Transport } from "../../../src/io/webrtc/werift.ts"

const hmacSha1 = (key: Uint8Array, data: Uint8Array) => createHmac("sha1", key).update(data).digest()

/** What a check says; all of it has a default that makes a good nominating one. */
export interface CheckOptions {
  readonly remoteUfrag?: string
  /** Left out: as given; null: the check is not signed. */
  readonly password?: string | null
  readonly isNominated?: boolean
  /** Between USERNAME and USE-CANDIDATE. */
  readonly attributes?: readonly StunAttribute[]
}

/** A binding request for a session of ours. */
export function checkFor(localUfrag: string, localPwd: string, options: CheckOptions = {}): Uint8Array {
  const { remoteUfrag = "them", password = localPwd, isNominated = true, attributes = [] } = options
  const all = [{ type: USERNAME, value: Buffer.from(`${localUfrag}:${remoteUfrag}`) }, ...attributes]
  if (isNominated) all.push({ type: USE_CANDIDATE, value: Buffer.alloc(0) })
  const message = { messageClass: CLASS_REQUEST, method: BINDING, transactionId: randomBytes(12), attributes: all }
  return serializeStunMessage(message, password === null ? undefined : { key: Buffer.from(password), hmacSha1 })
}

interface Link {
  readonly localPort: number
  send(datagram: Uint8Array): void
  close(): void
}

/** A WebRTC peer made by hand: a socket, connectivity checks, and werift's DTLS. */
export class RawClient {
  readonly #link: Link
  readonly #waiting: { accept: (datagram: Buffer) => boolean; resolve: (datagram: Buffer) => void }[] = []
  #onDtls: ((datagram: Buffer) => void) | undefined
  /** Sees all that comes in. */
  onDatagram: ((datagram: Buffer) => void) | undefined
  /** Changes or drops what DTLS sends, to play a bad network or a bad peer. */
  mangle: (datagram: Buffer) => Buffer[] = (datagram) => [datagram]

  private constructor(openLink: (receive: (datagram: Buffer) => void) => Link) {
    this.#link = openLink((datagram) => this.#receive(datagram))
  }

  static async open(port: number, address = "127.0.0.1"): Promise<RawClient> {
    const isIpv6 = address.includes(":")
    const socket = createSocket(isIpv6 ? "udp6" : "udp4")
    await new Promise<void>((resolve) => socket.bind(0, isIpv6 ? "::1" : "127.0.0.1", resolve))
    return new RawClient((receive) => {
      socket.on("message", receive)
      const send = (datagram: Uint8Array) => socket.send(datagram, port, address)
      return { localPort: socket.address().port, send, close: () => socket.close() }
    })
  }

  static async openTcp(port: number, address = "127.0.0.1"): Promise<RawClient> {
    const socket = connect({ port, host: address })
    await once(socket, "connect")
    const reader = new FrameReader()
    return new RawClient((receive) => {
      socket.on("data", (chunk: Buffer) => {
        for (const datagram of reader.push(chunk)) receive(Buffer.from(datagram))
      })
      const { port: localPort } = socket.address() as AddressInfo
      return { localPort, send: (datagram) => socket.write(serializeFrame(datagram)), close: () => socket.destroy() }
    })
  }

  get localPort(): number {
    return this.#link.localPort
  }

  send(datagram: Uint8Array): void {
    this.#link.send(datagram)
  }

  /** The next datagram whose first byte is in the range. */
  next(from: number, to: number): Promise<Buffer> {
    const accept = (datagram: Buffer) => (datagram[0] as number) >= from && (datagram[0] as number) <= to
    return new Promise((resolve) => this.#waiting.push({ accept, resolve }))
  }

  /** Sends a check and waits for its answer. */
  async check(localUfrag: string, localPwd: string, options: CheckOptions = {}): Promise<Buffer> {
    const answer = this.next(0, 3)
    this.send(checkFor(localUfrag, localPwd, options))
    return answer
  }

  /** Opens werift's DTLS; `client` begins at once. */
  openDtls(role: "server" | "client", identity: DtlsIdentity, srtpProfiles: (1 | 7)[] = [1]): DtlsClient | DtlsServer {
    const transport: Transport = {
      type: "raw",
      address: {} as Transport["address"],
      closed: false,
      onData: () => {},
      send: async (datagram: Buffer) => {
        for (const part of this.mangle(datagram)) this.send(part)
      },
      close: async () => {},
    }
    const { certPem, keyPem, signatureHash } = identity
    const options = {
      transport,
      cert: certPem,
      key: keyPem,
      signatureHash,
      srtpProfiles,
      extendedMasterSecret: true,
      certificateRequest: true,
    }
    const dtls = role === "client" ? new DtlsClient(options) : new DtlsServer(options)
    this.#onDtls = (datagram) => transport.onData(datagram, ["127.0.0.1", 0])
    if (dtls instanceof DtlsClient) dtls.connect().catch(() => {})
    return dtls
  }

  close(): void {
    this.#link.close()
  }

  #receive(datagram: Buffer): void {
    this.onDatagram?.(datagram)
    const index = this.#waiting.findIndex(({ accept }) => accept(datagram))
    if (index >= 0) this.#waiting.splice(index, 1)[0]?.resolve(datagram)
    const first = datagram[0] as number
    if (first >= 20 && first <= 63) this.#onDtls?.(datagram)
  }
}

/** The keys of werift's side, for AES128_CM_SHA1_80. */
export function keysOf(dtls: DtlsClient | DtlsServer): SrtpKeys {
  const profile = "AES128_CM_SHA1_80"
  const { localKey, localSalt, remoteKey, remoteSalt } = dtls.extractSessionKeys(16, 14)
  return {
    profile,
    local: { profile, key: localKey, salt: localSalt },
    remote: { profile, key: remoteKey, salt: remoteSalt },
  }
}
