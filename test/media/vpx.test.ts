import { expect, test } from "vitest"
import { parseVp8Keyframe } from "../../src/media/vp8.ts"
import { parseVp9Keyframe } from "../../src/media/vp9.ts"
import { hex } from "../support/bytes.ts"

// Frames that libvpx wrote.
test.each([
  { name: "VP8", size: parseVp8Keyframe(hex("9099009d012a3e01b200")), expected: [318, 178] },
  { name: "VP8 with a scale", size: parseVp8Keyframe(hex("9099009d012a3ec1b240")), expected: [318, 178] },
  { name: "VP9 profile 0", size: parseVp9Keyframe(hex("824983420013d00b060638")), expected: [318, 177] },
  { name: "VP9 profile 1, RGB", size: parseVp9Keyframe(hex("a2498342e013d00b060638")), expected: [318, 177] },
  { name: "VP9 profile 1, 4:4:4", size: parseVp9Keyframe(hex("a249834200027a0160c0c704")), expected: [318, 177] },
  { name: "VP9 profile 3, 10 bits", size: parseVp9Keyframe(hex("b124c1a102009e80583031c1")), expected: [318, 177] },
])("reads the size of a keyframe: $name", ({ size, expected: [widthPx, heightPx] }) => {
  expect(size).toMatchObject({ widthPx, heightPx })
})

test.each([
  { name: "nothing", frame: "" },
  { name: "an inter frame", frame: "b105009d012a3e01b200" },
  { name: "a wrong start code", frame: "9099009d012b3e01b200" },
  { name: "9 bytes", frame: "9099009d012a3e01b2" },
])("VP8: $name is no keyframe", ({ frame }) => {
  expect(parseVp8Keyframe(hex(frame))).toBeUndefined()
})

test.each([
  { name: "nothing", frame: "" },
  { name: "an inter frame", frame: "86004040f0008f6e" },
  { name: "a frame shown again", frame: "8a4983420013d00b060638" },
  { name: "another marker", frame: "424983420013d00b060638" },
  { name: "a wrong sync code", frame: "824983430013d00b060638" },
  { name: "a header that is cut off", frame: "824983420013d0" },
])("VP9: $name is no keyframe", ({ frame }) => {
  expect(parseVp9Keyframe(hex(frame))).toBeUndefined()
})
