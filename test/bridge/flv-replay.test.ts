import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { parseFlvStart, pressPictures, replayAtLive } from "../../src/bridge/flv-replay.ts"
import type { H264Track, H265Track, MediaFrame, VideoFrame, VideoTrack } from "../../src/media/frame.ts"
import { hex } from "../support/bytes.ts"
import { gatewayErrorCode } from "../support/errors.ts"

const SIZE = { kind: "video", widthPx: 640, heightPx: 360 } as const
const H264: H264Track = { ...SIZE, codec: "h264", sps: [], pps: [] }
const AAC = {
  kind: "audio",
  codec: "aac",
  audioSpecificConfig: hex("1210"),
  sampleRateHz: 44_100,
  channels: 2,
} as const
/** Slices of a keyframe, of a picture that others refer to, and of one that none does. */
const SLICES = { I: "65 88", P: "41 9a", R: "41 9e", b: "01 9e" } as const
type Kind = keyof typeof SLICES

/** A picture by its kind and its decoding and presentation time in ms. */
function picture([kind, dtsMs, ptsMs]: readonly [Kind, number, number], track: VideoTrack = H264): VideoFrame {
  return {
    track,
    dtsUs: dtsMs * 1000,
    ptsUs: ptsMs * 1000,
    isKeyframe: kind === "I",
    units: [hex(SLICES[kind])],
  }
}

function sound(ptsMs: number): MediaFrame {
  return { track: AAC, ptsUs: ptsMs * 1000, data: new Uint8Array(1) }
}

const timesOf = (frames: readonly VideoFrame[]) => frames.map(({ dtsUs, ptsUs }) => [dtsUs / 1000, ptsUs / 1000])

describe("pictures pressed together at the live edge", () => {
  test.each<{ name: string; group: (readonly [Kind, number, number])[]; times: number[][] }>([
    { name: "nothing", group: [], times: [] },
    { name: "a keyframe alone keeps its time", group: [["I", 1_000, 1_000]], times: [[1_000, 1_000]] },
    {
      name: "without B-frames",
      group: [
        ["I", 1_000, 1_000],
        ["P", 1_040, 1_040],
        ["P", 1_080, 1_080],
      ],
      times: [
        [1_078, 1_078],
        [1_079, 1_079],
        [1_080, 1_080],
      ],
    },
    {
      name: "a picture that is shown after live B-frames keeps its presentation time",
      group: [
        ["I", 0, 40],
        ["P", 40, 160],
        ["R", 80, 80],
        ["R", 120, 120],
        ["P", 160, 280],
      ],
      times: [
        [156, 157],
        [157, 160],
        [158, 158],
        [159, 159],
        [160, 280],
      ],
    },
    {
      name: "B-frames that none refers to are left out, also the newest picture",
      group: [
        ["I", 0, 40],
        ["P", 40, 120],
        ["b", 80, 80],
        ["P", 120, 200],
        ["b", 160, 160],
      ],
      times: [
        [158, 159],
        [159, 160],
        [160, 200],
      ],
    },
    {
      name: "a keyframe that is shown after the edge",
      group: [
        ["I", 0, 80],
        ["P", 40, 200],
      ],
      times: [
        [39, 80],
        [40, 200],
      ],
    },
    {
      name: "pictures at uneven distances: none is shown before it is decoded",
      group: [
        ["I", 0, 10],
        ["P", 40, 990],
        ["P", 80, 995],
        ["R", 900, 900],
        ["P", 1_000, 1_000],
      ],
      times: [
        [994, 996],
        [995, 998],
        [996, 999],
        [997, 997],
        [998, 1_000],
      ],
    },
    {
      name: "pictures that are a millisecond apart already stay as they are",
      group: [
        ["I", 0, 0],
        ["P", 1, 1],
        ["P", 2, 2],
      ],
      times: [
        [0, 0],
        [1, 1],
        [2, 2],
      ],
    },
  ])("$name", ({ group, times }) => {
    expect(timesOf(pressPictures(group.map((of) => picture(of))))).toEqual(times)
  })

  test("those who join between two pictures get the same frames", () => {
    const group = [picture(["I", 0, 0]), picture(["P", 40, 40])]
    expect(pressPictures([...group])).toBe(pressPictures([...group]))
    const later = pressPictures([...group, picture(["P", 80, 80])])
    expect(later.map(({ dtsUs }) => dtsUs)).toEqual([78_000, 79_000, 80_000])
  })

  test("a track that changes within the group stays where it changed", () => {
    const other: H264Track = { ...H264, pps: [hex("68")] }
    const pressed = pressPictures([picture(["I", 0, 0]), picture(["P", 40, 40], other), picture(["P", 80, 80], other)])
    expect(pressed.map(({ track }) => track)).toEqual([H264, other, other])
  })

  test("of HEVC, pictures of a layer below those that are announced stay: others may refer to them", () => {
    const sps = (layers: number) => Uint8Array.of(0x42, 1, (layers - 1) << 1, 0)
    const group = (layers: number) => {
      const track: H265Track = { ...SIZE, codec: "h265", vps: [], sps: [sps(layers)], pps: [] }
      const slices = ["26 01", "02 01", "00 01", "02 01"] // IDR, TRAIL_R, TRAIL_N, TRAIL_R of the lowest layer
      return slices.map((slice, i) => ({
        ...picture([i === 0 ? "I" : "P", i * 40, i * 40], track),
        units: [hex(slice)],
      }))
    }
    expect(pressPictures(group(1))).toHaveLength(3)
    expect(pressPictures(group(2))).toHaveLength(4)
  })
})

