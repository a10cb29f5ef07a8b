import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { GatewayError } from "../../src/errors.ts"
import { hmacSha256 } from "../../src/io/rtmp/hmac.ts"
import { concat } from "../../src/media/bytes.ts"
import { ClientHandshake } from "../../src/rtmp/client-handshake.ts"
import { ServerHandshake } from "../../src/rtmp/handshake.ts"
import { findDigest, isDigestAnswer, plainPacket, signPacket } from "../../src/rtmp/handshake-digest.ts"
import type { HandshakeStep } from "../../src/rtmp/handshake-exchange.ts"
import { hex, toHex } from "../support/bytes.ts"

const PACKET_BYTES = 1_536
const RANDOM = Uint8Array.of(1, 2, 3)
const VERSION = Uint8Array.of(3)
const SIMPLE_C1 = Uint8Array.from({ length: PACKET_BYTES }, (_, i) => i & 0xff)
const FIXTURES = join(import.meta.dirname, "../fixtures/rtmp")

/**
 * Digests that Python's hmac module made for C1 with the bytes 3, 10, 17 … behind the version, and S1 and the bodies of C2 and S2 with 1, 2, 3, 1 …
 */
const VECTORS = [
  {
    schema: 0,
    c1: { at: 1_014, digest: "ee57cd4468042a4a1d0356c6fa2a54e53deff6e11afca7fc1e8b559bf25ec48e" },
    s1: { at: 785, digest: "1cd24873c9c74f414a131b7b2863e75d0236ed9d21190b885ebf100ef346815b" },
    s2: "7a0c471c4be0612a6a148b6e214fec35b19d9bd89aca37e9d0e5ef7097d2c8f2",
    c2: "73a6ef32134485a39bcbf968f84f19e35818ae2b23174cda2cc8a3e6f29f9c6f",
  },
  {
    schema: 1,
    c1: { at: 66, digest: "57558039f689da2cd14bff731a86b6af64501620e140ff7d2265d3260626b728" },
    s1: { at: 19, digest: "15120abd652f07756a992e16e8a370bd57434a7aeba9bef4c7ac8171f5be96c4" },
    s2: "2f10c8d8b79b028947336e9765772949849e5431c5144d4031ee79de7da6a33b",
    c2: "e4ab8b734d3cc715c8ec28dfc283aed6033d7712805d87ea1597d74b5845360c",
  },
] as const

function digestC1({ at, digest }: { at: number; digest: string }): Uint8Array {
  const c1 = plainPacket(
    0x80_00_07_02,
    Uint8Array.from({ length: 1_528 }, (_, i) => i * 7 + 3),
  )
  c1.set(hex(digest), at)
  return c1
}

interface Handshake {
  push(bytes: Uint8Array): HandshakeStep
}

/** Feeds a handshake in pieces; `rest` has what came after it. */
function feed(handshake: Handshake, input: Uint8Array, stepBytes = input.length) {
  const sent: Uint8Array[] = []
  for (let at = 0; at < input.length; at += stepBytes) {
    const { send, rest } = handshake.push(input.subarray(at, at + stepBytes))
    if (send !== undefined) sent.push(send)
    if (rest !== undefined) return { sent, rest: concat([rest, input.subarray(at + stepBytes)]) }
  }
  return { sent, rest: undefined }
}

const STEPS = [1, 7, 1_536, 1_537, 3_073, 3_075]

