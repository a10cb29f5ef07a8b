import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { FlvAudioClock } from "../../src/bridge/flv-audio-clock.ts"
import { FlvTimeline } from "../../src/bridge/flv-timeline.ts"

type Step = [kind: "video" | "audio", timestampMs: number, expectedMs: number, nowMs?: number]

describe("timestamps become places on the timeline, in milliseconds", () => {
  test.each<{ name: string; baseMs?: number; steps: Step[] }>([
    {
      name: "from the base, whatever the first timestamp is",
      baseMs: 5_000,
      steps: [
        ["video", 123_456, 5_000],
        ["audio", 123_460, 5_004],
        ["video", 123_496, 5_040],
      ],
    },
    {
      name: "through the wrap at 32 bits",
      steps: [
        ["video", 2 ** 32 - 40, 0],
        ["audio", 2 ** 32 - 20, 20],
        ["video", 0, 40],
        ["audio", 3, 43],
      ],
    },
    {
      name: "through the start of a file over, with messages of both runs mixed",
      steps: [
        ["video", 9_920, 0],
        ["audio", 9_930, 10],
        ["video", 9_960, 40],
        ["audio", 9_953, 33],
        ["video", 0, 80],
        ["audio", 9_976, 56],
        ["audio", 0, 80],
        ["video", 40, 120],
        ["audio", 23, 103],
      ],
    },
    {
      name: "through a jump forwards",
      steps: [
        ["video", 0, 0],
        ["audio", 0, 0],
        ["video", 40, 40],
        ["audio", 23, 23],
        ["video", 1_000_000, 80],
        ["audio", 1_000_003, 83],
      ],
    },
    {
      name: "with a pause of one track, which is no jump",
      steps: [
        ["video", 0, 0],
        ["audio", 0, 0],
        ["video", 2_000, 2_000],
        ["video", 4_000, 4_000],
        ["video", 6_000, 6_000],
        ["audio", 6_010, 6_010],
      ],
    },
    {
      name: "with a pause of the publisher, as long as it was",
      steps: [
        ["video", 0, 0, 0],
        ["audio", 0, 0, 0],
        ["video", 20_000, 20_000, 20_010],
        ["audio", 20_010, 20_010, 20_010],
      ],
    },
    {
      name: "with a pause after which the publisher starts over",
      steps: [
        ["video", 500_000, 0, 0],
        ["audio", 500_000, 0, 0],
        ["video", 0, 20_010, 20_010],
        ["audio", 10, 20_020, 20_011],
      ],
    },
    {
      name: "with tracks that count from different numbers",
      steps: [
        ["video", 500_000, 0],
        ["audio", 0, 0],
        ["video", 500_040, 40],
        ["audio", 23, 23],
        ["video", 500_080, 80],
      ],
    },
  ])("$name", ({ baseMs = 0, steps }) => {
    const timeline = new FlvTimeline(baseMs * 1000)
    const got = steps.map(([kind, timestampMs, , nowMs = 0]) => timeline.map(kind, timestampMs, nowMs) / 1000)
    expect(got).toEqual(steps.map(([, , expectedMs]) => expectedMs))
  })
})

test("time never stands still or goes back within a track", () => {
  const timeline = new FlvTimeline(1_000_000)
  expect([100, 100, 90, 140].map((timestampMs) => timeline.map("video", timestampMs, 0))).toEqual([
    1_000_000, 1_000_001, 1_000_002, 1_040_000,
  ])
  const messages = fc.array(
    fc.tuple(fc.constantFrom("video" as const, "audio" as const), fc.integer({ min: 0, max: 0xffff_ffff })),
  )
  const property = fc.property(messages, (list) => {
    const line = new FlvTimeline(0)
    const last = { video: -1, audio: -1 }
    for (const [kind, timestampMs] of list) {
      const timeUs = line.map(kind, timestampMs, 0)
      expect(timeUs).toBeGreaterThan(last[kind])
      expect(Number.isSafeInteger(timeUs)).toBe(true)
      last[kind] = timeUs
    }
  })
  fc.assert(property)
})

describe("the audio clock", () => {
  const frameUs = (i: number) => Math.round((i * 1024 * 1e6) / 44_100)

  test("takes the rounding to milliseconds out", () => {
    const clock = new FlvAudioClock(44_100)
    for (let i = 0; i < 10_000; i++) {
      const roundedUs = Math.round(frameUs(i) / 1000) * 1000
      expect(clock.next(roundedUs, 1024)).toBe(frameUs(i))
    }
  })

  test("follows a publisher whose clock is slow, within 10 ms and evenly", () => {
    const clock = new FlvAudioClock(44_100)
    let last = clock.next(0, 1024)
    for (let i = 1; i < 10_000; i++) {
      const trueUs = frameUs(i) * 1.001
      const timeUs = clock.next(Math.round(trueUs), 1024)
      expect(Math.abs(timeUs - trueUs)).toBeLessThan(10_000)
      expect(Math.abs(timeUs - last - frameUs(1))).toBeLessThan(500)
      last = timeUs
    }
  })

  test("follows a jump at once and never goes back", () => {
    const clock = new FlvAudioClock(48_000)
    const times = [0, 21_333, 1_000_000, 1_021_333, 500_000, 521_333].map((timeUs) => clock.next(timeUs, 1024))
    expect(times).toEqual([0, 21_333, 1_000_000, 1_021_333, 1_021_334, 1_021_335])
  })
})