/** Groups as encoders make them: chains of P with up to three B-frames each, at even or uneven distances, cut anywhere. */
const streams = fc
  .record({
    minigops: fc.array(fc.array(fc.constantFrom<Kind>("R", "b"), { maxLength: 3 }), { minLength: 1, maxLength: 40 }),
    stepsMs: fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 5 }),
    startMs: fc.integer({ min: 0, max: 2 ** 33 }),
    extraDelay: fc.integer({ min: 0, max: 2 }),
    cutAt: fc.integer({ min: 1, max: 160 }),
  })
  .map(({ minigops, stepsMs, startMs, extraDelay, cutAt }) => {
    const kinds: Kind[] = ["I"]
    const shownAt = [0]
    for (const b of minigops) {
      const from = kinds.length
      kinds.push("P", ...b)
      shownAt.push(from + b.length, ...b.map((_, i) => from + i))
    }
    // One picture of delay is enough for pts >= dts here; encoders may have more.
    const slots = [startMs]
    for (let i = 0; i < kinds.length + 4; i++)
      slots.push((slots[i] as number) + (stepsMs[i % stepsMs.length] as number))
    const pictures = kinds.map((kind, i) =>
      picture([kind, slots[i] as number, slots[(shownAt[i] as number) + 1 + extraDelay] as number]),
    )
    const cut = Math.min(cutAt, pictures.length - 1)
    return { cached: pictures.slice(0, cut), live: pictures.slice(cut) }
  })

test("whatever the group: a valid stream that keeps what is referred to, and ends where live goes on", () => {
  const holds = ({ cached, live }: { cached: VideoFrame[]; live: VideoFrame[] }) => {
    const pressed = pressPictures(cached)
    const whole = [...pressed, ...live]
    const dts = whole.map(({ dtsUs }) => dtsUs)
    for (const [i, time] of dts.slice(1).entries()) expect(time - (dts[i] as number)).toBeGreaterThanOrEqual(1000)
    for (const { dtsUs, ptsUs } of whole) expect(ptsUs).toBeGreaterThanOrEqual(dtsUs)
    const pts = whole.map(({ ptsUs }) => ptsUs)
    expect(new Set(pts).size).toBe(pts.length)
    const kept = cached.filter(({ units: [slice] }) => pressed.some(({ units: [other] }) => other === slice))
    expect(kept.map(({ units }) => units)).toEqual(pressed.map(({ units }) => units))
    const isReferredTo = ({ units: [slice] }: VideoFrame) => slice?.[0] !== 1
    expect(kept).toEqual(expect.arrayContaining(cached.filter(isReferredTo)))
    const order = (frames: readonly VideoFrame[]) =>
      [...frames.entries()].sort(([, a], [, b]) => a.ptsUs - b.ptsUs).map(([i]) => i)
    expect(order(whole)).toEqual(order([...kept, ...live]))
    const edgeUs = (cached.at(-1) as VideoFrame).dtsUs
    expect(edgeUs - Math.min(...pressed.map(({ ptsUs }) => ptsUs))).toBeLessThan(pressed.length * 1000)
    expect(edgeUs - (pressed[0] as VideoFrame).dtsUs).toBeLessThan((pressed.length + 3) * 1000)
  }
  fc.assert(fc.property(streams, holds), { numRuns: 300 })
})

describe("what a reader that begins at live gets of the cache", () => {
  const group = [0, 40, 80, 120].map((timeMs) => picture([timeMs === 0 ? "I" : "P", timeMs, timeMs]))

  test("the pictures pressed, the sound at its own times, and how many pictures a second there are", () => {
    const sounds = [0, 60, 119, 130].map(sound)
    const { frames, pictureRateHz } = replayAtLive([...group, ...sounds], true)
    expect(frames).toEqual([...pressPictures(group), ...sounds])
    expect(pictureRateHz).toBe(25)
  })

  test.each([
    { name: "nothing", cached: [], hasPictures: true, expected: [] },
    { name: "sound alone: the newest", cached: [sound(0), sound(23)], hasPictures: false, expected: [sound(23)] },
    { name: "pictures that it cannot have", cached: [...group, sound(23)], hasPictures: false, expected: [sound(23)] },
    { name: "sound before the first picture comes", cached: [sound(0)], hasPictures: true, expected: [sound(0)] },
  ])("$name", ({ cached, hasPictures, expected }) => {
    expect(replayAtLive(cached, hasPictures)).toEqual({ frames: expected, pictureRateHz: undefined })
  })
})

test.each([
  { text: undefined, expected: "live" },
  { text: "", expected: "live" },
  { text: "live", expected: "live" },
  { text: "keyframe", expected: "keyframe" },
] as const)("start=$text means $expected", ({ text, expected }) => {
  expect(parseFlvStart(text, "live")).toBe(expected)
})

test.each(["Keyframe", "now", "10"])("start=%s is refused", (text) => {
  expect(gatewayErrorCode(() => parseFlvStart(text, "live"))).toBe("stream.start")
})
