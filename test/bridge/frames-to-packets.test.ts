import { describe, expect, test } from "vitest"
import { type BFramePolicy, VideoFramesToPackets } from "../../src/bridge/frames-to-packets.ts"
import type { VideoTranscoderEvents } from "../../src/bridge/video-transcoder.ts"
import { type H264Track, isFrameOf, type VideoFrame } from "../../src/media/frame.ts"
import type { RtpBatch } from "../../src/media/packet.ts"
import { hex } from "../support/bytes.ts"
import { frame, type NAL, TRACK } from "./rtp-frames.ts"

/** Without VUI, with two reordered pictures, with one, and with none, each of x264. */
const NO_VUI = hex("6764001eacd940a02ff950")
const TWO = hex("6764001eacd940a02ff97011000003000100000300320f162d96")
/** Says that nothing is reordered, and so cannot be told otherwise. */
const NONE = TRACK.sps[0] as Uint8Array

/** Two groups of pictures of each kind, as type and presentation time, in decoding order. */
const GROUPS = {
  plain: "idr0 p2 b1 p4 b3 idr5 p7 b6 p9 b8 idr10 p12 b11",
  pyramid: "idr0 p4 referencedB2 b1 b3 idr5 p9 referencedB7 b6 b8 idr10 p14 referencedB12 b11 b13",
  inOrder: "idr0 p1 b2 idr3 p4 b5",
} as const

/** Frames with the delay of decoding that an encoder has with B-frames. */
function frames(groups: string, sps: Uint8Array = NO_VUI): VideoFrame<H264Track>[] {
  const track = { ...TRACK, sps: [sps] }
  return groups.split(" ").map((picture, dts) => {
    const [, type = "", pts = ""] = /^(\D+)(\d+)$/.exec(picture) ?? []
    const made = frame(type as keyof typeof NAL, Number(pts) + 2, dts)
    return { ...made, track } as VideoFrame<H264Track>
  })
}

/** A transcoder that is driven by the test. */
class FakeTranscoder {
  readonly taken: VideoFrame[] = []
  isClosed = false
  readonly events: VideoTranscoderEvents

  constructor(events: VideoTranscoderEvents) {
    this.events = events
  }

  push(taken: VideoFrame): void {
    this.taken.push(taken)
  }

  close(): void {
    this.isClosed = true
  }
}

function run(
  policy: BFramePolicy,
  input: readonly VideoFrame[],
  isThereFfmpeg = true,
  needsPicturesInOrder = () => false,
) {
  const batches: RtpBatch[] = []
  const transcoders: FakeTranscoder[] = []
  const transcode = (events: VideoTranscoderEvents) => {
    const transcoder = new FakeTranscoder(events)
    if (isThereFfmpeg) transcoders.push(transcoder)
    return isThereFfmpeg ? transcoder : undefined
  }
  const converter = new VideoFramesToPackets("h264", (batch) => batches.push(batch), undefined, {
    policy,
    transcode,
    needsPicturesInOrder,
  })
  for (const one of input) converter.push(one)
  return { batches, transcoders, converter }
}

const ticks = (batches: readonly RtpBatch[]) => batches.map(({ timestamp }) => timestamp / 3_600)
const upTo = (end: number) => Array.from({ length: end }, (_, i) => i)

describe("pictures go out in decoding order, with times that rise", () => {
  test.each([
    ["by pass", "pass", "plain", NO_VUI],
    ["by auto, where a decoder can be told the depth", "auto", "pyramid", NO_VUI],
    ["by auto, where the stream tells it", "auto", "pyramid", TWO],
    ["by drop, where others refer to B-frames", "drop", "pyramid", NO_VUI],
    ["by drop, where the encoder says that it may come to that", "drop", "plain", TWO],
  ] as const)("%s", (_, policy, groups, sps) => {
    const input = frames(GROUPS[groups], sps)
    expect(ticks(run(policy, input).batches)).toEqual(upTo(input.length))
  })

  test("by transcode and auto, where nothing is reordered", () => {
    const input = frames(GROUPS.inOrder).map((one) => ({ ...one, dtsUs: one.ptsUs }))
    for (const policy of ["transcode", "auto", "drop"] as const) {
      const { batches, transcoders } = run(policy, input)
      expect(batches).toHaveLength(input.length)
      expect(transcoders).toEqual([])
    }
  })

  test("by transcode, where nothing transcodes", () => {
    const input = frames(GROUPS.pyramid)
    expect(ticks(run("transcode", input, false).batches)).toEqual(upTo(input.length))
  })
})

describe("B-frames that nothing refers to are left out from the second keyframe on, and the rest has its presentation time", () => {
  test.each([
    ["by drop", "drop", NO_VUI],
    ["by auto, where a decoder cannot be told the depth", "auto", NONE],
  ] as const)("%s", (_, policy, sps) => {
    const { batches } = run(policy, frames(GROUPS.plain, sps))
    const isTold = sps === NO_VUI
    expect(ticks(batches).slice(5)).toEqual([7, 9, 11, 12, 14])
    expect(batches[5]).toMatchObject({ startsKeyframe: true })
    expect(batches[5]?.reorderDepth).toBeUndefined()
    expect(batches[0]?.reorderDepth).toBe(isTold ? 2 : undefined)
  })
})

