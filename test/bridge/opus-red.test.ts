import { expect, test } from "vitest"
import { OpusToRed, opusToRed } from "../../src/bridge/opus-red.ts"
import type { RtpBatch } from "../../src/media/packet.ts"
import type { RtpPacket } from "../../src/rtp/packet.ts"
import { unpackRed } from "../../src/rtp/red.ts"
import { RedReceiver } from "../../src/rtp/red-receiver.ts"

const OPUS = 96

function batch(number: number, { timestamp = number * 960, bytes = 3 } = {}): RtpBatch {
  const payload = new Uint8Array(bytes).fill(number)
  const packets = [{ sequenceNumber: number & 0xffff, marker: false, payload }]
  return { kind: "audio", timestamp: timestamp >>> 0, ptsUs: number * 20_000, startsKeyframe: false, packets }
}

/** What the RED packet for each batch repeats. */
function repeatedIn(batches: readonly RtpBatch[]) {
  const converter = new OpusToRed(OPUS)
  return batches.map((opus) => {
    const red = converter.push(opus)
    const payload = red.packets[0]?.payload as Uint8Array
    return unpackRed(payload).redundant.map((block) => ({ offset: block.timestampOffset, first: block.payload[0] }))
  })
}

test("repeats the packet before, under the lane's own numbers and times", () => {
  const converter = new OpusToRed(OPUS)
  converter.push(batch(1))
  const opus = batch(2)
  const red = converter.push({ ...opus, packets: opus.packets.map((packet) => ({ ...packet, marker: true })) })
  expect(red).toMatchObject({ ...opus, packets: [{ sequenceNumber: 2, marker: true }] })
  expect(unpackRed(red.packets[0]?.payload as Uint8Array)).toEqual({
    payloadType: OPUS,
    payload: opus.packets[0]?.payload,
    redundant: [{ payloadType: OPUS, timestampOffset: 960, payload: new Uint8Array(3).fill(1) }],
  })
})

test("repeats across the wraps of number and timestamp", () => {
  const before = batch(0xffff, { timestamp: 2 ** 32 - 480 })
  expect(repeatedIn([before, batch(0x10000, { timestamp: 480 })])).toEqual([[], [{ offset: 960, first: 0xff }]])
})

test.each([
  { name: "is missing", batches: [batch(1), batch(3)] },
  { name: "comes too late itself", batches: [batch(2), batch(1)] },
  { name: "is the same one", batches: [batch(2), batch(2)] },
  { name: "is too long ago", batches: [batch(1, { timestamp: 0 }), batch(2, { timestamp: 0x4000 })] },
  { name: "is not earlier", batches: [batch(1, { timestamp: 960 }), batch(2, { timestamp: 960 })] },
  { name: "is too large for a block", batches: [batch(1, { bytes: 1_024 }), batch(2)] },
  {
    name: "is too large for one datagram with the next",
    batches: [batch(1, { bytes: 600 }), batch(2, { bytes: 600 })],
  },
])("repeats nothing where the packet before $name", ({ batches }) => {
  expect(repeatedIn(batches)).toEqual([[], []])
})

test("goes on from the newest packet after a late one", () => {
  expect(repeatedIn([batch(1), batch(3), batch(2), batch(4)])).toEqual([[], [], [], [{ offset: 960, first: 3 }]])
})

test("what it makes survives the loss of every other packet", () => {
  const receiver = new RedReceiver(OPUS)
  const got: number[] = []
  const convert = opusToRed(OPUS)((red) => {
    const [packet] = red.packets
    if (packet === undefined || packet.sequenceNumber % 2 === 1) return
    const received = { ...packet, ssrc: 1, payloadType: 63, timestamp: red.timestamp } as unknown as RtpPacket
    got.push(
      ...receiver.push(received).map(({ sequenceNumber, payload }) => sequenceNumber * 1_000 + (payload[0] as number)),
    )
  })
  for (let number = 0; number <= 20; number++) convert.push(batch(number))
  convert.close()
  expect(got).toEqual(Array.from({ length: 21 }, (_, number) => number * 1_001))
})
