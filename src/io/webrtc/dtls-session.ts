import { GatewayError } from "../../errors.ts"
import { FirstHello } from "./dtls-first-hello.ts"
import { HandshakeReassembly } from "./dtls-reassembly.ts"
import { ALERT, DTLS_1_2, type DtlsRecord, HANDSHAKE, parseDtlsRecords, serializeDtlsRecord } from "./dtls-record.ts"
import { type Fingerprint, verifyPeer } from "./dtls-verify.ts"
import type { DtlsIdentity } from "./identity.ts"
import { KEYING_BYTES, type SrtpKeys, type SrtpProfile } from "./srtp/keys.ts"
import {
  type Address,
  DtlsClient,
  DtlsServer,
  ProtectionProfileAeadAes128Gcm,
  ProtectionProfileAes128CmHmacSha1_80,
  type Transport,
} from "./werift.ts"

/** What a DTLS session reports; after `failed` or `closed` nothing comes any more. */
export interface DtlsEvents {
  send(datagram: Uint8Array): void
  /** The handshake is done and the peer is who the session description says. */
  connected(keys: SrtpKeys): void
  failed(error: GatewayError): void
  /** The peer said goodbye. */
  closed(): void
}

/** How a session is opened. */
export interface DtlsOptions {
  readonly identity: DtlsIdentity
  readonly role: "server" | "client"
  /** Certificates that the peer may show, from its session description; read when the handshake ends. */
  readonly fingerprints: readonly Fingerprint[]
  /** The best first; `TYPESCRIPT_PROFILES` if left out. */
  readonly profiles?: readonly SrtpProfile[] | undefined
  /** As client: when the ClientHello goes out again, after the first time; left out: soon and thrice. */
  readonly helloRepeatsMs?: readonly number[]
}

/**
 * One DTLS handshake that gives the keys of SRTP (RFC 5764). The messages and their cryptography are werift's; what it gets to see
 * is cleaned first: whole handshake messages, once and in order, no alert that is not authenticated, nothing after the handshake but
 * repeats of the last message. The peer is verified here.
 */
export class DtlsSession {
  readonly #socket: DtlsServer | DtlsClient
  readonly #transport: WeriftTransport
  readonly #options: DtlsOptions
  readonly #events: DtlsEvents
  readonly #reassembly: HandshakeReassembly
  /** Where we are the server. */
  readonly #firstHello: FirstHello | undefined
  #finished: Uint8Array | undefined
  #early: DtlsRecord | undefined
  /** The first datagram that was sent. */
  #hello: Uint8Array | undefined
  #hasHeard = false
  #isConnected = false
  #isEnded = false
  #recordsAfterwards = 0
  #alertText = ""

  constructor(options: DtlsOptions, events: DtlsEvents) {
    this.#options = options
    this.#events = events
    this.#reassembly = new HandshakeReassembly(options.role)
    this.#transport = new WeriftTransport((datagram) => {
      if (this.#firstHello?.isAsking) return
      this.#hello ??= datagram
      if (!this.#isEnded) events.send(datagram)
    })
    const { certPem, keyPem, signatureHash } = options.identity
    const config = {
      cert: certPem,
      key: keyPem,
      signatureHash,
      transport: this.#transport,
      srtpProfiles: (options.profiles ?? TYPESCRIPT_PROFILES).map((profile) => WIRE_PROFILE[profile]),
      extendedMasterSecret: true,
      // As client this would make werift wait for a request that ffmpeg's server never sends.
      certificateRequest: options.role === "server",
    }
    this.#socket = options.role === "server" ? new DtlsServer(config) : new DtlsClient(config)
    if (this.#socket instanceof DtlsServer) {
      this.#firstHello = new FirstHello(this.#socket, (record) => this.#transport.deliver(record))
    }
    this.#socket.onConnect.subscribe(() => this.#complete())
    this.#socket.onError.subscribe((error: unknown) => this.#fail(toGatewayError(error)))
  }

