import { GatewayError } from "../errors.ts"
import { concat } from "../media/bytes.ts"
import { RTMP_VERSION } from "./handshake.ts"
import { digestAnswer, findDigest, type HmacSha256, plainPacket, signPacket } from "./handshake-digest.ts"
import { HandshakeExchange, type HandshakeStep } from "./handshake-exchange.ts"

/**
 * The client's side of the handshake, RTMP 1.0 section 5.2: `start` gives C0 and C1, S0 and S1 bring C2, the end of S2 ends it.
 *
 * The digest form is understood by all servers, as those that do not know it take it for random bytes. The content of S2 is not looked
 * at, since servers differ in it. Throws `rtmp.handshake` for a server of another version than 3.
 */
export class ClientHandshake {
  readonly #random: Uint8Array
  readonly #hmac: HmacSha256 | undefined
  readonly #exchange = new HandshakeExchange({ checkVersion, answer: (s1) => this.#answer(s1) })

  /** Takes the random part of C1 and C2 (shorter input is repeated). Without `hmac` the client speaks the simple form. */
  constructor(random: Uint8Array, hmac?: HmacSha256) {
    this.#random = random
    this.#hmac = hmac
  }

  /** Makes C0 and C1, which the client sends first. */
  start(): Uint8Array {
    const c1 = plainPacket(this.#hmac === undefined ? 0 : CLIENT_VERSION, this.#random)
    if (this.#hmac !== undefined) signPacket(c1, "client", 1, this.#hmac)
    return concat([Uint8Array.of(RTMP_VERSION), c1])
  }

  /** Takes what the server sends. The client may go on with `connect` once `rest` is set. */
  push(bytes: Uint8Array): HandshakeStep {
    return this.#exchange.push(bytes)
  }

  #answer(s1: Uint8Array): Uint8Array {
    const found = this.#hmac && findDigest(s1, "server", this.#hmac)
    if (this.#hmac === undefined || found === undefined) return new Uint8Array(s1)
    return digestAnswer(found.digest, this.#random, "client", this.#hmac)
  }
}

function checkVersion(version: number): void {
  if (version === RTMP_VERSION) return
  throw new GatewayError(
    "rtmp.handshake",
    `the server answers with byte ${version} and not in RTMP: check the port, and use rtmps:// where it wants TLS`,
  )
}

/** C1 shows the version of a Flash player, as the digest form began with one; zero would say the simple form. */
const CLIENT_VERSION = 0x0a_00_20_12
