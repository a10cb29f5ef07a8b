import { GatewayError } from "../../errors.ts"
import { ByteReader, ByteWriter } from "../../media/bytes.ts"

/** A complete handshake message with its header of 12 bytes, as if it had come in one piece. */
export interface HandshakeMessage {
  readonly type: number
  readonly bytes: Uint8Array
}

interface PartialMessage {
  readonly type: number
  readonly body: Uint8Array
  readonly isThere: Uint8Array
  missingBytes: number
}

/**
 * Puts the unencrypted handshake messages of a peer together from their fragments and gives each one out once and in order.
 * werift alone would lose a handshake to a lost or repeated datagram, take messages in any order, and allocate what a fragment
 * announces. RFC 6347 sections 4.2.2 and 4.2.3.
 */
export class HandshakeReassembly {
  readonly #order: readonly (readonly number[])[]
  readonly #partial = new Map<number, PartialMessage>()
  #nextSequence = 0
  #step = 0
  #last: HandshakeMessage | undefined
  #repeats = 0

  constructor(role: "server" | "client") {
    this.#order = role === "server" ? CLIENT_MESSAGES : SERVER_MESSAGES
  }

  /**
   * Takes the content of one handshake record, one or more fragments: type, length (3 bytes), sequence (2), offset (3), fragment
   * length (3), fragment. Returns the messages that are complete now. Throws `dtls.handshake` or `bytes.truncated`.
   */
  push(content: Uint8Array): HandshakeMessage[] {
    const reader = new ByteReader(content)
    const complete: HandshakeMessage[] = []
    while (reader.remaining > 0) {
      const type = reader.u8()
      const length = reader.u24()
      const sequence = reader.u16()
      const offset = reader.u24()
      const fragment = reader.take(reader.u24())
      if (length > MAX_MESSAGE_BYTES || offset + fragment.length > length || sequence >= MAX_MESSAGES) {
        throw new GatewayError("dtls.handshake", `handshake message ${type} of ${length} bytes, number ${sequence}`)
      }
      if (sequence < this.#nextSequence) this.#repeat(sequence, offset, complete)
      else this.#add(type, length, sequence, offset, fragment)
    }
    for (let next = this.#takeNext(); next !== undefined; next = this.#takeNext()) complete.push(next)
    return complete
  }

  #add(type: number, length: number, sequence: number, offset: number, fragment: Uint8Array): void {
    let message = this.#partial.get(sequence)
    if (!message) {
      message = { type, body: new Uint8Array(length), isThere: new Uint8Array(length), missingBytes: length }
      this.#partial.set(sequence, message)
    }
    if (message.type !== type || message.body.length !== length) {
      throw new GatewayError("dtls.handshake", `fragments of message ${sequence} contradict each other`)
    }
    for (let i = 0; i < fragment.length; i++) {
      if (message.isThere[offset + i]) continue
      message.isThere[offset + i] = 1
      message.body[offset + i] = fragment[i] as number
      message.missingBytes--
    }
  }

  #takeNext(): HandshakeMessage | undefined {
    const message = this.#partial.get(this.#nextSequence)
    if (!message || message.missingBytes > 0) return undefined
    this.#partial.delete(this.#nextSequence)
    this.#checkOrder(message.type)
    const length = message.body.length
    const writer = new ByteWriter(12 + length).u8(message.type).u24(length).u16(this.#nextSequence)
    this.#nextSequence++
    this.#last = { type: message.type, bytes: writer.u24(0).u24(length).bytes(message.body).finish() }
    return this.#last
  }

  /** Each message has its place, so that none can come twice and take effect after the signed one. */
  #checkOrder(type: number): void {
    while (this.#step < this.#order.length) {
      const allowed = this.#order[this.#step++] as readonly number[]
      if (allowed.includes(type)) return
      if (!allowed.includes(OPTIONAL)) break
    }
    throw new GatewayError("dtls.handshake", `handshake message ${type} out of place`)
  }

  /** A client that sends its ClientHello again has not got the answer, which comes sooner so than by the server's own time-out. */
  #repeat(sequence: number, offset: number, complete: HandshakeMessage[]): void {
    const isFirstHello = sequence === 0 && offset === 0 && this.#nextSequence === 1 && this.#last?.type === CLIENT_HELLO
    if (!isFirstHello || !this.#last || ++this.#repeats > MAX_REPEATS) return
    complete.push(this.#last)
  }
}

const OPTIONAL = -1
const CLIENT_HELLO = 1

/** ClientHello, Certificate, ClientKeyExchange, CertificateVerify; the encrypted Finished follows. */
const CLIENT_MESSAGES = [[CLIENT_HELLO], [11], [16], [15]]

/** HelloVerifyRequest (may be left out), ServerHello, Certificate, ServerKeyExchange, CertificateRequest (likewise), ServerHelloDone. */
const SERVER_MESSAGES = [[3, OPTIONAL], [2], [11], [12], [13, OPTIONAL], [14]]

const MAX_MESSAGES = 16
const MAX_MESSAGE_BYTES = 8192
const MAX_REPEATS = 8
