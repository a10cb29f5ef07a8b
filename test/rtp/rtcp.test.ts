import fc from "fast-check"
import { expect, test } from "vitest"
import { parseRtcp, type RtcpPacket, serializeRtcp } from "../../src/rtp/rtcp.ts"
import { hex, toHex } from "../support/bytes.ts"
import { allowGatewayErrors, gatewayErrorCode } from "../support/errors.ts"

const BLOCK = {
  ssrc: 0x11223344,
  fractionLost: 0x40,
  cumulativeLost: -2,
  extendedHighestSequenceNumber: 0x00012345,
  jitter: 6,
  lastSr: 0xaabbccdd,
  delaySinceLastSr: 0x10000,
}
const BLOCK_BYTES = "11223344 40fffffe 00012345 00000006 aabbccdd 00010000"

const PACKETS: { name: string; bytes: string; packet: RtcpPacket }[] = [
  {
    name: "a sender report",
    bytes: `81c8 000c 00000001 e0000000 80000000 00015f90 00000007 00000300 ${BLOCK_BYTES}`,
    packet: {
      type: "sender_report",
      senderSsrc: 1,
      ntpSeconds: 0xe0000000,
      ntpFraction: 0x80000000,
      rtpTimestamp: 90_000,
      packetCount: 7,
      octetCount: 0x300,
      reports: [BLOCK],
    },
  },
  {
    name: "a receiver report",
    bytes: `81c9 0007 00000001 ${BLOCK_BYTES}`,
    packet: { type: "receiver_report", senderSsrc: 1, reports: [BLOCK] },
  },
  {
    name: "an empty receiver report",
    bytes: "80c9 0001 00000001",
    packet: { type: "receiver_report", senderSsrc: 1, reports: [] },
  },
  {
    name: "a source description",
    bytes: "81ca 0003 00000001 0104 6e616d65 0000",
    packet: { type: "sdes", chunks: [{ ssrc: 1, cname: "name" }] },
  },
  {
    name: "two source descriptions, one ending on a boundary",
    bytes: "82ca 0005 00000001 0105 6e616d6573 00 00000002 0101 61 00",
    packet: {
      type: "sdes",
      chunks: [
        { ssrc: 1, cname: "names" },
        { ssrc: 2, cname: "a" },
      ],
    },
  },
  { name: "a BYE", bytes: "82cb 0002 00000001 00000002", packet: { type: "bye", ssrcs: [1, 2] } },
  {
    name: "a BYE with a reason",
    bytes: "81cb 0002 00000001 02 6f6b 00",
    packet: { type: "bye", ssrcs: [1], reason: "ok" },
  },
  {
    name: "a NACK across the wrap",
    bytes: "81cd 0004 00000001 00000002 fffe 8005 0100 0000",
    packet: { type: "nack", senderSsrc: 1, mediaSsrc: 2, sequenceNumbers: [0xfffe, 0xffff, 1, 14, 256] },
  },
  { name: "a PLI", bytes: "81ce 0002 00000001 00000002", packet: { type: "pli", senderSsrc: 1, mediaSsrc: 2 } },
  {
    name: "a FIR",
    bytes: "84ce 0004 00000001 00000000 00000002 07000000",
    packet: { type: "fir", senderSsrc: 1, requests: [{ ssrc: 2, sequenceNumber: 7 }] },
  },
  {
    name: "a REMB",
    bytes: "8fce 0006 00000001 00000000 52454d42 02 0bd090 00000002 00000003",
    packet: { type: "remb", senderSsrc: 1, bitrateBps: 1_000_000, ssrcs: [2, 3] },
  },
  {
    name: "a receiver's reference time",
    bytes: "80cf 0004 00000001 0400 0002 e0000000 80000000",
    packet: {
      type: "extended_report",
      senderSsrc: 1,
      referenceTime: { ntpSeconds: 0xe0000000, ntpFraction: 0x80000000 },
      answers: [],
    },
  },
  {
    name: "the answers to reference times",
    bytes: "80cf 0008 00000001 0500 0006 00000002 aabbccdd 00010000 00000003 00000000 00000000",
    packet: {
      type: "extended_report",
      senderSsrc: 1,
      answers: [
        { ssrc: 2, lastSr: 0xaabbccdd, delaySinceLastSr: 0x10000 },
        { ssrc: 3, lastSr: 0, delaySinceLastSr: 0 },
      ],
    },
  },
  {
    name: "an unknown packet",
    bytes: "85cc 0001 01020304",
    packet: { type: "unknown", packetType: 204, count: 5, body: hex("01020304") },
  },
  {
    name: "transport-wide feedback, two small deltas around a loss",
    bytes: "8fcd 0005 00000001 00000002 ffff 0003 000002 07 a800 04 08",
    packet: {
      type: "transport_feedback",
      senderSsrc: 1,
      mediaSsrc: 2,
      feedbackCount: 7,
      baseSequenceNumber: 0xffff,
      arrivalsUs: [129_000, undefined, 131_000],
    },
  },
]

