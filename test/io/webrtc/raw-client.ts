import { createHmac } from "node:crypto"
import { createSocket, type Socket } from "node:dgram"
import { BINDING, CLASS_REQUEST, serializeStunMessage, USE_CANDIDATE, USERNAME } from "../../../src/ice/stun.ts"
import type { DtlsIdentity } from "../../../src/io/webrtc/identity.ts"
import type { SrtpKeys } from "../../../src/io/webrtc/srtp/keys.ts"
import { DtlsClient, DtlsServer, type Transport } from "../../../src/io/webrtc/werift.ts"

const hmacSha1 = (key: Uint8Array, data: Uint8Array) => createHmac("sha1", key).update(data).digest()

/** A WebRTC peer made by hand: a socket, connectivity checks, and werift's DTLS. */
export class RawClient {
  readonly socket: Socket
  readonly #port: number
  readonly #waiting: { accept: (datagram: Buffer) => boolean; resolve: (datagram: Buffer) => void }[] = []
  #onDtls: ((datagram: Buffer) => void) | undefined
  /** Changes or drops what DTLS sends, to play a bad network or a bad peer. */
  mangle: (datagram: Buffer) => Buffer[] = (datagram) => [datagram]

  private constructor(socket: Socket, port: number) {
    this.socket = socket
    this.#port = port
    socket.on("message", (datagram) => {
      const index = this.#waiting.findIndex(({ accept }) => accept(datagram))
      if (index >= 0) this.#waiting.splice(index, 1)[0]?.resolve(datagram)
      const first = datagram[0] as number
      if (first >= 20 && first <= 63) this.#onDtls?.(datagram)
    })
  }

  static async open(port: number): Promise<RawClient> {
    const socket = createSocket("udp4")
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve))
    return new RawClient(socket, port)
  }

  send(datagram: Uint8Array): void {
    this.socket.send(datagram, this.#port, "127.0.0.1")
  }

  /** The next datagram whose first byte is in the range. */
  next(from: number, to: number): Promise<Buffer> {
    const accept = (datagram: Buffer) => (datagram[0] as number) >= from && (datagram[0] as number) <= to
    return new Promise((resolve) => this.#waiting.push({ accept, resolve }))
  }

  /** Sends a check and waits for its answer. */
  async check(localUfrag: string, localPwd: string): Promise<Buffer> {
    const answer = this.next(0, 3)
    const attributes = [
      { type: USERNAME, value: Buffer.from(`${localUfrag}:them`) },
      { type: USE_CANDIDATE, value: new Uint8Array(0) },
    ]
    const message = { messageClass: CLASS_REQUEST, method: BINDING, transactionId: Buffer.alloc(12, 7), attributes }
    this.send(serializeStunMessage(message, { key: Buffer.from(localPwd), hmacSha1 }))
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
    this.#onDtls = (datagram) => transport.onData(datagram, ["127.0.0.1", this.#port])
    if (dtls instanceof DtlsClient) dtls.connect().catch(() => {})
    return dtls
  }

  close(): void {
    this.socket.close()
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
