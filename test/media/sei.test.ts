import fc from "fast-check"
import { expect, test } from "vitest"
import { seiUserData } from "../../src/media/sei.ts"
import { TRACK } from "../bridge/rtp-frames.ts"
import { CODEC_TRACKS } from "../rtp/codec-frames.ts"
import { hex, toHex } from "../support/bytes.ts"

const UUID = "dc45e9bde6d948b7962cd820d923eeef"
const DASHED = "dc45e9bd-e6d9-48b7-962c-d820d923eeef"

const read = (units: readonly Uint8Array[], track: Parameters<typeof seiUserData>[0]["track"] = TRACK) =>
  seiUserData({ track, dtsUs: 0, ptsUs: 0, isKeyframe: false, units }).map(({ uuid, payload }) => [
    uuid,
    toHex(payload),
  ])

test.each([
  ["a message", `06 05 12 ${UUID} 7834 80`, [[DASHED, "7834"]]],
  ["one behind another kind", `06 01 02 aabb 05 11 ${UUID} 42 80`, [[DASHED, "42"]]],
  [
    "two",
    `06 05 10 ${UUID} 05 11 ${UUID} 01 80`,
    [
      [DASHED, ""],
      [DASHED, "01"],
    ],
  ],
  ["emulation prevention in it", `06 05 14 ${UUID} 00000301 ff 80`, [[DASHED, "000001ff"]]],
  ["a size of more than a byte", `06 05 ff 11 ${UUID} ${"ab".repeat(256)} 80`, [[DASHED, "ab".repeat(256)]]],
  ["one that is cut off", `06 05 20 ${UUID} 7834 80`, []],
  ["one without room for its kind", "06 05 02 7834 80", []],
  ["a slice", `41 05 12 ${UUID} 7834 80`, []],
  ["nothing", "06", []],
])("SEI of H.264 with %s", (_, nalUnit, expected) => {
  expect(read([hex(nalUnit)])).toEqual(expected)
})

test("SEI of HEVC, before and behind the slices", () => {
  const units = [hex(`4e01 05 11 ${UUID} 01 80`), hex("0201 d0"), hex(`5001 05 11 ${UUID} 02 80`)]
  expect(read(units, CODEC_TRACKS.h265)).toEqual([
    [DASHED, "01"],
    [DASHED, "02"],
  ])
  expect(read(units, CODEC_TRACKS.av1)).toEqual([])
})

test("no input gives more than a bounded number, nor an error", () => {
  const many = hex(`06 ${`05 10 ${UUID}`.repeat(100)} 80`)
  expect(read([many, many]).length).toBeLessThanOrEqual(16)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(read([new Uint8Array([6, 5, ...bytes])]).length).toBeLessThanOrEqual(16)
    }),
  )
})
