import { concat } from "../../media/bytes.ts"
import { HANDSHAKE, serializeDtlsRecord } from "./dtls-record.ts"
import type { DtlsServer } from "./werift.ts"

/**
 * Lets werift's server answer the first ClientHello instead of asking for a second one with a cookie. The cookie would show that the client is at
 * its address, which ICE has shown already, and cost every session a round trip; WebRTC's other servers leave it out too
 * (RFC 6347 section 4.2.1: a server may). werift knows no other way, so it gets its own cookie within the hello, and the transcript
 * the hello that was sent.
 */
export class FirstHello {
  readonly #socket: DtlsServer
  readonly #deliver: (record: Uint8Array) => void
  #completed: Uint8Array | undefined
  #isAsking = false

  /** `deliver` hands a record to werift, which answers before it returns. */
  constructor(socket: DtlsServer, deliver: (record: Uint8Array) => void) {
    this.#socket = socket
    this.#deliver = deliver
  }

  /** True while what werift sends is its request for a cookie, which is not for the client. */
  get isAsking(): boolean {
    return this.#isAsking
  }

  /** Takes the ClientHello, a whole handshake message; the same again makes werift answer again. */
  push(message: Uint8Array): void {
    if (this.#completed === undefined) this.#begin(message)
    else this.#deliver(this.#completed)
  }

  #begin(message: Uint8Array): void {
    const { dtls } = this.#socket
    this.#isAsking = true
    this.#deliver(serializeDtlsRecord(HANDSHAKE, 0, 0, message))
    this.#isAsking = false
    if (dtls.cookie === undefined) return // werift found no way to serve this hello, and says so by itself
    numberFromZero(dtls)
    this.#completed = serializeDtlsRecord(HANDSHAKE, 0, 1, withCookie(message, dtls.cookie))
    this.#deliver(this.#completed)
    const [hello] = dtls.handshakeCache[SERVER_FLIGHT]?.data ?? []
    if (hello === undefined) return
    const body = Buffer.from(message.subarray(HEADER_BYTES))
    Object.assign(hello, { fragment: body, length: body.length, fragment_length: body.length })
  }
}

/** ServerHello is our first message and so has number 0; werift counts the request that was not sent. */
function numberFromZero(dtls: DtlsServer["dtls"]): void {
  let next = 0
  let isFirst = true
  Object.defineProperty(dtls, "sequenceNumber", {
    get: () => next,
    set: (value: number) => {
      next = isFirst ? 0 : value
      isFirst = false
    },
  })
}

/** ClientHello: version (2 bytes), random (32), session id (1 + n), cookie (1 + n), and more. RFC 6347 section 4.2.1. */
function withCookie(message: Uint8Array, cookie: Uint8Array): Uint8Array {
  const cookieAt = HEADER_BYTES + 34 + 1 + (message[HEADER_BYTES + 34] as number)
  const body = concat([
    message.subarray(HEADER_BYTES, cookieAt),
    Uint8Array.of(cookie.length),
    cookie,
    message.subarray(cookieAt + 1),
  ])
  const header = message.slice(0, HEADER_BYTES)
  const length = [body.length >> 16, body.length >> 8, body.length]
  header.set(length, 1)
  header.set(length, 9)
  return concat([header, body])
}

const HEADER_BYTES = 12
const SERVER_FLIGHT = 4
