import { expect, test } from "vitest"
import { SampleClock } from "../../src/audio/sample-clock.ts"
import { random } from "./random.ts"

const FRAME_US = 20_000
const FRAME_SAMPLES = 960

/** Feeds frames of 20 ms and returns what the clock says about each frame, and by how much it stretched it. */
function run(ptsUs: number[]): { timeUs: number; stretch: number }[] {
  const clock = new SampleClock()
  let position = 0
  return ptsUs.map((pts) => {
    const stretch = clock.align(pts, position)
    const timeUs = clock.timeAtUs(position)
    position += FRAME_SAMPLES + stretch
    return { timeUs, stretch }
  })
}

const times = (ptsUs: number[]) => run(ptsUs).map((frame) => frame.timeUs)
const sequence = (count: number, at: (index: number) => number) => Array.from({ length: count }, (_, i) => at(i))

const TEN_MINUTES = 30_000
const noise = random(7)
const steady = () => 0
test.each([
  { name: "RTMP's rounded milliseconds", drift: steady, jitter: (us: number) => -(us % 1000), withinMs: 1 },
  { name: "jitter of ±30 ms", drift: steady, jitter: () => (noise() - 0.5) * 60_000, withinMs: 35 },
  { name: "a clock that is 100 ppm fast", drift: (us: number) => us * 1e-4, jitter: steady, withinMs: 4 },
  { name: "a clock that is 500 ppm slow", drift: (us: number) => us * -5e-4, jitter: steady, withinMs: 6 },
  {
    name: "a fast clock with jitter",
    drift: (us: number) => us * 2e-4,
    jitter: () => (noise() - 0.5) * 40_000,
    withinMs: 25,
  },
])("follows $name for ten minutes", ({ drift, jitter, withinMs }) => {
  const truth = sequence(TEN_MINUTES, (i) => i * FRAME_US + drift(i * FRAME_US))
  const frames = times(truth.map((us) => Math.round(us + jitter(us))))
  const errorsMs = frames.map((us, i) => Math.abs(us - (truth[i] ?? 0)) / 1000)
  expect(Math.max(...errorsMs)).toBeLessThan(withinMs)
})

test("output times are a count of samples, whatever the input's jitter", () => {
  const jitter = random(3)
  const frames = run(sequence(5_000, (i) => i * FRAME_US + Math.round((jitter() - 0.5) * 60_000)))
  const steps = frames.slice(1).map(({ timeUs }, i) => {
    const samples = FRAME_SAMPLES + (frames[i]?.stretch ?? 0)
    return Math.abs(timeUs - (frames[i]?.timeUs ?? 0) - (samples * 1_000_000) / 48_000)
  })
  expect(Math.max(...steps)).toBeLessThan(1.001)
})

test("rounding to milliseconds never stretches the sound", () => {
  const clock = new SampleClock()
  const stretches = sequence(5_000, (i) => {
    const position = Math.round((i * 1024 * 48_000) / 44_100)
    return clock.align(Math.floor((i * 1_024_000) / 44_100) * 1000, position)
  })
  expect(stretches.every((samples) => samples === 0)).toBe(true)
})

test("the speed changes by no more than half a percent", () => {
  const frames = run(sequence(2_000, (i) => i * FRAME_US + (i > 100 ? 90_000 : 0)))
  expect(Math.max(...frames.map(({ stretch }) => stretch))).toBe(5)
  expect(Math.abs((frames.at(-1)?.timeUs ?? 0) - 1999 * FRAME_US - 90_000)).toBeLessThan(2_500)
})

test.each([5_000_000, -300_000, 120_000, -120_000])("a jump of %d µs moves the times at once", (jumpUs) => {
  const input = sequence(20, (i) => i * FRAME_US + (i >= 10 ? jumpUs : 0))
  expect(times(input)).toEqual(input)
})

test("the first frame sets the time", () => {
  expect(times([1_234_567, 1_254_567])).toEqual([1_234_567, 1_254_567])
})

test("a frame without sound leaves no anchor behind", () => {
  const clock = new SampleClock()
  clock.align(0, 0)
  clock.align(21_333, 0)
  expect(clock.timeAtUs(0)).toBe(21_333)
})

test("sound from before a jump keeps its time until it is out", () => {
  const clock = new SampleClock()
  clock.align(0, 0)
  clock.align(1_000_000, 1024)
  expect([0, 960, 1920].map((position) => clock.timeAtUs(position))).toEqual([0, 20_000, 1_018_667])
})
