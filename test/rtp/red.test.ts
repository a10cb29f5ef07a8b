import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { parseRtpPacket, type RtpPacket, serializeRtpPacket } from "../../src/rtp/packet.ts"
import { fitsRed, packRed, redOverheadBytes, unpackRed } from "../../src/rtp/red.ts"
import { RedReceiver } from "../../src/rtp/red-receiver.ts"
import { hex, toHex } from "../support/bytes.ts"
import { allowGatewayErrors, gatewayErrorCode } from "../support/errors.ts"

const OPUS = 111
const RED = 63

test.each([
  {
    name: "without redundancy",
    bytes: "6f aabb",
    red: { payloadType: 111, payload: hex("aabb"), redundant: [] },
  },
  {
    name: "with one block, 960 ticks back",
    bytes: "ef 0f0002 6f 0102 aabb",
    red: {
      payloadType: 111,
      payload: hex("aabb"),
      redundant: [{ payloadType: 111, timestampOffset: 960, payload: hex("0102") }],
    },
  },
  {
    name: "with two blocks, one of them empty and of another type",
    bytes: "80 fffc00 ef 0f0001 00 01 aa",
    red: {
      payloadType: 0,
      payload: hex("aa"),
      redundant: [
        { payloadType: 0, timestampOffset: 16_383, payload: hex("") },
        { payloadType: 111, timestampOffset: 960, payload: hex("01") },
      ],
    },
  },
])("reads and writes a payload $name", ({ bytes, red }) => {
  expect(unpackRed(hex(bytes))).toEqual(red)
  expect(toHex(packRed(red))).toBe(toHex(hex(bytes)))
})

test.each(["", "ef", "ef 0f00", "ef 0f0002", "ef 0f0002 6f 01", "ef 0f0001 ef 0f0001 6f 01"])("refuses %j", (bytes) => {
  expect(gatewayErrorCode(() => unpackRed(hex(bytes)))).toBe("rtp.payload")
})

test("refuses a flood of blocks", () => {
  expect(unpackRed(hex(`${"ef 0f0000".repeat(16)} 6f`)).redundant).toHaveLength(16)
  expect(gatewayErrorCode(() => unpackRed(hex(`${"ef 0f0000".repeat(17)} 6f`)))).toBe("rtp.payload")
})

test("what is packed is unpacked again, and what does not fit is not packed", () => {
  const block = fc.record({
    payloadType: fc.nat(127),
    timestampOffset: fc.nat(17_000),
    payload: fc.uint8Array({ maxLength: 1_100 }),
  })
  const red = fc.record({
    payloadType: fc.nat(127),
    payload: fc.uint8Array({ maxLength: 100 }),
    redundant: fc.array(block, { maxLength: 4 }),
  })
  fc.assert(
    fc.property(red, (red) => {
      const { redundant } = red
      if (redundant.every(({ timestampOffset, payload }) => fitsRed(timestampOffset, payload.length))) {
        const packed = packRed(red)
        const blockBytes = redundant.reduce((sum, { payload }) => sum + payload.length, red.payload.length)
        expect(packed.length).toBe(blockBytes + redOverheadBytes(redundant.length))
        expect(unpackRed(packed)).toEqual(red)
      } else expect(() => packRed(red)).toThrow(RangeError)
    }),
  )
})

/** A frame's payload tells its number. */
const frame = (number: number) => Uint8Array.of(0x78, number >> 8, number)

/** RED packet `number` of a source with a frame each 20 ms, which repeats those at `back` numbers before it. */
function redPacket(number: number, back: readonly number[], timestampOf = (n: number) => n * 960): RtpPacket {
  const redundant = [...back]
    .sort((a, b) => b - a)
    .map((distance) => ({
      payloadType: OPUS,
      timestampOffset: timestampOf(number) - timestampOf(number - distance),
      payload: frame(number - distance),
    }))
  const payload = packRed({ payloadType: OPUS, payload: frame(number), redundant })
  return rtp(number, timestampOf(number), payload)
}

function rtp(number: number, timestamp: number, payload: Uint8Array, payloadType = RED): RtpPacket {
  const extensions = [{ id: 5, data: hex("01") }]
  const fields = { payloadType, marker: true, sequenceNumber: number & 0xffff, ssrc: 1, payload, extensions }
  return parseRtpPacket(serializeRtpPacket({ ...fields, timestamp: timestamp >>> 0 }))
}

const numbersOf = (packets: readonly RtpPacket[]) => packets.map(({ sequenceNumber }) => sequenceNumber)