test("a picture that turns out to be referred to goes out, and from the next keyframe on all do", () => {
  const surprise = "idr0 p2 b1 idr3 p5 b4 p9 referencedB7 b6 idr10 p12 b11"
  const { batches } = run("drop", frames(surprise))
  // All but b4 and b6 of the second group; then the times go on behind what came before.
  expect(batches).toHaveLength(3 + 4 + 3)
  const times = ticks(batches)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
})

test("each batch says whether another picture refers to it", () => {
  const { batches } = run("auto", frames(GROUPS.pyramid))
  expect(batches.map(({ isDisposable }) => isDisposable === true).slice(0, 5)).toEqual([
    false,
    false,
    false,
    true,
    true,
  ])
})

test("a viewer who cannot reorder makes auto choose another way from the next keyframe on, and back when it is gone", () => {
  let needsPicturesInOrder = false
  const [first, second, third] = ["plain", "plain", "plain"].map((name, turn) =>
    frames(GROUPS[name as "plain"]).map((one) => ({
      ...one,
      dtsUs: one.dtsUs + turn * 13 * 40_000,
      ptsUs: one.ptsUs + turn * 13 * 40_000,
    })),
  ) as [VideoFrame[], VideoFrame[], VideoFrame[]]
  const track = first[0]?.track
  const { batches, converter } = run("auto", first, true, () => needsPicturesInOrder)
  expect(batches).toHaveLength(13)
  needsPicturesInOrder = true
  for (const one of second) converter.push({ ...one, track } as VideoFrame)
  expect(batches).toHaveLength(13 + 8)
  needsPicturesInOrder = false
  for (const one of third) converter.push({ ...one, track } as VideoFrame)
  expect(batches).toHaveLength(13 + 8 + 13)

  const pyramid = run("auto", frames(GROUPS.pyramid), true, () => true)
  expect(pyramid.transcoders).toHaveLength(1)
})

describe("a transcoder", () => {
  const input = frames(GROUPS.pyramid)
  const second = input.slice(5)

  test("gets all from the second keyframe on, and what it makes goes out with its presentation times", () => {
    const { batches, transcoders, converter } = run("transcode", input)
    expect(transcoders).toHaveLength(1)
    expect(transcoders[0]?.taken).toEqual(second)
    expect(ticks(batches)).toEqual([0, 1, 2, 3, 4])
    for (const pts of [7, 8, 9]) transcoders[0]?.events.onFrame(made(pts === 7 ? "idr" : "p", pts))
    expect(ticks(batches).slice(5)).toEqual([7, 8, 9])
    expect(batches[5]).toMatchObject({ startsKeyframe: true })
    expect(batches[5]?.packets[0]?.sequenceNumber).toBe((batches[4]?.packets.at(-1)?.sequenceNumber ?? 0) + 1)
    converter.close()
    expect(transcoders[0]?.isClosed).toBe(true)
  })

  test("that fails at once costs no picture", () => {
    const { batches, transcoders } = run("transcode", input)
    transcoders[0]?.events.onFailure("no such encoder")
    expect(ticks(batches)).toEqual(upTo(input.length))
    expect(transcoders[0]?.isClosed).toBe(true)
  })

  test("that fails later leaves a gap up to the next keyframe, and is tried again after some time", () => {
    const { batches, transcoders, converter } = run("transcode", input)
    transcoders[0]?.events.onFrame(made("idr", 7))
    transcoders[0]?.events.onFailure("it crashed")
    const shifted = (by: number) =>
      second.map((one) => ({ ...one, dtsUs: one.dtsUs + by * 40_000, ptsUs: one.ptsUs + by * 40_000 }))
    for (const one of shifted(10).slice(1, 5)) converter.push(one)
    expect(batches).toHaveLength(6)
    for (const one of shifted(20)) converter.push(one)
    expect(batches).toHaveLength(6 + second.length)
    expect(transcoders).toHaveLength(1)
    for (const one of shifted(400)) converter.push(one)
    expect(transcoders).toHaveLength(2)
    expect(batches).toHaveLength(6 + second.length)
  })

  test("that gives nothing for seconds is given up without a gap", () => {
    const { batches, transcoders, converter } = run("transcode", input)
    for (let dts = 20; dts < 100; dts++) converter.push(inTrack(frame("p", dts + 2, dts)))
    expect(transcoders[0]?.isClosed).toBe(true)
    expect(batches).toHaveLength(input.length + 80)
    const times = ticks(batches)
    expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b))
  })

  test("is for one track: another one gets another transcoder", () => {
    const { transcoders, converter } = run("transcode", input)
    for (const one of frames(
      GROUPS.pyramid.replaceAll(/\d+/g, (pts) => `${Number(pts) + 15}`),
      TWO,
    )) {
      converter.push({ ...one, dtsUs: one.dtsUs + 15 * 40_000 })
    }
    expect(transcoders.map(({ isClosed }) => isClosed)).toEqual([true, false])
    expect(transcoders[1]?.taken.every((taken) => isFrameOf(taken, "h264") && taken.track.sps[0] === TWO)).toBe(true)
  })

  function made(type: "idr" | "p", pts: number): VideoFrame<H264Track> {
    return frame(type, pts) as VideoFrame<H264Track>
  }

  function inTrack(one: VideoFrame): VideoFrame {
    return { ...one, track: (input[0] as VideoFrame).track } as VideoFrame
  }
})
