import { createHash, createHmac, timingSafeEqual, verify, X509Certificate } from "node:crypto"
import { GatewayError } from "../../errors.ts"
import { concat, equalBytes } from "../../media/bytes.ts"
import type { DtlsSocket } from "./werift.ts"

/** One `a=fingerprint` of the peer's session description (RFC 8122 section 5). */
export interface Fingerprint {
  /** For example `sha-256`. */
  readonly algorithm: string
  /** Pairs of hexadecimal digits with colons. */
  readonly value: string
}

/** Fingerprint of a certificate in DER form, upper-case pairs with colons. */
export function fingerprintOf(certificate: Uint8Array, algorithm: "sha256" | "sha384" | "sha512"): string {
  const digits = createHash(algorithm).update(certificate).digest("hex").toUpperCase()
  return (digits.match(/../g) as string[]).join(":")
}

/**
 * Makes sure who the peer of a finished handshake is, which werift leaves out: that its certificate is the one that the session description
 * named, that it holds the key of that certificate, and that nobody changed the handshake on the way. To be called before
 * any key is used. `finished` is the verify_data of the peer's Finished. Throws `dtls.peer`. RFC 5246 sections 7.4.3, 7.4.8 and 7.4.9.
 */
export function verifyPeer(
  socket: DtlsSocket,
  role: "server" | "client",
  fingerprints: readonly Fingerprint[],
  finished: Uint8Array,
): void {
  const certificate = socket.remoteCertificate
  if (!certificate) throw new GatewayError("dtls.peer", "the peer showed no certificate")
  if (!fingerprints.some((fingerprint) => isFingerprintOf(certificate, fingerprint))) {
    throw new GatewayError("dtls.peer", "the certificate is not the one that the session description names")
  }
  const messages = socket.dtls.sortedHandshakeCache
  const transcript = (count: number) => concat(messages.slice(0, count).map((message) => message.serialize()))
  const proof = messages.findIndex(
    ({ msg_type }) => msg_type === (role === "server" ? CERTIFICATE_VERIFY : KEY_EXCHANGE),
  )
  const body = messages[proof]?.fragment
  if (!body) throw new GatewayError("dtls.peer", "the peer did not prove that it has the certificate's key")
  if (role === "server") verifySignature(certificate, body, transcript(proof))
  else verifyKeyExchange(socket, certificate, body)
  // As server: all before the client's Finished, which is the first one. As client: all, our own Finished being the last.
  const ownOrTheirs = messages.findIndex(({ msg_type }) => msg_type === FINISHED)
  const covered = transcript(role === "server" ? ownOrTheirs : ownOrTheirs + 1)
  const label = role === "server" ? "client finished" : "server finished"
  const expected = finishedData(socket.cipher.masterSecret, label, covered)
  if (ownOrTheirs < 0 || finished.length !== expected.length || !timingSafeEqual(finished, expected)) {
    throw new GatewayError("dtls.peer", "the peer's Finished does not match the handshake")
  }
}

function isFingerprintOf(certificate: Uint8Array, { algorithm, value }: Fingerprint): boolean {
  const hash = HASH_OF_FINGERPRINT[algorithm.toLowerCase()]
  if (!hash) return false
  const expected = Buffer.from(fingerprintOf(certificate, hash))
  const actual = Buffer.from(value.toUpperCase())
  return expected.length === actual.length && timingSafeEqual(expected, actual)
}

/** ServerKeyExchange: curve type, named curve (2 bytes), length and bytes of the public key, then a signature over both randoms and these. */
function verifyKeyExchange(socket: DtlsSocket, certificate: Uint8Array, body: Uint8Array): void {
  const paramsBytes = 4 + (body[3] ?? 0)
  const { cipher } = socket
  const used = cipher.remoteKeyPair.publicKey
  if (!used || !equalBytes(body.subarray(4, paramsBytes), used)) {
    throw new GatewayError("dtls.peer", "the key that is used is not the one that was signed")
  }
  const signed = [cipher.localRandom.serialize(), cipher.remoteRandom.serialize(), body.subarray(0, paramsBytes)]
  verifySignature(certificate, body.subarray(paramsBytes), concat(signed))
}

/** `signature`: hash and signature algorithm, length (2 bytes), signature. */
function verifySignature(certificate: Uint8Array, signature: Uint8Array, data: Uint8Array): void {
  const [hashId = 0, algorithmId = 0, high = 0, low = 0] = signature
  const hash = HASH_OF_SIGNATURE[hashId]
  const value = signature.subarray(4)
  const isKnown = algorithmId === RSA || algorithmId === ECDSA
  if (
    !hash ||
    !isKnown ||
    value.length !== high * 256 + low ||
    !isSignedBy(certificate, algorithmId, hash, data, value)
  ) {
    throw new GatewayError("dtls.peer", "the peer does not hold the key of its certificate")
  }
}

function isSignedBy(
  certificate: Uint8Array,
  algorithmId: number,
  hash: string,
  data: Uint8Array,
  value: Uint8Array,
): boolean {
  try {
    const { publicKey } = new X509Certificate(certificate)
    const isKeyType = publicKey.asymmetricKeyType === (algorithmId === RSA ? "rsa" : "ec")
    return isKeyType && verify(hash, data, publicKey, value)
  } catch {
    return false // the certificate cannot be read, or has a key that nobody uses
  }
}

/** First 12 bytes of the TLS 1.2 PRF, which one round of HMAC-SHA256 gives. RFC 5246 sections 5 and 7.4.9. */
function finishedData(masterSecret: Uint8Array, label: string, transcript: Uint8Array): Uint8Array {
  const seed = concat([Buffer.from(label), createHash("sha256").update(transcript).digest()])
  const first = createHmac("sha256", masterSecret).update(seed).digest()
  return createHmac("sha256", masterSecret).update(first).update(seed).digest().subarray(0, 12)
}

const KEY_EXCHANGE = 12
const CERTIFICATE_VERIFY = 15
const FINISHED = 20
const RSA = 1
const ECDSA = 3
const HASH_OF_SIGNATURE: Readonly<Record<number, string>> = { 4: "sha256", 5: "sha384", 6: "sha512" }
const HASH_OF_FINGERPRINT: Readonly<Record<string, "sha256" | "sha384" | "sha512">> = {
  "sha-256": "sha256",
  "sha-384": "sha384",
  "sha-512": "sha512",
}
