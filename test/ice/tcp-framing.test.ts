import fc from "fast-check"
import { expect, test } from "vitest"
import { FrameReader, MAX_FRAME_BYTES, serializeFrame } from "../../src/ice/tcp-framing.ts"
import { concat } from "../../src/media/bytes.ts"

test("a frame is the length in two bytes and the datagram", () => {
  expect(serializeFrame(new Uint8Array(258).fill(7)).subarray(0, 3)).toEqual(Uint8Array.of(1, 2, 7))
})

test("any split of the stream gives the same datagrams", () => {
  const datagrams = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 })
  const cuts = fc.array(fc.nat({ max: 2_500 }), { maxLength: 20 })
  fc.assert(
    fc.property(datagrams, cuts, (sent, at) => {
      const stream = concat(sent.map(serializeFrame))
      const reader = new FrameReader()
      const edges = [0, ...at.map((cut) => Math.min(cut, stream.length)).sort((a, b) => a - b), stream.length]
      const received = edges.slice(1).flatMap((end, i) => {
        const chunk = stream.slice(edges[i], end)
        const frames = reader.push(chunk)
        chunk.fill(0xee) // what was lent is somebody else's again
        return frames
      })
      expect(received).toEqual(sent)
    }),
  )
})

test("empty frames are left out, also when they come byte by byte", () => {
  const reader = new FrameReader()
  const stream = [0, 0, 0, 1, 9, 0, 0, 0, 1, 8]
  expect(stream.flatMap((byte) => reader.push(Uint8Array.of(byte)))).toEqual([Uint8Array.of(9), Uint8Array.of(8)])
  expect(new FrameReader().push(Uint8Array.from(stream))).toEqual([Uint8Array.of(9), Uint8Array.of(8)])
})

test("the longest frame passes, and a longer one is an error as soon as its length is known", () => {
  const longest = new Uint8Array(MAX_FRAME_BYTES).fill(1)
  expect(new FrameReader().push(serializeFrame(longest))).toEqual([longest])
  const tooLong = serializeFrame(new Uint8Array(MAX_FRAME_BYTES + 1)).subarray(0, 2)
  const refused = expect.objectContaining({ code: "stun.message" })
  expect(() => new FrameReader().push(tooLong)).toThrow(refused)
  const reader = new FrameReader()
  reader.push(tooLong.subarray(0, 1))
  expect(() => reader.push(tooLong.subarray(1))).toThrow(refused)
})
