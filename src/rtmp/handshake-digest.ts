import { concat, equalBytes } from "../media/bytes.ts"

/** HMAC-SHA256 (RFC 2104, FIPS 180-4): 32 bytes. Whoever opens the socket brings it, since pure code has no cryptography. */
export type HmacSha256 = (key: Uint8Array, data: Uint8Array) => Uint8Array

/** Length of C1, S1, C2 and S2. */
export const HANDSHAKE_PACKET_BYTES = 1_536

/** The two ends of a connection, which sign with different keys. */
export type HandshakeRole = "client" | "server"

/** Where a packet keeps its digest: schema 0 in the second of its two blocks of 764 bytes, schema 1 in the first. */
export type DigestSchema = 0 | 1

/** A digest that was found in C1 or S1. */
export interface FoundDigest {
  readonly schema: DigestSchema
  /** 32 bytes, borrowed from the packet. */
  readonly digest: Uint8Array
}

/**
 * Writes a digest into C1 or S1 at the place that the packet's own bytes name.
 *
 * Layout: time, version, then two blocks of 764 bytes, of which one holds a public key (for RTMPE) and the other the digest. Adobe never
 * published it; all servers and players agree on it.
 */
export function signPacket(packet: Uint8Array, role: HandshakeRole, schema: DigestSchema, hmac: HmacSha256): void {
  const at = digestOffset(packet, schema)
  packet.set(digestOf(packet, at, role, hmac), at)
}

/** Finds the digest of the peer's C1 or S1; undefined where there is none in either schema: the peer speaks the simple form. */
export function findDigest(packet: Uint8Array, role: HandshakeRole, hmac: HmacSha256): FoundDigest | undefined {
  for (const schema of SCHEMAS) {
    const at = digestOffset(packet, schema)
    const digest = packet.subarray(at, at + DIGEST_BYTES)
    if (equalBytes(digest, digestOf(packet, at, role, hmac))) return { schema, digest }
  }
  return undefined
}

/** Makes C2 or S2: random bytes and their digest, whose key is made of the peer's digest. */
export function digestAnswer(
  peerDigest: Uint8Array,
  random: Uint8Array,
  role: HandshakeRole,
  hmac: HmacSha256,
): Uint8Array {
  const packet = new Uint8Array(HANDSHAKE_PACKET_BYTES)
  const body = packet.subarray(0, HANDSHAKE_PACKET_BYTES - DIGEST_BYTES)
  fillRepeating(body, random)
  packet.set(hmac(hmac(LONG_KEY[role], peerDigest), body), body.length)
  return packet
}

/** True where a C2 or S2 answers the digest that this side sent. */
export function isDigestAnswer(
  packet: Uint8Array,
  ownDigest: Uint8Array,
  peerRole: HandshakeRole,
  hmac: HmacSha256,
): boolean {
  const body = packet.subarray(0, HANDSHAKE_PACKET_BYTES - DIGEST_BYTES)
  return equalBytes(packet.subarray(body.length), hmac(hmac(LONG_KEY[peerRole], ownDigest), body))
}

/** Makes an unsigned C1 or S1: time zero, a version of four bytes (zero for the simple form), then `random` over and over. */
export function plainPacket(version: number, random: Uint8Array): Uint8Array {
  const packet = new Uint8Array(HANDSHAKE_PACKET_BYTES)
  new DataView(packet.buffer).setUint32(4, version)
  fillRepeating(packet.subarray(8), random)
  return packet
}

function digestOf(packet: Uint8Array, at: number, role: HandshakeRole, hmac: HmacSha256): Uint8Array {
  return hmac(SHORT_KEY[role], concat([packet.subarray(0, at), packet.subarray(at + DIGEST_BYTES)]))
}

function digestOffset(packet: Uint8Array, schema: DigestSchema): number {
  const block = schema === 0 ? HEADER_BYTES + BLOCK_BYTES : HEADER_BYTES
  let sum = 0
  for (let i = 0; i < OFFSET_BYTES; i++) sum += packet[block + i] as number
  return block + OFFSET_BYTES + (sum % (BLOCK_BYTES - OFFSET_BYTES - DIGEST_BYTES))
}

function fillRepeating(target: Uint8Array, pattern: Uint8Array): void {
  for (let at = 0; at < target.length && pattern.length > 0; at += pattern.length) {
    target.set(pattern.subarray(0, target.length - at), at)
  }
}

const HEADER_BYTES = 8
const BLOCK_BYTES = 764
const OFFSET_BYTES = 4
const DIGEST_BYTES = 32
/** Schema 1 first: it is what current encoders and libraries send. */
const SCHEMAS: readonly DigestSchema[] = [1, 0]

/** The well-known keys: C1 and S1 are signed with the text alone, C2 and S2 with these bytes behind it as well. */
const KEY_TAIL = Uint8Array.of(
  ...[0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57],
  ...[0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae],
)
const SHORT_KEY: Readonly<Record<HandshakeRole, Uint8Array>> = {
  client: new TextEncoder().encode("Genuine Adobe Flash Player 001"),
  server: new TextEncoder().encode("Genuine Adobe Flash Media Server 001"),
}
const LONG_KEY: Readonly<Record<HandshakeRole, Uint8Array>> = {
  client: concat([SHORT_KEY.client, KEY_TAIL]),
  server: concat([SHORT_KEY.server, KEY_TAIL]),
}
