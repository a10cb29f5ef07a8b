import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { parseStunMessage } from "../../src/ice/stun.ts"
import { columnXor, crc32 } from "../../src/minisdp/checksum.ts"
import { classifyDatagram } from "../../src/minisdp/datagram.ts"
import { decodeDetect, encodeDetect } from "../../src/minisdp/detect.ts"
import { explainDatagram } from "../../src/minisdp/explain.ts"
import { formatAddress, parseAddress } from "../../src/minisdp/ip-address.ts"
import { encodeLossless } from "../../src/minisdp/lossless/envelope.ts"
import { decodeStop, encodeStop } from "../../src/minisdp/stop.ts"
import { ownXorKey, unwrapStun, wrapInStun } from "../../src/minisdp/stun.ts"
import { bytesOf, vectors } from "./vectors.ts"

const malformed = expect.objectContaining({ code: "minisdp.packet" })

test("tells datagrams apart by their first bytes", () => {
  const kindOf = (hex: string) => classifyDatagram(bytesOf(hex))
  expect(["ff534450", "ff535450", "ff01"].map(kindOf)).toEqual(["sdp", "stop", "detect"])
  const stun = (type: string, attribute: string) => kindOf(`${type}00042112a442${"00".repeat(12)}${attribute}0000`)
  expect(stun("0001", "8f03")).toBe("stun-sdp")
  expect(stun("0101", "8f04")).toBe("stun-stop")
  expect(stun("0001", "8f05")).toBe("stun-detect")
  // A check of ICE, DTLS, RTP, QUIC, and beginnings that stop short.
  expect(stun("0001", "0006")).toBeUndefined()
  expect(["", "ff", "ff53", "ff5344", "16fefd", "8060", "c0000000", "00010000"].map(kindOf)).toEqual(
    Array(8).fill(undefined),
  )
})

describe("STUN", () => {
  const packet = bytesOf(vectors("v0-ext")[0]?.packet_hex as string)

  test("gives back what was wrapped, obfuscated or not, as a message that STUN parsers take", () => {
    const keys = fc.option(fc.uint8Array({ minLength: 4, maxLength: 4 }), { nil: undefined })
    const property = fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), keys, (bytes, isResponse, xorKey) => {
      const message = wrapInStun({ kind: "sdp", isResponse, packet: bytes, xorKey })
      expect(classifyDatagram(message)).toBe("stun-sdp")
      expect(unwrapStun(message)).toEqual({ kind: "sdp", isResponse, packet: bytes, xorKey })
      expect(parseStunMessage(message).attributes[0]?.type).toBe(0x8f03) // checks FINGERPRINT
    })
    fc.assert(property)
  })

  test("hides the packet behind its own key", () => {
    const message = wrapInStun({ kind: "sdp", isResponse: false, packet, xorKey: ownXorKey(packet) })
    expect(Buffer.from(message).includes("edge.example.com")).toBe(false)
    expect(unwrapStun(message).packet).toEqual(packet)
  })

  test.each([
    { name: "a length that is not the datagram's", at: 3, value: 0 },
    { name: "another cookie", at: 4, value: 0 },
    { name: "an attribute that is longer than the message", at: 22, value: 0xff },
    { name: "an indication", at: 0, value: 0x11 },
    { name: "another first attribute", at: 21, value: 0x09 },
  ])("refuses $name", ({ at, value }) => {
    const message = wrapInStun({ kind: "sdp", isResponse: false, packet, xorKey: undefined })
    message[at] = value
    expect(() => unwrapStun(message)).toThrow(malformed)
  })

  test("obfuscates no stop packets", () => {
    const wrapped = { kind: "stop", isResponse: false, packet: encodeStop(STOP), xorKey: new Uint8Array(4) } as const
    expect(() => wrapInStun(wrapped)).toThrow(malformed)
  })
})

