import { readdirSync, readFileSync } from "node:fs"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  decodeLossless,
  encodeLossless,
  isLossless,
  type LosslessPacket,
} from "../../../src/minisdp/lossless/envelope.ts"
import { hex, toHex } from "../../support/bytes.ts"
import { allowGatewayErrors } from "../../support/errors.ts"

const VECTORS = new URL("../../fixtures/minisdp-lossless/", import.meta.url)
const OFFER: LosslessPacket = {
  type: "offer",
  seq: 7,
  status: 0,
  immSend: true,
  streamUrl: "live/cam1?token=abc",
  cookie: Uint8Array.of(1, 2, 3),
  sessionId: "",
  sdp: "v=0\r\n",
}

interface Vector {
  readonly packet: Omit<LosslessPacket, "cookie"> & { readonly cookie: string }
  readonly hex: string
}

test.each(readdirSync(VECTORS).filter((file) => file.endsWith(".json")))("%s, both ways", (file) => {
  const vector: Vector = JSON.parse(readFileSync(new URL(file, VECTORS), "utf8"))
  const packet = { ...vector.packet, cookie: hex(vector.packet.cookie) }
  expect(toHex(encodeLossless(packet))).toBe(vector.hex)
  expect(decodeLossless(hex(vector.hex))).toEqual(packet)
})

describe("a packet", () => {
  test("without anything but its type takes seven bytes", () => {
    const refusal = {
      ...OFFER,
      type: "error",
      seq: 0,
      immSend: false,
      streamUrl: "",
      cookie: new Uint8Array(0),
      sdp: "",
    } as const
    expect(toHex(encodeLossless(refusal))).toBe("ff534450570200")
  })

  test("may be padded", () => {
    const bytes = encodeLossless(OFFER, 400)
    expect(bytes.length).toBe(400)
    expect(decodeLossless(bytes)).toEqual(OFFER)
  })

  test("is told apart from the public form by its fifth byte", () => {
    expect(isLossless(encodeLossless(OFFER))).toBe(true)
    expect(isLossless(hex("ff53445000"))).toBe(false)
  })

  test("of any content comes back", () => {
    const packets = fc.record({
      type: fc.constantFrom("offer", "answer", "error"),
      seq: fc.nat(0xffff),
      status: fc.nat(0xffff),
      immSend: fc.boolean(),
      streamUrl: fc.string({ maxLength: 300 }),
      cookie: fc.uint8Array({ maxLength: 32 }),
      sessionId: fc.string({ maxLength: 64 }),
      sdp: fc.string({ maxLength: 300 }),
    })
    fc.assert(
      fc.property(packets, (packet) => {
        expect(decodeLossless(encodeLossless(packet as LosslessPacket))).toEqual(packet)
      }),
    )
  })
})

describe("refuses", () => {
  test.each([
    ["another magic", "ff53545057 00 00", /FF 53 44 50/],
    ["the public form", "ff53445000 00 00", /version 0/],
    ["a type of a later version", "ff53445057 03 00", /type 3/],
    ["a cookie of 33 bytes", `ff53445057 40 21 ${"00".repeat(33)} 00`, /cookie/],
    ["a session id that is not UTF-8", "ff53445057 80 01 ff 00", /UTF-8/],
    ["a length of the SDP that does not end", "ff53445057 00 ffffff7f", /length/],
    ["a packet that is cut off", "ff53445057 08 00", /cut off/],
    ["an SDP that is cut off", "ff53445057 00 05 01", /cut off/],
  ])("%s", (_, bytes, message) => {
    expect(() => decodeLossless(hex(bytes))).toThrow(message)
  })

  test("fields that are too long", () => {
    expect(() => encodeLossless({ ...OFFER, streamUrl: "x".repeat(1025) })).toThrow(/stream URL/)
    expect(() => encodeLossless({ ...OFFER, cookie: new Uint8Array(33) })).toThrow(/cookie/)
  })

  test("other bytes by nothing but its own error", () => {
    const offer = encodeLossless(OFFER)
    const flips = fc.array(fc.tuple(fc.nat(offer.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(flips, (list) => {
        const bytes = offer.slice()
        for (const [at, value] of list) bytes[at] = value
        allowGatewayErrors(() => decodeLossless(bytes))
      }),
      { numRuns: 2_000 },
    )
  })
})