describe("the receiver", () => {
  test("gives the packets as plain Opus", () => {
    const receiver = new RedReceiver(OPUS)
    const [packet, ...others] = receiver.push(redPacket(7, []))
    expect(others).toEqual([])
    expect(packet).toMatchObject({ payloadType: OPUS, sequenceNumber: 7, timestamp: 7 * 960, marker: true })
    expect(packet?.payload).toEqual(frame(7))
  })

  test("brings a lost packet back in front of the one that repeats it, without that one's extensions", () => {
    const receiver = new RedReceiver(OPUS)
    receiver.push(redPacket(0xfffe, [1]))
    const [recovered, own] = receiver.push(redPacket(0x10000, [1]))
    expect(recovered).toMatchObject({ payloadType: OPUS, sequenceNumber: 0xffff, marker: false, extensionProfile: 0 })
    expect(recovered?.timestamp).toBe(0xffff * 960)
    expect(recovered?.payload).toEqual(frame(0xffff))
    expect(own).toMatchObject({ sequenceNumber: 0, extensionProfile: 0xbede })
  })

  test("brings several back, each once, and not again when it comes late", () => {
    const receiver = new RedReceiver(OPUS)
    const got = [10, 13, 14, 12, 15].map((number) => numbersOf(receiver.push(redPacket(number, [1, 2, 3]))))
    expect(got).toEqual([[10], [11, 12, 13], [14], [], [15]])
  })

  test("has nothing to bring back before the first packet", () => {
    const receiver = new RedReceiver(OPUS)
    expect(numbersOf(receiver.push(redPacket(10, [1, 2])))).toEqual([10])
    expect(numbersOf(receiver.push(redPacket(11, [1, 2])))).toEqual([11])
  })

  test("knows plain Opus among RED", () => {
    const receiver = new RedReceiver(OPUS)
    receiver.push(redPacket(1, []))
    const plain = rtp(2, 2 * 960, frame(2), OPUS)
    expect(receiver.push(plain)).toEqual([plain])
    expect(numbersOf(receiver.push(redPacket(3, [1])))).toEqual([3])
    expect(receiver.push(plain)).toEqual([])
  })

  test("takes packets across a pause of the sound", () => {
    const receiver = new RedReceiver(OPUS)
    const timestampOf = (number: number) => number * 960 + (number > 11 ? 14_000 : 0)
    receiver.push(redPacket(10, [1], timestampOf))
    expect(numbersOf(receiver.push(redPacket(12, [1], timestampOf)))).toEqual([11, 12])
  })

  test.each([
    { name: "at the time of the packet before", offset: 2 * 960 },
    { name: "before the packet before", offset: 3 * 960 },
    { name: "at the packet's own time", offset: 0 },
    { name: "too close to the packet's own time", offset: 100 },
  ])("does not believe a block $name", ({ offset }) => {
    const receiver = new RedReceiver(OPUS)
    receiver.push(redPacket(10, []))
    const lengthAndOffset = (offset << 10) | 3
    const header = Uint8Array.of(0x80 | OPUS, lengthAndOffset >> 16, lengthAndOffset >> 8, lengthAndOffset, OPUS)
    const payload = Uint8Array.of(...header, ...frame(11), ...frame(12))
    expect(numbersOf(receiver.push(rtp(12, 12 * 960, payload)))).toEqual([12])
  })

  test("leaves out what is not Opus", () => {
    const receiver = new RedReceiver(OPUS)
    receiver.push(redPacket(10, []))
    const redundant = [{ payloadType: 13, timestampOffset: 960, payload: frame(11) }]
    expect(
      numbersOf(receiver.push(rtp(12, 12 * 960, packRed({ payloadType: OPUS, payload: frame(12), redundant })))),
    ).toEqual([12])
    expect(receiver.push(rtp(13, 13 * 960, packRed({ payloadType: 126, payload: frame(13), redundant: [] })))).toEqual(
      [],
    )
    expect(receiver.push(rtp(14, 14 * 960, packRed({ payloadType: OPUS, payload: hex(""), redundant: [] })))).toEqual(
      [],
    )
  })

  test("begins anew with another source and after a jump", () => {
    const receiver = new RedReceiver(OPUS)
    receiver.push(redPacket(10, [1]))
    expect(numbersOf(receiver.push({ ...redPacket(10, [1]), ssrc: 2 }))).toEqual([10])
    expect(numbersOf(receiver.push({ ...redPacket(20_000, [1]), ssrc: 2 }))).toEqual([20_000])
    expect(numbersOf(receiver.push({ ...redPacket(20_002, [1]), ssrc: 2 }))).toEqual([20_001, 20_002])
  })

  test("over a lossy and disordered way, gives each packet once at most and with its own content, and all that can be recovered", () => {
    const way = fc.array(fc.record({ isLost: fc.boolean(), delay: fc.nat(3) }), { minLength: 1, maxLength: 80 })
    fc.assert(
      fc.property(fc.integer({ min: 0xff80, max: 0xffff }), way, (start, way) => {
        const arriving = way
          .map(({ isLost, delay }, i) => ({ number: start + i, isLost: isLost && i > 0, at: i > 0 ? i + delay : -1 }))
          .filter(({ isLost }) => !isLost)
          .sort((a, b) => a.at - b.at)
        const receiver = new RedReceiver(OPUS)
        const got = arriving.flatMap(({ number }) => receiver.push(redPacket(number, [1, 2])))
        const numbers = numbersOf(got)
        expect(new Set(numbers).size).toBe(numbers.length)
        for (const { sequenceNumber, timestamp, payload } of got) {
          const number = sequenceNumber >= 0x8000 ? sequenceNumber : sequenceNumber + 0x10000
          expect(payload).toEqual(frame(number))
          expect(timestamp).toBe((number * 960) >>> 0)
        }
        const recoverable = arriving.flatMap(({ number }) => [number - 2, number - 1, number])
        const expected = new Set(recoverable.filter((number) => number >= start).map((number) => number & 0xffff))
        expect(new Set(numbers)).toEqual(expected)
      }),
    )
  })

  test("no payloads make it throw anything but GatewayError, or give a number twice", () => {
    const packet = fc.record({
      number: fc.integer({ min: 0xfff0, max: 0x1000f }),
      timestamp: fc.nat(50_000),
      payload: fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.uint8Array({ minLength: 12, maxLength: 40 }).map((bytes) =>
          bytes
            .with(0, 0x80 | OPUS)
            .with(2, 0)
            .with(3, 3)
            .with(4, OPUS),
        ),
      ),
    })
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 60 }), (packets) => {
        const receiver = new RedReceiver(OPUS)
        const got = packets.flatMap(
          ({ number, timestamp, payload }) =>
            allowGatewayErrors(() => receiver.push(rtp(number, timestamp, payload))) ?? [],
        )
        expect(new Set(numbersOf(got)).size).toBe(got.length)
      }),
      { numRuns: 500 },
    )
  })
})
