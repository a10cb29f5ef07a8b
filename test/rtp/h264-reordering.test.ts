import { expect, test } from "vitest"
import { parseSps } from "../../src/media/h264.ts"
import { ReorderDepth, reorderingParameterSets } from "../../src/rtp/h264-reordering.ts"
import { TRACK } from "../bridge/rtp-frames.ts"
import { hex } from "../support/bytes.ts"
import { PPS, SPS_320 } from "./h264-stream.ts"

const DECLARED = hex("6764001eacd940a02ff97011000003000100000300320f162d96")
const NO_VUI = hex("6764001eacd940a02ff950")

/** Depths after each frame; a frame is its presentation time, and the keyframe comes first. */
function depths(sps: Uint8Array, ptsFrames: readonly number[], delayFrames: number): number[] {
  const depth = new ReorderDepth({ ...TRACK, sps: [sps] })
  return ptsFrames.map((pts, i) =>
    depth.push({ dtsUs: (i - delayFrames) * 40_000, ptsUs: pts * 40_000, isKeyframe: i === 0 }),
  )
}

test.each([
  { name: "what the SPS says", sps: DECLARED, pts: [0, 2, 1], delayFrames: 1, expected: [2, 2, 2] },
  { name: "none without B-frames", sps: NO_VUI, pts: [0, 1, 2], delayFrames: 0, expected: [0, 0, 0] },
  { name: "none where the SPS says so", sps: SPS_320, pts: [0, 1, 2], delayFrames: 2, expected: [0, 0, 0] },
  { name: "a pyramid if nothing is said", sps: NO_VUI, pts: [0, 2, 1], delayFrames: 1, expected: [2, 2, 2] },
  { name: "as deep as it is seen", sps: NO_VUI, pts: [0, 8, 4, 2, 1], delayFrames: 3, expected: [2, 2, 2, 2, 3] },
  { name: "seen only later", sps: NO_VUI, pts: [0, 2, 1], delayFrames: 0, expected: [0, 0, 2] },
])("the depth is $name", ({ sps, pts, delayFrames, expected }) => {
  expect(depths(sps, pts, delayFrames)).toEqual(expected)
})

test("a copy of the last SPS under a free id ends the parameter sets", () => {
  const sets = reorderingParameterSets({ ...TRACK, sps: [DECLARED] }, 2)
  expect(sets.slice(0, 2)).toEqual([DECLARED, PPS])
  expect(parseSps(sets[2] as Uint8Array)).toEqual({ ...parseSps(DECLARED), spsId: 31 })
})

test("an SPS that cannot be read is left out", () => {
  const broken = { ...TRACK, sps: [hex("67"), DECLARED] }
  expect(new ReorderDepth(broken).push({ dtsUs: 0, ptsUs: 1, isKeyframe: true })).toBe(2)
  expect(reorderingParameterSets(broken, 2)).toEqual(reorderingParameterSets({ ...TRACK, sps: [DECLARED] }, 2))
})