  /** The unauthenticated alert that the peer sent during the handshake, for the reason of a time-out; else empty. */
  get alertText(): string {
    return this.#alertText
  }

  /** Begins the handshake where we are the client; a server waits. */
  start(): void {
    if (!(this.#socket instanceof DtlsClient)) return
    this.#socket.connect().catch((error: unknown) => this.#fail(toGatewayError(error)))
    // ffmpeg takes the first ClientHello as the end of ICE and drops it; werift would send the next one half a second later.
    for (const delayMs of this.#options.helloRepeatsMs ?? HELLO_REPEATS_MS)
      setTimeout(() => this.repeatHello(), delayMs)
  }

  /** As client: sends the ClientHello once more, unless the peer has answered. */
  repeatHello(): void {
    if (this.#hello !== undefined && !this.#hasHeard && !this.#isEnded) this.#events.send(this.#hello)
  }

  /** Takes one datagram from the peer's authenticated address. Never throws; what makes no sense is dropped. */
  push(datagram: Uint8Array): void {
    try {
      for (const record of parseDtlsRecords(datagram)) this.#pushRecord(record)
    } catch (error) {
      this.#fail(toGatewayError(error))
    }
  }

  /** Ends the session and tells the peer. */
  close(): void {
    if (this.#isConnected && !this.#isEnded) this.#sendCloseNotify()
    this.#end()
  }

  #pushRecord(record: DtlsRecord): void {
    if (this.#isEnded) return
    this.#hasHeard = true
    if (record.type === ALERT) this.#pushAlert(record)
    else if (record.type !== HANDSHAKE) return
    else if (record.epoch > 0) this.#pushFinished(record)
    else if (!this.#isConnected) this.#pushHandshake(record)
  }

  #pushHandshake(record: DtlsRecord): void {
    for (const { type, bytes } of this.#reassembly.push(record.content)) {
      if (this.#firstHello && type === CLIENT_HELLO) this.#firstHello.push(bytes)
      else this.#transport.deliver(serializeDtlsRecord(HANDSHAKE, 0, record.sequenceNumber, bytes))
      if (this.#isEnded) return
    }
    const early = this.#early
    this.#early = undefined
    if (early) this.#pushFinished(early)
  }

  /** The only encrypted handshake message is Finished: 12 bytes of verify_data, in one piece. */
  #pushFinished(record: DtlsRecord): void {
    if (this.#isConnected && ++this.#recordsAfterwards > MAX_RECORDS_AFTERWARDS) return
    if (!this.#socket.cipher.cipher) {
      this.#early = { ...record, bytes: record.bytes.slice(), content: record.content.slice() }
      return
    }
    const message = this.#decrypt(record)
    if (message?.length !== FINISHED_BYTES || message[0] !== FINISHED) return
    this.#finished ??= message.subarray(12)
    this.#transport.deliver(record.bytes)
  }

  #pushAlert(record: DtlsRecord): void {
    const content = record.epoch > 0 ? this.#decrypt(record) : record.content
    if (content?.length !== 2) return
    const [level, description] = content
    if (record.epoch === 0) {
      if (!this.#isConnected) this.#alertText = `the peer sent alert ${description}`
    } else if (level === ALERT_FATAL || description === CLOSE_NOTIFY) {
      this.#end()
      this.#events.closed()
    }
  }

  #decrypt(record: DtlsRecord): Uint8Array | undefined {
    const { cipher, sessionType } = this.#socket
    const { type, version, epoch, sequenceNumber } = record
    try {
      return cipher.cipher.decrypt(sessionType, Buffer.from(record.content), { type, version, epoch, sequenceNumber })
    } catch {
      return undefined // not authentic, or there is no key yet
    }
  }

  #complete(): void {
    if (this.#isConnected || this.#isEnded) return
    try {
      if (!this.#finished) throw new GatewayError("dtls.handshake", "the handshake ended without Finished")
      verifyPeer(this.#socket, this.#options.role, this.#options.fingerprints, this.#finished)
      const keys = this.#exportKeys()
      this.#isConnected = true
      this.#events.connected(keys)
    } catch (error) {
      this.#fail(toGatewayError(error))
    }
  }

  #exportKeys(): SrtpKeys {
    const wire = this.#socket.srtp.srtpProfile
    const profile = TYPESCRIPT_PROFILES.find((candidate) => WIRE_PROFILE[candidate] === wire)
    if (!profile) throw new GatewayError("dtls.handshake", "no SRTP profile in common")
    const length = KEYING_BYTES[profile]
    const { localKey, localSalt, remoteKey, remoteSalt } = this.#socket.extractSessionKeys(length.key, length.salt)
    return {
      profile,
      local: { profile, key: localKey, salt: localSalt },
      remote: { profile, key: remoteKey, salt: remoteSalt },
    }
  }

  #sendCloseNotify(): void {
    const { cipher, sessionType, dtls } = this.#socket
    const sequenceNumber = ++dtls.recordSequenceNumber
    const header = { type: ALERT, version: DTLS_1_2, epoch: 1, sequenceNumber }
    try {
      const sealed = cipher.cipher.encrypt(sessionType, Buffer.of(ALERT_WARNING, CLOSE_NOTIFY), header)
      this.#events.send(serializeDtlsRecord(ALERT, 1, sequenceNumber, sealed))
    } catch {
      // A goodbye that cannot be said is none; the peer notices the silence.
    }
  }

  #fail(error: GatewayError): void {
    if (this.#isEnded || this.#isConnected) return
    this.#end()
    this.#events.failed(error)
  }

  #end(): void {
    this.#isEnded = true
    this.#transport.closed = true
    this.#socket.dtls.flight = NO_MORE_FLIGHTS // else werift would go on sending its last flight for half a minute
  }
}

/** What werift believes to be a socket. */
class WeriftTransport implements Transport {
  readonly type = "mux"
  readonly address = {} as Transport["address"]
  readonly #send: (datagram: Uint8Array) => void
  closed = false
  onData: (data: Buffer, from: Address) => void = () => {}

  constructor(send: (datagram: Uint8Array) => void) {
    this.#send = send
  }

  deliver(bytes: Uint8Array): void {
    this.onData(Buffer.from(bytes), NOWHERE)
  }

  send = async (data: Buffer): Promise<void> => {
    this.#send(data)
  }

  close = async (): Promise<void> => {
    this.closed = true
  }
}

/** werift throws what it likes, also strings; in a handshake all of it is the peer's doing. */
function toGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError && error.code !== "bytes.truncated") return error
  const message = error instanceof Error && error.message ? error.message : String(error)
  return new GatewayError("dtls.handshake", `DTLS handshake failed: ${message}`, { cause: error })
}

/** The best first: AES-CM costs our fan-out less than half of what GCM does, as `scripts/bench/srtp.ts` shows. */
const TYPESCRIPT_PROFILES: readonly SrtpProfile[] = ["AES128_CM_SHA1_80", "AEAD_AES_128_GCM"]

/** The best first for the native fan-out, where GCM costs less. */
export const NATIVE_PROFILES: readonly SrtpProfile[] = ["AEAD_AES_128_GCM", "AES128_CM_SHA1_80"]

const WIRE_PROFILE = {
  AES128_CM_SHA1_80: ProtectionProfileAes128CmHmacSha1_80,
  AEAD_AES_128_GCM: ProtectionProfileAeadAes128Gcm,
} as const

const HELLO_REPEATS_MS = [20, 60, 150]
const NOWHERE: Address = ["", 0]
const CLIENT_HELLO = 1
const FINISHED = 20
const FINISHED_BYTES = 24
const ALERT_WARNING = 1
const ALERT_FATAL = 2
const CLOSE_NOTIFY = 0
const NO_MORE_FLIGHTS = 100
const MAX_RECORDS_AFTERWARDS = 32