describe("stop and detect packets", () => {
  test.each(["ff53545001000000000000", "ff5354500000000000ffff", "ff535450", "ff53545000000000010001"])(
    "refuse %s",
    (hex) => {
      expect(() => decodeStop(bytesOf(hex))).toThrow(malformed)
    },
  )

  test.each(["ff01", "ff010003000000", "ff01ffff00000000", "ff010006000000aa"])("refuse %s", (hex) => {
    expect(() => decodeDetect(bytesOf(hex))).toThrow(malformed)
  })

  test("have limits", () => {
    expect(() => encodeStop({ ...STOP, svrsig: "x".repeat(641) })).toThrow(malformed)
    expect(() => encodeDetect({ sentAtMs: 0, token: new Uint8Array(257) })).toThrow(malformed)
    expect(() => encodeDetect({ sentAtMs: 2 ** 32, token: new Uint8Array(0) })).toThrow(malformed)
  })
})

describe("explaining", () => {
  const lossless = {
    type: "offer",
    seq: 7,
    status: 0,
    immSend: true,
    streamUrl: "live/a",
    sessionId: "s",
    sdp: "v=0\r\n",
  } as const
  const datagrams = [
    ...["v0-base", "v0-ext", "control"].flatMap((file) => vectors(file as "v0-base").map((v) => bytesOf(v.packet_hex))),
    encodeLossless({ ...lossless, cookie: new Uint8Array(16) }),
  ]

  test("covers every byte of every kind of datagram once", () => {
    for (const datagram of datagrams) {
      const { fields, error } = explainDatagram(datagram)
      expect(error).toBeUndefined()
      const end = fields.reduce((offset, field) => {
        expect(field.offset).toBe(offset)
        return offset + field.length
      }, 0)
      expect(end).toBe(datagram.length)
    }
  })

  test("shows a broken packet up to where it breaks", () => {
    const { fields, error } = explainDatagram(bytesOf(vectors("v0-ext")[0]?.packet_hex as string).subarray(0, 103))
    expect(fields.at(-1)?.name).toBe("ice_pwd")
    expect(error).toContain("stream_url")
  })

  test("refuses what is not MiniSDP", () => {
    expect(() => explainDatagram(bytesOf("16fefd00"))).toThrow(malformed)
  })
})

test("computes both checksums", () => {
  expect(columnXor(bytesOf("010203041020304055"))).toEqual(bytesOf("11223344"))
  expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926)
})

test.each([
  { text: "192.0.2.1", hex: "c0000201", family: 4 },
  { text: "2001:db8::10", hex: "20010db8000000000000000000000010", family: 6 },
  { text: "::", hex: "00".repeat(16), family: 6 },
  { text: "::1", hex: `${"00".repeat(15)}01`, family: 6 },
  { text: "1::", hex: `0001${"00".repeat(14)}`, family: 6 },
  { text: "::ffff:192.0.2.1", hex: `${"00".repeat(10)}ffffc0000201`, family: 6 },
  { text: "1:0:2::3", hex: "00010000000200000000000000000003", family: 6 },
  { text: "1:2:3:4:5:6:7:0", hex: "00010002000300040005000600070000", family: 6 },
] as const)("writes and reads $text", ({ text, hex, family }) => {
  expect(parseAddress(text, family)).toEqual(bytesOf(hex))
  expect(formatAddress(bytesOf(hex))).toBe(text)
})

test.each([
  "",
  "1.2.3",
  "1.2.3.256",
  "::1::",
  "1:2:3",
  "12345::",
  "1:2:3:4:5:6:7:8:9",
  "1.2.3.4::",
  "a.local",
  "::1%eth0",
  ":::",
])("takes %j for no address", (text) => {
  expect([parseAddress(text, 4), parseAddress(text, 6)]).toEqual([undefined, undefined])
})

const STOP = { status: 0, seq: 2, svrsig: "203.0.113.10:7f3a9c21:ylTt" }
