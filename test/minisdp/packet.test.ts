import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { GatewayError } from "../../src/errors.ts"
import type { MiniSdpPacket } from "../../src/minisdp/packet.ts"
import { decodePacket, encodePacket, errorPacket, MAX_PACKET_BYTES, stopSignature } from "../../src/minisdp/packet.ts"
import { referenceText } from "../../src/minisdp/reference-text.ts"
import { sessionToSdp } from "../../src/minisdp/session-to-sdp.ts"
import { anyPacket } from "./arbitrary-packet.ts"
import { bytesOf, vectors } from "./vectors.ts"

const malformed = expect.objectContaining({ code: "minisdp.packet" })
const offer = decodePacket(bytesOf(vectors("v0-ext")[0]?.packet_hex as string))

describe("encoding and decoding", () => {
  test("a packet by the rules of the reference comes back as it was", () => {
    fc.assert(
      fc.property(anyPacket, (packet) => {
        const bytes = encodeOrRefuse(packet, "reference")
        if (bytes !== undefined) expect(decodePacket(bytes)).toEqual(packet)
      }),
    )
  })

  test("a packet by the rules for interoperation comes back as it was, and with TLVs it says push or pull", () => {
    fc.assert(
      fc.property(anyPacket, (packet) => {
        const bytes = encodeOrRefuse(packet, "interop")
        if (bytes === undefined) return
        const { push, ...decoded } = decodePacket(bytes)
        const { push: wanted, ...expected } = packet
        expect(decoded).toEqual(expected)
        if (wanted !== undefined || !hasTlvs(packet)) expect(push).toBe(wanted)
        else expect(push).toBeTypeOf("boolean")
      }),
    )
  })

  test("no bytes bring anything but a packet or minisdp.packet", () => {
    const magic = fc
      .uint8Array({ maxLength: 300 })
      .map((rest) => Uint8Array.of(0xff, 0x53, 0x44, 0x50, 0, 0, 0, ...rest))
    fc.assert(
      fc.property(fc.oneof(magic, fc.uint8Array({ maxLength: 1500 })), (bytes) => {
        try {
          decodePacket(bytes)
        } catch (error) {
          expect(error).toEqual(malformed)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test("every beginning of a packet is refused", () => {
    const bytes = encodePacket(offer)
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodePacket(bytes.subarray(0, length))).toThrow(malformed)
    }
    expect(decodePacket(bytes)).toEqual({ ...offer, push: false, extras: offer.extras })
  })

  test("bytes around a packet in its buffer do not matter", () => {
    const bytes = encodePacket(offer)
    const buffer = new Uint8Array(bytes.length + 64).fill(0xff)
    buffer.set(bytes, 32)
    expect(decodePacket(buffer.subarray(32, 32 + bytes.length))).toEqual(decodePacket(bytes))
  })

  test("the two generations of one session decode to the same text but for their styles", () => {
    const asBase = encodePacket({ ...offer, generation: "base" }, "reference")
    const { session } = decodePacket(asBase)
    expect(session.media.map(({ codecs }) => codecs.map(({ name }) => name))).toEqual([["opus"], ["H264"]])
    expect({ ...session, media: [] }).toEqual({ ...offer.session, media: [] })
  })
})

describe("limits", () => {
  test.each([
    { name: "a URL of 1192 bytes", change: { streamUrl: "x".repeat(1192) } },
    { name: "more than 1400 bytes in all", change: { streamUrl: "x".repeat(1191) } },
    { name: "a line break in the URL", change: { streamUrl: "a\r\nb" } },
    { name: "half a character", change: { svrsig: "\ud800" } },
    { name: "a sequence number of 17 bits", change: { seq: 65_536 } },
    { name: "a status below zero", change: { status: -1 } },
    {
      name: "two sections of a kind",
      change: { session: { ...offer.session, media: [...offer.session.media, ...offer.session.media] } },
    },
    { name: "a candidate of the other family", change: withCandidate("2001:db8::1", 1) },
    { name: "a candidate without a port", change: withCandidate("192.0.2.1", 0) },
    { name: "a candidate that is a name", change: withCandidate("a.local", 1) },
    { name: "65 candidates", change: { session: { ...offer.session, candidates: manyCandidates(65) } } },
  ])("does not encode $name", ({ change }) => {
    expect(() => encodePacket({ ...offer, ...change })).toThrow(malformed)
  })

  test.each([
    { name: "another magic", at: 0, value: 0xfe },
    { name: "version 1", at: 4, value: 1 },
    { name: "direction 3", at: 28, value: 0x3c },
    { name: "a section that the header does not announce", at: 37, value: 0x06 },
    { name: "a control character in the ufrag", at: 72, value: 0x0a },
    { name: "text that is not UTF-8", at: 72, value: 0xff },
  ])("does not decode $name", ({ at, value }) => {
    const bytes = encodePacket(offer)
    bytes[at] = value
    expect(() => decodePacket(bytes)).toThrow(malformed)
  })

  test("does not decode more than 1400 bytes", () => {
    const bytes = new Uint8Array(MAX_PACKET_BYTES + 1)
    bytes.set(encodePacket(offer))
    expect(() => decodePacket(bytes)).toThrow(malformed)
    expect(decodePacket(bytes.subarray(0, MAX_PACKET_BYTES)).seq).toBe(offer.seq)
  })

  test("a TLV of one byte is refused, and one that nobody knows is skipped", () => {
    const bytes = encodePacket({ ...offer, session: { ...offer.session, media: [] }, push: true, extras: CLIENT })
    const tlvs = bytes.length - 2 - 11
    expect(decodePacket(bytes).extras?.client).toEqual(CLIENT.client)
    bytes[tlvs + 3] = 99
    expect(decodePacket(bytes).extras?.client).toBeUndefined()
    bytes[tlvs + 2] = 1
    expect(() => decodePacket(bytes)).toThrow(malformed)
  })
})

test("an error answer is never longer than what it answers", () => {
  fc.assert(
    fc.property(anyPacket, (request) => {
      const bytes = encodeOrRefuse(request, "interop")
      if (bytes !== undefined) expect(encodePacket(errorPacket(request, 104)).length).toBeLessThanOrEqual(bytes.length)
    }),
  )
})

test("an IPv6 candidate travels in an IPv6 packet", () => {
  const session = {
    ...offer.session,
    addressFamily: 6 as const,
    candidates: [UDP_V6, { ...UDP_V6, transport: "tcp" as const }],
  }
  const packet = decodePacket(encodePacket({ ...offer, type: "answer", svrsig: "ylTt", session }))
  expect(packet.session.candidates).toEqual(session.candidates)
  expect(stopSignature(packet)).toBe("2001:db8::10:ylTt:ylTt")
  expect(referenceText(packet)).toContain("udp 100 2001:db8::10 8000 typ srflx")
  expect(sessionToSdp(packet.session, { type: "answer" })).toContain(
    "tcp 2130706175 2001:db8::10 8000 typ host tcptype passive",
  )
})

const UDP_V6 = { transport: "udp", address: "2001:db8::10", port: 8000 } as const
const CLIENT = { networks: 0, agentId: 0x2104, hasChecksum: false, client: { type: "abcd", version: 7 } }

function withCandidate(address: string, port: number): Partial<MiniSdpPacket> {
  return { session: { ...offer.session, candidates: [{ transport: "udp", address, port }] } }
}

function manyCandidates(count: number) {
  return Array.from({ length: count }, (_, i) => ({ transport: "udp" as const, address: "192.0.2.1", port: i + 1 }))
}

function hasTlvs({ session, extras }: MiniSdpPacket): boolean {
  const { candidates, media } = session
  const [first] = candidates.filter(({ transport }) => transport === "udp")
  const isLeading = (c: (typeof candidates)[number]) => c.transport === "udp" && c.address === first?.address
  return (
    extras?.client !== undefined ||
    candidates.filter(isLeading).length < candidates.length ||
    candidates.length > 5 ||
    media.some((m) => m.codecs.some(({ apt }) => apt !== undefined) || m.picture || m.parameterSets.length > 0)
  )
}

/** Undefined where the packet is too long, the only thing that an arbitrary one may be refused for. */
function encodeOrRefuse(packet: MiniSdpPacket, rules: "interop" | "reference"): Uint8Array | undefined {
  try {
    const bytes = encodePacket(packet, rules)
    expect(bytes.length).toBeLessThanOrEqual(MAX_PACKET_BYTES)
    return bytes
  } catch (error) {
    if (error instanceof GatewayError && /would have|length of/.test(error.message)) return undefined
    throw error
  }
}
