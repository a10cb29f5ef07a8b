import { createHmac } from "node:crypto"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { parseIpAddress, type SocketAddress } from "../../src/ice/ip-address.ts"
import {
  BINDING,
  CLASS_REQUEST,
  CLASS_SUCCESS,
  findAttribute,
  hasValidIntegrity,
  parseStunMessage,
  serializeStunMessage,
  serializeXorAddress,
  USERNAME,
  XOR_MAPPED_ADDRESS,
} from "../../src/ice/stun.ts"
import { hex } from "../support/bytes.ts"
import { allowGatewayErrors } from "../support/errors.ts"

const hmacSha1 = (key: Uint8Array, data: Uint8Array) => new Uint8Array(createHmac("sha1", key).update(data).digest())
const ascii = (text: string) => new TextEncoder().encode(text)

// RFC 5769 section 2: one request and two responses, all under this password.
const PASSWORD = ascii("VOkJxbRl1RmTxUk/WvJxBt")
const TRANSACTION = hex("b7e7a701bc34d686fa87dfae")
const REQUEST = hex(`
  00010058 2112a442 b7e7a701bc34d686fa87dfae
  80220010 5354554e207465737420636c69656e74
  00240004 6e0001ff 80290008 932ff9b151263b36
  00060009 6576746a3a68367659 202020
  00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2
  80280004 e57a3bcf`)
const RESPONSES: { name: string; bytes: Uint8Array; mapped: SocketAddress }[] = [
  {
    name: "IPv4 response",
    bytes: hex(`
      0101003c 2112a442 b7e7a701bc34d686fa87dfae
      8022000b 7465737420766563746f72 20
      00200008 0001a147e112a643
      00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7
      80280004 c07d4c96`),
    mapped: { family: 4, address: "192.0.2.1", port: 32853 },
  },
  {
    name: "IPv6 response",
    bytes: hex(`
      01010048 2112a442 b7e7a701bc34d686fa87dfae
      8022000b 7465737420766563746f72 20
      00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9
      00080014 a382954e4be67bf11784c97c8292c275bfe3ed41
      80280004 c8fb0b4c`),
    mapped: { family: 6, address: "2001:db8:1234:5678:11:2233:4455:6677", port: 32853 },
  },
]

test("reads the request of RFC 5769 section 2.1", () => {
  const message = parseStunMessage(REQUEST)
  expect(message).toMatchObject({ method: BINDING, messageClass: CLASS_REQUEST, transactionId: TRANSACTION })
  expect(findAttribute(message, USERNAME)).toEqual(ascii("evtj:h6vY"))
  expect(hasValidIntegrity(REQUEST, message, PASSWORD, hmacSha1)).toBe(true)
  expect(hasValidIntegrity(REQUEST, message, ascii("another"), hmacSha1)).toBe(false)
})

test.each(RESPONSES)("reads and masks the address of the $name of RFC 5769", ({ bytes, mapped }) => {
  const message = parseStunMessage(bytes)
  expect(message.messageClass).toBe(CLASS_SUCCESS)
  expect(hasValidIntegrity(bytes, message, PASSWORD, hmacSha1)).toBe(true)
  expect(serializeXorAddress(mapped, TRANSACTION)).toEqual(findAttribute(message, XOR_MAPPED_ADDRESS))
})

test("what it writes, it reads", () => {
  const attribute = fc.record({
    type: fc.integer({ min: 0x9000, max: 0xffff }),
    value: fc.uint8Array({ maxLength: 20 }),
  })
  const message = fc.record({
    messageClass: fc.integer({ min: 0, max: 3 }),
    method: fc.integer({ min: 0, max: 0xfff }),
    transactionId: fc.uint8Array({ minLength: 12, maxLength: 12 }),
    attributes: fc.array(attribute, { maxLength: 4 }),
  })
  const survives = (written: typeof message extends fc.Arbitrary<infer T> ? T : never) => {
    const bytes = serializeStunMessage(written, { key: PASSWORD, hmacSha1 })
    const read = parseStunMessage(bytes)
    expect(read).toMatchObject(written)
    expect(hasValidIntegrity(bytes, read, PASSWORD, hmacSha1)).toBe(true)
  }
  fc.assert(fc.property(message, survives))
})

describe("refuses", () => {
  const change = (offset: number, value: number) => Uint8Array.from(REQUEST, (byte, i) => (i === offset ? value : byte))
  test.each([
    { name: "another cookie", bytes: change(4, 0x22) },
    { name: "a length that is not the datagram's", bytes: change(3, 0x54) },
    { name: "an attribute longer than the message", bytes: change(22, 0x40) },
    { name: "a changed byte under the fingerprint", bytes: change(30, 0) },
    { name: "a message cut short", bytes: REQUEST.subarray(0, 60) },
  ])("$name", ({ bytes }) => {
    expect(() => parseStunMessage(bytes)).toThrow(expect.objectContaining({ name: "GatewayError" }))
  })

  test("any bytes with nothing but a GatewayError", () => {
    const header = hex("0001 0010 2112a442")
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ minLength: 28, maxLength: 28 }).map((rest) => Uint8Array.of(...header, ...rest)),
    )
    fc.assert(fc.property(bytes, (datagram) => void allowGatewayErrors(() => parseStunMessage(datagram))))
  })
})

test.each([
  { text: "10.0.0.255", bytes: "0a0000ff" },
  { text: "::1", bytes: "00000000000000000000000000000001" },
  { text: "::", bytes: "00000000000000000000000000000000" },
  { text: "fe80::1%eth0", bytes: "fe800000000000000000000000000001" },
  { text: "::ffff:192.0.2.1", bytes: "00000000000000000000ffffc0000201" },
  { text: "1:2:3:4:5:6:7:8", bytes: "00010002000300040005000600070008" },
])("reads the address $text", ({ text, bytes }) => {
  expect(parseIpAddress(text)).toEqual(hex(bytes))
})

test.each(["", "1.2.3", "1.2.3.256", "1::2::3", "1:2:3", "12345::", "1:2:3:4:5:6:7::8"])(
  "refuses the address %j",
  (text) => {
    expect(() => parseIpAddress(text)).toThrow(expect.objectContaining({ code: "stun.message" }))
  },
)