test.each(PACKETS)("reads and writes $name", ({ bytes, packet }) => {
  expect(parseRtcp(hex(bytes))).toEqual([packet])
  expect(toHex(serializeRtcp([packet]))).toBe(toHex(hex(bytes)))
})

test("reads and writes all of them in one datagram", () => {
  const packets = PACKETS.map(({ packet }) => packet)
  expect(parseRtcp(serializeRtcp(packets))).toEqual(packets)
})

test("takes padding off the last packet", () => {
  expect(parseRtcp(hex("80c9 0001 00000001 a1ce 0003 00000001 00000002 00000004"))[1]).toEqual({
    type: "pli",
    senderSsrc: 1,
    mediaSsrc: 2,
  })
})

test.each([
  { name: "nothing", bytes: "" },
  { name: "a cut-off header", bytes: "80c9 00" },
  { name: "another version", bytes: "40c9 0001 00000001" },
  { name: "a length beyond the datagram", bytes: "80c9 0002 00000001" },
  { name: "more report blocks than bytes", bytes: "81c9 0001 00000001" },
  { name: "a CNAME longer than the packet", bytes: "81ca 0002 00000001 01ff6e61" },
  { name: "an SDES without its end", bytes: "81ca 0002 00000001 01026e61" },
  { name: "a NACK without media SSRC", bytes: "81cd 0001 00000001" },
  {
    name: "transport-wide feedback without its delta",
    bytes: "8fcd 0005 00000001 00000002 0001 0003 000002 07 2003 04 08",
  },
  { name: "transport-wide feedback on no packet", bytes: "8fcd 0005 00000001 00000002 0001 0000 000002 07 2000 0000" },
  {
    name: "transport-wide feedback with an empty run",
    bytes: "8fcd 0005 00000001 00000002 0001 0001 000002 07 2000 2001",
  },
  {
    name: "transport-wide feedback with a reserved status",
    bytes: "8fcd 0005 00000001 00000002 0001 0001 000002 07 6001 0000",
  },
  {
    name: "transport-wide feedback on more packets than fit into a history",
    bytes: "8fcd 0005 00000001 00000002 0001 ffff 000002 07 1fff 1fff",
  },
  { name: "a PLI without media SSRC", bytes: "81ce 0001 00000001" },
  { name: "padding in the middle", bytes: "a0c9 0001 00000001 80c9 0001 00000001" },
  { name: "padding longer than the packet", bytes: "a0c9 0001 00000005" },
  { name: "rubbish after a good packet", bytes: "80c9 0001 00000001 ff" },
])("refuses $name", ({ bytes }) => {
  expect(gatewayErrorCode(() => parseRtcp(hex(bytes)))).toBe("rtcp.packet")
})

test("refuses a flood of NACK entries", () => {
  const flood = new Uint8Array(12 + 4 * 600)
  flood.set(hex("81cd 025a 00000001 00000002"))
  expect(gatewayErrorCode(() => parseRtcp(flood))).toBe("rtcp.packet")
})

test("rounds the bitrate of a REMB down to 18 bits", () => {
  const bitrate = (bitrateBps: number) =>
    parseRtcp(serializeRtcp([{ type: "remb", senderSsrc: 1, bitrateBps, ssrcs: [] }]))[0]
  for (const bitrateBps of [0, 1, 262_143, 262_144, 262_145, 5_000_000_123, 2 ** 40]) {
    const read = (bitrate(bitrateBps) as { bitrateBps: number }).bitrateBps
    expect(read).toBeLessThanOrEqual(bitrateBps)
    expect(read).toBeGreaterThan(bitrateBps * (1 - 2 ** -16) - 1)
  }
})

test("no datagram makes it throw anything but GatewayError, and what it reads it can write", () => {
  const packet = fc
    .tuple(fc.nat(31), fc.integer({ min: 199, max: 207 }), fc.uint8Array({ maxLength: 64 }))
    .map(([count, packetType, body]) => {
      const words = body.length >> 2
      return Uint8Array.of(0x80 | count, packetType, 0, words, ...body.subarray(0, words * 4))
    })
  const datagram = fc.oneof(fc.uint8Array({ maxLength: 64 }), packet)
  fc.assert(
    fc.property(datagram, (bytes) => {
      const packets = allowGatewayErrors(() => parseRtcp(bytes))
      if (packets !== undefined) expect(parseRtcp(serializeRtcp(packets))).toHaveLength(packets.length)
    }),
    { numRuns: 3_000 },
  )
})

test("an extended report keeps what is known among blocks that are not, and one that is cut off is refused", () => {
  const blocks = "0700 0001 01020304 0500 0003 00000002 aabbccdd 00010000 0400 0000"
  const [report] = parseRtcp(hex(`80cf 0008 00000001 ${blocks}`))
  const answers = [{ ssrc: 2, lastSr: 0xaabbccdd, delaySinceLastSr: 0x10000 }]
  expect(report).toEqual({ type: "extended_report", senderSsrc: 1, answers })
  expect(gatewayErrorCode(() => parseRtcp(hex("80cf 0003 00000001 0500 0003 00000002")))).toBe("rtcp.packet")
})
