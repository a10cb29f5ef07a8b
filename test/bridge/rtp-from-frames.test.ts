import { describe, expect, test } from "vitest"
import { OpusFramesToRtp, VideoFramesToRtp } from "../../src/bridge/frames-to-rtp.ts"
import type { VideoFrame } from "../../src/media/frame.ts"
import type { RtpBatch } from "../../src/media/packet.ts"
import { packetizeH264 } from "../../src/rtp/h264-packetizer.ts"
import { reorderingParameterSets } from "../../src/rtp/h264-reordering.ts"
import { PPS, SPS_320 } from "../rtp/h264-stream.ts"
import { hex } from "../support/bytes.ts"
import { frame, OPUS_TRACK, TRACK } from "./rtp-frames.ts"

/** x264, 640x360, High, two reordered pictures. */
const SPS_B_FRAMES = hex("6764001eacd940a02ff97011000003000100000300320f162d96")

function run(converter: VideoFramesToRtp, frames: readonly VideoFrame[]): RtpBatch[] {
  return frames.flatMap((one) => converter.push(one) ?? [])
}

function ticksInFrames(batches: readonly RtpBatch[]): number[] {
  return batches.map(({ timestamp }) => timestamp / 3_600)
}

describe("video", () => {
  test("a keyframe begins with its parameter sets in one packet", () => {
    const batch = new VideoFramesToRtp("h264").push(frame("idr", 25, 25, 3_000))
    expect(batch).toMatchObject({ kind: "video", timestamp: 90_000, ptsUs: 1_000_000, startsKeyframe: true })
    expect(batch?.packets[0]?.payload).toEqual(packetizeH264([SPS_320, PPS])[0])
    expect(batch?.packets.map(({ sequenceNumber }) => sequenceNumber)).toEqual([0, 1, 2, 3])
    expect(batch?.packets.map(({ marker }) => marker)).toEqual([false, false, false, true])
  })

  test("numbers run on from frame to frame and from a lane before, over the wrap", () => {
    const previous = new VideoFramesToRtp("h264").push(frame("idr", 25)) as RtpBatch
    const last = {
      ...previous,
      timestamp: 0xffff_ffff,
      packets: [{ sequenceNumber: 65_535, marker: true, payload: PPS }],
    }
    const batches = run(new VideoFramesToRtp("h264", last), [frame("idr", 26), frame("p", 27)])
    expect(batches.map((batch) => batch.packets.map(({ sequenceNumber }) => sequenceNumber))).toEqual([[0], [1]])
    expect(batches.map(({ timestamp }) => timestamp)).toEqual([3_599, 7_199])
    expect(batches.map(({ startsKeyframe }) => startsKeyframe)).toEqual([true, false])
  })

  test("timestamps wrap at 32 bits", () => {
    const start = Math.ceil(2 ** 32 / 3_600)
    const [batch] = run(new VideoFramesToRtp("h264"), [frame("idr", start)])
    expect(batch).toMatchObject({ timestamp: start * 3_600 - 2 ** 32, ptsUs: start * 40_000 })
  })

  test("frames that are reordered go out with the decoding time, and with the depth in front of keyframes", () => {
    const track = { ...TRACK, sps: [SPS_B_FRAMES] }
    const frames = [
      frame("idr", 2, 0),
      frame("p", 6, 1),
      frame("referencedB", 4, 2),
      frame("b", 3, 3),
      frame("b", 5, 4),
    ]
    const batches = run(
      new VideoFramesToRtp("h264"),
      [...frames, frame("idr", 7, 5)].map((one) => ({ ...one, track })),
    )
    expect(ticksInFrames(batches)).toEqual([0, 1, 2, 3, 4, 5])
    expect(batches.map(({ ptsUs }) => ptsUs / 40_000)).toEqual([0, 1, 2, 3, 4, 5])
    expect(batches.map((batch) => "reorderDepth" in batch && batch.reorderDepth)).toEqual([
      2,
      false,
      false,
      false,
      false,
      2,
    ])
    const [sets] = packetizeH264(reorderingParameterSets(track, 2))
    expect(batches[0]?.packets[0]?.payload.subarray(0, sets?.length)).toEqual(sets)
  })

  test("a delay without reordering stays in the timestamps, as sound has it too", () => {
    const batches = run(new VideoFramesToRtp("h264"), [frame("idr", 3, 1), frame("p", 4, 2), frame("p", 5, 3)])
    expect(ticksInFrames(batches)).toEqual([3, 4, 5])
    expect(batches[0]).not.toHaveProperty("reorderDepth")
  })

  test("a timeline that goes back at a keyframe goes on in the lane", () => {
    const batches = run(new VideoFramesToRtp("h264"), [
      frame("idr", 100),
      frame("p", 101),
      frame("idr", 5),
      frame("p", 6),
    ])
    expect(batches.map(({ timestamp }) => timestamp)).toEqual([360_000, 363_600, 363_601, 367_201])
    expect(batches.map(({ ptsUs }) => ptsUs / 40_000)).toEqual([100, 101, 5, 6])
  })

  test("frames of the same time get timestamps of their own", () => {
    const batches = run(new VideoFramesToRtp("h264"), [frame("idr", 1), frame("p", 1)])
    expect(batches.map(({ timestamp }) => timestamp)).toEqual([3_600, 3_601])
  })

  test("mode 0 leaves out frames that do not fit, without a gap in the numbers", () => {
    const converter = new VideoFramesToRtp("h264", undefined, { packetizationMode: 0 })
    const batches = run(converter, [frame("idr", 1), frame("p", 2, 2, 5_000), frame("p", 3)])
    expect(batches.flatMap(({ packets }) => packets.map(({ sequenceNumber }) => sequenceNumber))).toEqual([0, 1, 2, 3])
    expect(converter.counters.refusedFrames).toBe(1)
  })
})

describe("Opus", () => {
  const opus = (ptsUs: number, data = hex("fc 11")) => ({ track: OPUS_TRACK, ptsUs, data })

  test("a frame is a packet", () => {
    const converter = new OpusFramesToRtp()
    expect([opus(0), opus(20_000)].map((one) => converter.push(one))).toEqual([
      {
        kind: "audio",
        timestamp: 0,
        ptsUs: 0,
        startsKeyframe: false,
        packets: [{ sequenceNumber: 0, marker: true, payload: hex("fc 11") }],
      },
      {
        kind: "audio",
        timestamp: 960,
        ptsUs: 20_000,
        startsKeyframe: false,
        packets: [{ sequenceNumber: 1, marker: false, payload: hex("fc 11") }],
      },
    ])
  })

  test("a gap stays a gap, and a timeline that goes back goes on in the lane", () => {
    const converter = new OpusFramesToRtp()
    const timestamps = [0, 60_000, 10_000, 30_000].map((ptsUs) => converter.push(opus(ptsUs))?.timestamp)
    expect(timestamps).toEqual([0, 2_880, 3_840, 4_800])
  })

  test("what is no Opus packet is left out", () => {
    expect(new OpusFramesToRtp().push(opus(0, hex("")))).toBeUndefined()
  })
})
