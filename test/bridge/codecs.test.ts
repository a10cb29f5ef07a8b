import { describe, expect, test } from "vitest"
import { VideoFramesToRtp } from "../../src/bridge/frames-to-rtp.ts"
import { VideoRtpToFrames } from "../../src/bridge/rtp-to-frames.ts"
import { VIDEO_CODECS } from "../../src/media/codec.ts"
import type { VideoFrame } from "../../src/media/frame.ts"
import type { RtpBatch } from "../../src/media/packet.ts"
import { packetizeH265 } from "../../src/rtp/h265-packetizer.ts"
import { AV1_SEQUENCE_HEADER, CODEC_TRACKS, codecFrame, H265_PPS, H265_SPS, H265_VPS } from "../rtp/codec-frames.ts"
import { seededRandom } from "../rtp/h264-stream.ts"
import { decodable } from "./rtp-frames.ts"

const FRAME_US = 40_000

describe.each(VIDEO_CODECS)("%s", (codec) => {
  const stream = (count: number) =>
    Array.from({ length: count }, (_, i) => codecFrame(codec, i % 25 === 0, [40 + i * 30, 900], i * FRAME_US, i & 0x7f))

  test("frames come out of packets as they went in", () => {
    const frames = stream(100).map((frame) => ({ ...frame, track: { ...CODEC_TRACKS[codec] } }))
    const toRtp = new VideoFramesToRtp(codec)
    const toFrames = new VideoRtpToFrames(codec)
    const batches = frames.map((frame) => toRtp.push(frame) as RtpBatch)
    const { widthPx, heightPx } = CODEC_TRACKS[codec]
    for (const [i, batch] of batches.entries()) {
      expect(batch.startsKeyframe).toBe(i % 25 === 0)
      if (batch.startsKeyframe) expect(batch).toMatchObject({ widthPx, heightPx })
      else expect(batch).not.toHaveProperty("widthPx")
      expect(batch.packets.map(({ marker }) => marker).indexOf(true)).toBe(batch.packets.length - 1)
    }
    const out = batches.flatMap((batch) => toFrames.push(batch))
    const times = (list: readonly VideoFrame[]) =>
      list.map(({ ptsUs, isKeyframe, units }) => ({ ptsUs, isKeyframe, units }))
    expect(times(out)).toEqual(times(frames))
    expect(new Set(out.map(({ track }) => track)).size).toBe(1)
  })

  test("on a link that loses, shuffles and repairs, only whole frames come out, in order", () => {
    const random = seededRandom(7)
    const toRtp = new VideoFramesToRtp(codec)
    const frames = stream(200)
    const arrivals = frames.flatMap((frame) => {
      const batch = toRtp.push(frame) as RtpBatch
      return batch.packets.map((packet, i) => {
        const chance = frame.ptsUs === 0 ? 1 : random()
        // One in fifty comes again later, and one in a hundred never.
        const delayMs = chance > 0.03 ? (frame.ptsUs === 0 ? 0 : random() * 5) : chance > 0.01 ? 120 : Number.NaN
        return { batch: { ...batch, packets: [packet] }, atMs: frame.ptsUs / 1000 + i + delayMs }
      })
    })
    const came = arrivals.filter(({ atMs }) => !Number.isNaN(atMs)).sort((a, b) => a.atMs - b.atMs)
    const toFrames = new VideoRtpToFrames(codec, { maxDelayMs: 200 })
    const out = came.flatMap(({ batch, atMs }) => toFrames.push(batch, atMs))
    out.push(...toFrames.onTimeout(1e9))
    const byTime = new Map(frames.map((frame) => [frame.ptsUs, frame]))
    for (const { ptsUs, units } of out) expect(units).toEqual(byTime.get(ptsUs)?.units)
    const hurt = new Set(arrivals.filter(({ atMs }) => Number.isNaN(atMs)).map(({ batch }) => batch.ptsUs))
    expect(hurt.size).toBeGreaterThan(0)
    // What is lost before a picture of AV1 may be its own beginning.
    const isHurt = ({ ptsUs }: VideoFrame, i: number) =>
      hurt.has(ptsUs) || (codec === "av1" && hurt.has(frames[i - 1]?.ptsUs ?? Number.NaN))
    expect(out.length).toBeGreaterThanOrEqual(decodable(frames, isHurt).length)
    expect(out.length).toBeLessThanOrEqual(decodable(frames, ({ ptsUs }) => hurt.has(ptsUs)).length)
    expect(out.map(({ ptsUs }) => ptsUs)).toEqual(out.map(({ ptsUs }) => ptsUs).toSorted((a, b) => a - b))
  })

  test("frames of another codec are left out", () => {
    const other = codec === "vp8" ? "vp9" : "vp8"
    expect(new VideoFramesToRtp(codec).push(codecFrame(other, true, [10], 0))).toBeUndefined()
  })
})

test("an HEVC keyframe begins with its parameter sets", () => {
  const batch = new VideoFramesToRtp("h265").push(codecFrame("h265", true, [2_000], 0))
  expect(batch?.packets[0]?.payload).toEqual(packetizeH265([H265_VPS, H265_SPS, H265_PPS])[0])
})

test("HEVC with B-frames goes out in decoding order with the decoding time, and says how many pictures a decoder holds back", () => {
  const toRtp = new VideoFramesToRtp("h265")
  const batches = [2, 6, 4, 3, 5].map((ptsFrames, dtsFrames) => {
    const frame = codecFrame("h265", dtsFrames === 0, [50], ptsFrames * FRAME_US)
    return toRtp.push({ ...frame, dtsUs: dtsFrames * FRAME_US }) as RtpBatch
  })
  expect(batches.map(({ timestamp }) => timestamp / 3_600)).toEqual([0, 1, 2, 3, 4])
  expect(batches.map(({ reorderDepth }) => reorderDepth)).toEqual([2, undefined, undefined, undefined, undefined])
})

test("an AV1 keyframe whose sequence header the publisher sent only once has it in front", () => {
  const frame = codecFrame("av1", true, [20], 0)
  const batch = new VideoFramesToRtp("av1").push({ ...frame, units: frame.units.slice(1) }) as RtpBatch
  const [out] = new VideoRtpToFrames("av1").push(batch)
  expect(out?.units[0]).toEqual(AV1_SEQUENCE_HEADER)
  expect(out?.units).toEqual(frame.units)
})
