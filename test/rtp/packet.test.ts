import fc from "fast-check"
import { expect, test } from "vitest"
import {
  isRtcp,
  parseRtpPacket,
  readHeaderExtension,
  serializeRtpPacket,
  writeRtpHeader,
} from "../../src/rtp/packet.ts"
import { hex, toHex } from "../support/bytes.ts"
import { allowGatewayErrors, gatewayErrorCode } from "../support/errors.ts"

const BASE = {
  payloadType: 96,
  marker: true,
  sequenceNumber: 0x1234,
  timestamp: 0x89abcdef,
  ssrc: 0xfedcba98,
  payload: hex("0102"),
}
const PACKETS = [
  { name: "a plain packet", bytes: "80e0 1234 89abcdef fedcba98 0102", fields: BASE },
  {
    name: "CSRCs",
    bytes: "82e0 1234 89abcdef fedcba98 00000001 ffffffff 0102",
    fields: { ...BASE, csrcs: [1, 0xffffffff] },
  },
  {
    name: "one-byte extensions",
    bytes: "90e0 1234 89abcdef fedcba98 bede 0002 10aa 32b0b1b2 0000 0102",
    fields: {
      ...BASE,
      extensions: [
        { id: 1, data: hex("aa") },
        { id: 3, data: hex("b0b1b2") },
      ],
    },
  },
  {
    name: "two-byte extensions",
    bytes: "90e0 1234 89abcdef fedcba98 1000 0002 10 00 03 03 b0b1b2 00 0102",
    fields: {
      ...BASE,
      extensions: [
        { id: 16, data: hex("") },
        { id: 3, data: hex("b0b1b2") },
      ],
    },
  },
  {
    name: "padding",
    bytes: "a060 1234 89abcdef fedcba98 0102 000003",
    fields: { ...BASE, marker: false, paddingBytes: 3 },
  },
]

test.each(PACKETS)("reads and writes $name", ({ bytes, fields }) => {
  const packet = hex(bytes)
  expect(toHex(serializeRtpPacket(fields))).toBe(toHex(packet))
  const parsed = parseRtpPacket(packet)
  const { payloadType, marker, sequenceNumber, timestamp, ssrc, payload } = fields
  expect(parsed).toMatchObject({ payloadType, marker, sequenceNumber, timestamp, ssrc, payload })
  const { extensions = [] } = fields as { extensions?: { id: number; data: Uint8Array }[] }
  for (const { id, data } of extensions) expect(readHeaderExtension(parsed, id)).toEqual(data)
  expect(readHeaderExtension(parsed, 9)).toBeUndefined()
})

test("writes the fixed header in place", () => {
  const target = new Uint8Array(16)
  expect(writeRtpHeader(target, 2, BASE)).toBe(14)
  expect(toHex(target)).toBe("000080e0123489abcdeffedcba980000")
})

test.each([
  { name: "a cut-off fixed header", bytes: "8060 0001 00000002 000000" },
  { name: "another version", bytes: "4060 0001 00000002 00000003" },
  { name: "cut-off CSRCs", bytes: "8160 0001 00000002 00000003 0000" },
  { name: "a cut-off extension header", bytes: "9060 0001 00000002 00000003 bede" },
  { name: "an extension longer than the packet", bytes: "9060 0001 00000002 00000003 bede 0002 10aa0000" },
  { name: "padding of 0 bytes", bytes: "a060 0001 00000002 00000003 0100" },
  { name: "padding into the header", bytes: "a060 0001 00000002 00000003 0103" },
  { name: "a padding bit without payload", bytes: "a060 0001 00000002 00000003" },
])("refuses $name", ({ bytes }) => {
  expect(gatewayErrorCode(() => parseRtpPacket(hex(bytes)))).toBe("rtp.packet")
})

test.each([
  { name: "id 15 ends the list", extension: "bede 0002 10aa f0bb 20cc0000", found: { 1: "aa" } },
  { name: "id 15 is never an element of the one-byte form", extension: "bede 0001 f0bb 10aa", found: {} },
  { name: "padding between elements", extension: "bede 0002 0010aa00 0020cc00", found: { 1: "aa", 2: "cc" } },
  { name: "an element longer than the extension", extension: "bede 0001 10aa 2fcc", found: { 1: "aa" } },
  { name: "an unknown profile", extension: "1234 0001 10aa0000", found: {} },
  { name: "a two-byte element without its length", extension: "1000 0001 0101aa05", found: { 1: "aa" } },
  { name: "a two-byte element longer than the extension", extension: "1003 0001 0103aa05", found: {} },
])("tolerates damaged extensions: $name", ({ extension, found }) => {
  const packet = parseRtpPacket(hex(`9060 0001 00000002 00000003 ${extension}`))
  const elements = Array.from({ length: 255 }, (_, i) => [i + 1, readHeaderExtension(packet, i + 1)] as const)
  const present = elements.flatMap(([id, data]) => (data === undefined ? [] : [[id, toHex(data)]]))
  expect(Object.fromEntries(present)).toEqual(found)
})

test("tells RTCP from RTP", () => {
  const isRtcpType = (second: number) => isRtcp(Uint8Array.of(0x80, second))
  expect([191, 192, 200, 223, 224, 96, 96 | 0x80].map(isRtcpType)).toEqual([
    false,
    true,
    true,
    true,
    false,
    false,
    false,
  ])
  expect(isRtcp(hex("80"))).toBe(false)
})

test("no datagram makes it throw anything but GatewayError", () => {
  const datagram = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.uint8Array({ minLength: 12, maxLength: 80 }).map((bytes) => {
      bytes[0] = 0x80 | ((bytes[0] as number) & 0x3f)
      if (bytes.length >= 16) bytes.set([0xbe, 0xde, 0, 4], 12)
      return bytes
    }),
  )
  fc.assert(
    fc.property(datagram, (bytes) => {
      const packet = allowGatewayErrors(() => parseRtpPacket(bytes))
      if (packet !== undefined) {
        for (let id = 1; id < 256; id++) {
          const data = readHeaderExtension(packet, id)
          if (data === undefined) continue
          expect(data.byteOffset - bytes.byteOffset).toBeGreaterThanOrEqual(packet.extensionStart)
          expect(data.byteOffset - bytes.byteOffset + data.length).toBeLessThanOrEqual(packet.extensionEnd)
        }
      }
    }),
    { numRuns: 1_000 },
  )
})
