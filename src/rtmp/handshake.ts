import { GatewayError } from "../errors.ts"
import { concat } from "../media/bytes.ts"
import { digestAnswer, findDigest, type HmacSha256, plainPacket, signPacket } from "./handshake-digest.ts"
import { HandshakeExchange, type HandshakeStep } from "./handshake-exchange.ts"

/** The version byte C0 and S0 of plain RTMP. */
export const RTMP_VERSION = 3

/**
 * The server's side of the handshake, RTMP 1.0 section 5.2: C0 and C1 come in, S0 S1 S2 go out, C2 ends it.
 *
 * A C1 with a valid digest, in either schema, is answered with digests, as Flash players want it before they show H.264; any other in
 * the simple form. The content of C2 is not looked at, as clients differ in it. Throws `rtmp.handshake` for another version than 3.
 */
export class ServerHandshake {
  readonly #random: Uint8Array
  readonly #hmac: HmacSha256 | undefined
  readonly #exchange = new HandshakeExchange({ checkVersion, answer: (c1) => this.#answer(c1) })

  /**
   * Takes the random part of S1 and S2; the caller makes it, since pure code has no randomness. Shorter input is repeated. Without
   * `hmac` every client gets the simple form.
   */
  constructor(random: Uint8Array, hmac?: HmacSha256) {
    this.#random = random
    this.#hmac = hmac
  }

  push(bytes: Uint8Array): HandshakeStep {
    return this.#exchange.push(bytes)
  }

  #answer(c1: Uint8Array): Uint8Array {
    const hmac = this.#hmac
    const found = hmac && findDigest(c1, "client", hmac)
    if (hmac === undefined || found === undefined) {
      return concat([Uint8Array.of(RTMP_VERSION), plainPacket(0, this.#random), c1])
    }
    const s1 = plainPacket(SERVER_VERSION, this.#random)
    signPacket(s1, "server", found.schema, hmac)
    return concat([Uint8Array.of(RTMP_VERSION), s1, digestAnswer(found.digest, this.#random, "server", hmac)])
  }
}

/** Throws `rtmp.handshake` for a first byte of a client that is not that of RTMP, and says what it looks like. */
function checkVersion(version: number): void {
  if (version === RTMP_VERSION) return
  throw new GatewayError("rtmp.handshake", wrongVersion(version))
}

function wrongVersion(version: number): string {
  if (RTMPE_VERSIONS.has(version)) return `RTMPE (version ${version}) is not supported: use rtmps:// or rtmp://`
  if (version === TLS_HANDSHAKE)
    return "TLS on the port of plain RTMP: use rtmp:// here, or rtmps:// with the RTMPS port"
  if (HTTP_METHOD_LETTERS.includes(String.fromCharCode(version))) {
    return "HTTP on the port of RTMP: use the HTTP port, or rtmp:// (RTMPT is not supported)"
  }
  return `RTMP version ${version} is not supported: use rtmp:// (version 3)`
}

/** 8 adds Blowfish to 6; 9 is what some players send for the form with signed content. */
const RTMPE_VERSIONS: ReadonlySet<number> = new Set([6, 8, 9])
const TLS_HANDSHAKE = 0x16
/** GET, POST/PUT/PATCH/PRI, OPTIONS, HEAD, DELETE, CONNECT. */
const HTTP_METHOD_LETTERS = "GPOHDC"
/** S1 shows the version of the Flash Media Server that `connect` is answered with; zero would say the simple form. */
const SERVER_VERSION = 0x03_05_07_01
