import { expect, test } from "vitest"
import { packetizeVp8 } from "../../src/rtp/vp8-packetizer.ts"
import { packetizeVp9 } from "../../src/rtp/vp9-packetizer.ts"
import { hex, toHex } from "../support/bytes.ts"

const FRAME = hex("000102030405060708090a0b0c0d0e0f101112131415")

test("a VP8 frame is cut into equal parts, the first one with S", () => {
  const payloads = packetizeVp8(FRAME, { maxPayloadBytes: 16 })
  expect(payloads.map(toHex)).toEqual(["10000102030405060708090a", "000b0c0d0e0f101112131415"])
  expect(packetizeVp8(FRAME).map(toHex)).toEqual([`10${toHex(FRAME)}`])
})

test.each([
  { name: "keyframe", isKeyframe: true, heads: ["08", "04"], alone: "0c" },
  { name: "frame that is predicted", isKeyframe: false, heads: ["48", "44"], alone: "4c" },
])("a VP9 $name has B on the first part and E on the last one", ({ isKeyframe, heads: [first, last], alone }) => {
  const payloads = packetizeVp9(FRAME, { isKeyframe, maxPayloadBytes: 16 })
  expect(payloads.map(toHex)).toEqual([`${first}000102030405060708090a`, `${last}0b0c0d0e0f101112131415`])
  expect(packetizeVp9(FRAME, { isKeyframe }).map(toHex)).toEqual([alone + toHex(FRAME)])
})

test("an empty frame has no payload", () => {
  expect([packetizeVp8(new Uint8Array()), packetizeVp9(new Uint8Array(), { isKeyframe: true })]).toEqual([[], []])
})