describe("the server", () => {
  test.each(STEPS)("answers the simple form, and hands over what follows C2, %i bytes at a time", (step) => {
    const input = concat([VERSION, SIMPLE_C1, SIMPLE_C1, hex("aabb")])
    const { sent, rest } = feed(new ServerHandshake(RANDOM, hmacSha256), input, step)
    expect(sent).toHaveLength(1)
    const [answer] = sent as [Uint8Array]
    expect(toHex(answer.subarray(0, 13))).toBe("03 00000000 00000000 01020301".replaceAll(" ", ""))
    expect(answer.subarray(1 + PACKET_BYTES)).toEqual(SIMPLE_C1)
    expect(rest).toEqual(hex("aabb"))
  })

  test.each(VECTORS)("answers a digest in schema $schema with digests in the same schema", ({ schema, c1, s1, s2 }) => {
    const { sent } = feed(new ServerHandshake(RANDOM, hmacSha256), concat([VERSION, digestC1(c1)]), 100)
    const [answer] = sent as [Uint8Array]
    expect(answer).toHaveLength(1 + 2 * PACKET_BYTES)
    const packet = answer.subarray(1, 1 + PACKET_BYTES)
    expect(toHex(packet.subarray(0, 9))).toBe("000000000305070101")
    expect(toHex(packet.subarray(s1.at, s1.at + 32))).toBe(s1.digest)
    expect(findDigest(packet, "server", hmacSha256)?.schema).toBe(schema)
    expect(toHex(answer.subarray(-32))).toBe(s2)
    expect(isDigestAnswer(answer.subarray(1 + PACKET_BYTES), hex(c1.digest), "server", hmacSha256)).toBe(true)
  })

  test.each(VECTORS)("a digest in schema $schema with one wrong bit is no digest", ({ c1 }) => {
    const packet = digestC1(c1)
    packet[1_535] = (packet[1_535] as number) ^ 1
    expect(findDigest(packet, "client", hmacSha256)).toBeUndefined()
    const { sent } = feed(new ServerHandshake(RANDOM, hmacSha256), concat([VERSION, packet]))
    expect((sent[0] as Uint8Array).subarray(1 + PACKET_BYTES)).toEqual(packet)
  })

  test("without HMAC every client gets the simple form", () => {
    const c1 = digestC1(VECTORS[1].c1)
    const { sent } = feed(new ServerHandshake(RANDOM), concat([VERSION, c1]))
    expect((sent[0] as Uint8Array).subarray(1 + PACKET_BYTES)).toEqual(c1)
  })

  test.each([
    { name: "ffmpeg 5.1", file: "publish-ffmpeg-5.1.bin", version: "09007c02" },
    { name: "rtmpdump 2.4", file: "c0c1-rtmpdump-2.4.bin", version: "0a002d02" },
  ])("finds the digest of $name", ({ file, version }) => {
    const c1 = new Uint8Array(readFileSync(join(FIXTURES, file))).subarray(1, 1 + PACKET_BYTES)
    expect(toHex(c1.subarray(4, 8))).toBe(version)
    expect(findDigest(c1, "client", hmacSha256)?.schema).toBe(1)
  })

  test.each([
    { name: "RTMPE", first: 6, says: /RTMPE.*rtmps:\/\/ or rtmp:\/\// },
    { name: "RTMPE of later players", first: 8, says: /RTMPE/ },
    { name: "TLS", first: 0x16, says: /TLS.*rtmps:\/\/ with the RTMPS port/ },
    { name: "GET", first: 0x47, says: /HTTP/ },
    { name: "POST", first: 0x50, says: /HTTP/ },
    { name: "OPTIONS", first: 0x4f, says: /HTTP/ },
    { name: "another version", first: 0x80, says: /version 128/ },
  ])("refuses $name with the first byte, and says what to do", ({ first, says }) => {
    const push = () => new ServerHandshake(RANDOM, hmacSha256).push(Uint8Array.of(first))
    expect(push).toThrow(expect.objectContaining({ code: "rtmp.handshake", message: expect.stringMatching(says) }))
  })
})

describe("the client", () => {
  test("sends C1 with a digest in schema 1 where it can, else a plain one", () => {
    const start = new ClientHandshake(RANDOM, hmacSha256).start()
    expect(start).toHaveLength(1 + PACKET_BYTES)
    expect(toHex(start.subarray(0, 9))).toBe("03000000000a002012")
    const digest = "d3908d2cbc0c782ffa42d062243a424985d1e96662b5657043ec5c760490ad5d"
    expect(toHex(start.subarray(1 + 19, 1 + 19 + 32))).toBe(digest)
    expect(toHex(new ClientHandshake(RANDOM).start().subarray(0, 13))).toBe("03000000000000000001020301")
  })

  test.each(VECTORS)("answers S1 in schema $schema with its digest in C2", ({ schema, c2 }) => {
    const s1 = plainPacket(0x03_05_07_01, RANDOM)
    signPacket(s1, "server", schema, hmacSha256)
    const input = concat([VERSION, s1, new Uint8Array(PACKET_BYTES), hex("aabb")])
    const { sent, rest } = feed(new ClientHandshake(RANDOM, hmacSha256), input)
    expect(toHex((sent[0] as Uint8Array).subarray(-32))).toBe(c2)
    expect(rest).toEqual(hex("aabb"))
  })

  test.each(STEPS)("answers S1 of the simple form with the same bytes, %i bytes at a time", (step) => {
    const input = concat([VERSION, SIMPLE_C1, new Uint8Array(PACKET_BYTES), hex("aabb")])
    expect(feed(new ClientHandshake(RANDOM, hmacSha256), input, step)).toEqual({ sent: [SIMPLE_C1], rest: hex("aabb") })
  })

  test("refuses what is no RTMP server", () => {
    const push = () => new ClientHandshake(RANDOM).push(hex("48545450"))
    expect(push).toThrow(GatewayError)
  })
})

test.each([
  { name: "both know the digest form", client: hmacSha256, server: hmacSha256 },
  { name: "only the client knows it", client: hmacSha256, server: undefined },
  { name: "only the server knows it", client: undefined, server: hmacSha256 },
])("client and server come together where $name", ({ client, server }) => {
  const [ours, theirs] = [new ClientHandshake(RANDOM, client), new ServerHandshake(Uint8Array.of(7), server)]
  const answer = theirs.push(ours.start()).send as Uint8Array
  const { send, rest } = ours.push(answer)
  expect(rest).toHaveLength(0)
  expect(theirs.push(send as Uint8Array).rest).toHaveLength(0)
})
