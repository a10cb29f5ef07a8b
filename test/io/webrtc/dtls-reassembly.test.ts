import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { HandshakeReassembly } from "../../../src/io/webrtc/dtls-reassembly.ts"
import { parseDtlsRecords, serializeDtlsRecord } from "../../../src/io/webrtc/dtls-record.ts"
import { hex, toHex } from "../../support/bytes.ts"
import { allowGatewayErrors, gatewayErrorCode } from "../../support/errors.ts"

/** type, length, sequence, offset, fragment length, fragment */
function fragment(type: number, sequence: number, body: Uint8Array, from = 0, to = body.length): Uint8Array {
  const header = [
    type,
    0,
    body.length >> 8,
    body.length,
    0,
    sequence,
    0,
    from >> 8,
    from,
    0,
    (to - from) >> 8,
    to - from,
  ]
  return Uint8Array.from([...header, ...body.subarray(from, to)])
}

const body = (length: number, first: number) => Uint8Array.from({ length }, (_, i) => first + i)
/** All that a client sends unencrypted. */
const FLIGHT = [1, 11, 16, 15].map((type, sequence) => ({ type, sequence, body: body(40 + sequence, sequence) }))
const WHOLE = FLIGHT.map(({ type, sequence, body }) => toHex(fragment(type, sequence, body)))

test("any fragments in any order, overlapping and repeated, give the messages once and in order", () => {
  const cut = fc.record({
    message: fc.constantFrom(...FLIGHT),
    from: fc.integer({ min: 0, max: 39 }),
    length: fc.integer({ min: 1, max: 44 }),
  })
  const survives = (cuts: { message: (typeof FLIGHT)[number]; from: number; length: number }[], seed: number) => {
    const pieces = cuts.map(({ message: { type, sequence, body }, from, length }) =>
      fragment(type, sequence, body, from, Math.min(from + length, body.length)),
    )
    const whole = FLIGHT.map(({ type, sequence, body }) => fragment(type, sequence, body))
    const all = [...pieces, ...whole].sort((a, b) => (((a[12] ?? 0) * seed) % 17) - (((b[12] ?? 0) * seed) % 17))
    const reassembly = new HandshakeReassembly("server")
    const complete = all.flatMap((piece) => reassembly.push(piece)).map(({ bytes }) => toHex(bytes))
    // A repeated first ClientHello is given out again, as nothing else brings its answer back.
    expect(complete.filter((message, index) => message !== WHOLE[0] || index === 0)).toEqual(WHOLE)
  }
  fc.assert(fc.property(fc.array(cut, { maxLength: 10 }), fc.integer({ min: 1, max: 16 }), survives))
})

test("takes several messages from one record", () => {
  const record = hex(WHOLE.join(""))
  expect(new HandshakeReassembly("server").push(record).map(({ bytes }) => toHex(bytes))).toEqual(WHOLE)
})

test("gives the ClientHello again while nothing follows it, and a few times only", () => {
  const reassembly = new HandshakeReassembly("server")
  const hello = hex(WHOLE[0] as string)
  const counts = Array.from({ length: 12 }, () => reassembly.push(hello).length)
  expect(counts).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0])
  const later = new HandshakeReassembly("server")
  later.push(hello)
  later.push(hex(WHOLE[1] as string))
  expect(later.push(hello)).toEqual([])
})

describe("refuses", () => {
  const fresh = (role: "server" | "client") => new HandshakeReassembly(role)
  test.each([
    { name: "a message longer than the limit", bytes: "0b ffffff 0000 000000 000001 00" },
    { name: "a fragment that ends behind its message", bytes: "01 000002 0000 000001 000002 0000" },
    { name: "a sequence number far ahead", bytes: "01 000001 00ff 000000 000001 00" },
    {
      name: "fragments that contradict each other",
      bytes: "01 000002 0000 000000 000001 00 01 000003 0000 000000 000001 00",
    },
    { name: "a certificate before the hello", bytes: "0b 000001 0000 000000 000001 00" },
    { name: "a ServerHello from a client", bytes: "02 000001 0000 000000 000001 00" },
  ])("$name", ({ bytes }) => {
    expect(gatewayErrorCode(() => fresh("server").push(hex(bytes)))).toBe("dtls.handshake")
  })

  test("a second certificate, which would take the place of the one that was signed for", () => {
    const reassembly = fresh("server")
    reassembly.push(hex(WHOLE.slice(0, 2).join("")))
    expect(gatewayErrorCode(() => reassembly.push(fragment(11, 2, body(3, 0))))).toBe("dtls.handshake")
  })

  test("any bytes with nothing but a GatewayError", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 })), (inputs) => {
        const reassembly = fresh("client")
        for (const input of inputs) if (!allowGatewayErrors(() => reassembly.push(input))) return
      }),
    )
  })
})

test("a server's messages may come with and without those that it may leave out", () => {
  for (const types of [
    [3, 2, 11, 12, 13, 14],
    [2, 11, 12, 14],
  ]) {
    const reassembly = new HandshakeReassembly("client")
    const complete = types.flatMap((type, sequence) =>
      reassembly.push(fragment(type, sequence, body(type === 14 ? 0 : 5, 1))),
    )
    expect(complete.map(({ type }) => type)).toEqual(types)
  }
})

test("records are read as they were written, and what is cut off is left out", () => {
  const first = serializeDtlsRecord(22, 0, 5, hex("0102"))
  const second = serializeDtlsRecord(21, 1, 2 ** 40 + 7, hex("03"))
  expect(toHex(first)).toBe("16fefd00000000000000050002".concat("0102"))
  const datagram = Uint8Array.of(...first, ...second, ...first.subarray(0, 14))
  expect(parseDtlsRecords(datagram)).toMatchObject([
    { type: 22, epoch: 0, sequenceNumber: 5, content: hex("0102"), bytes: first },
    { type: 21, epoch: 1, sequenceNumber: 2 ** 40 + 7, content: hex("03"), bytes: second },
  ])
  expect(parseDtlsRecords(hex("16 0303 0000 000000000000 0000"))).toEqual([])
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void parseDtlsRecords(bytes)))
})
