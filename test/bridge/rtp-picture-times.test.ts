import { describe, expect, test } from "vitest"
import { PictureTimes } from "../../src/bridge/rtp-picture-times.ts"
import { seededRandom } from "../rtp/h264-stream.ts"

const run = (timesUs: readonly number[]) => {
  const times = new PictureTimes()
  return timesUs.map((timeUs) => times.next(timeUs))
}
const stepsOf = (timesUs: readonly number[]) => timesUs.slice(1).map((timeUs, i) => timeUs - (timesUs[i] as number))

/** Pictures that a reader would sort into a slot that is taken. */
function collisions(timesUs: readonly number[], rateHz: number): number {
  let taken = Number.NEGATIVE_INFINITY
  let count = 0
  for (const timeUs of timesUs) {
    const slot = Math.round(((timeUs - (timesUs[0] as number)) * rateHz) / 1_000_000)
    if (slot <= taken) count++
    taken = Math.max(taken, slot)
  }
  return count
}

test.each([24, 25, 27.3, 29.97, 30, 50, 60])("an even source of %f pictures a second stays as it is", (rateHz) => {
  const source = Array.from({ length: 2_000 }, (_, i) => Math.round(Math.round((i * 90_000) / rateHz) / 0.09))
  const moved = run(source).map((timeUs, i) => Math.abs(timeUs - (source[i] as number)))
  expect(Math.max(...moved)).toBeLessThan(200)
})

test("a camera on a busy machine gets an even beat: late pictures, lost ones, and pauses of the camera", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const random = seededRandom(seed)
    const source: number[] = []
    let pausedUs = 0
    for (let i = 0; i < 1_800; i++) {
      if (i > 100 && random() < 0.01) continue
      if (i > 100 && random() < 0.005) pausedUs += Math.round(random() * 20_000)
      const lateUs = random() < 0.15 ? Math.round(random() * 18_000) : 0
      source.push(Math.round(i * 33_333.33) + pausedUs + lateUs)
    }
    const smooth = run(source)
    expect(collisions(source.slice(20), 30)).toBeGreaterThan(3)
    expect(collisions(smooth.slice(20), 30)).toBe(0)
    const moved = smooth.map((timeUs, i) => Math.abs(timeUs - (source[i] as number)))
    expect(Math.max(...moved)).toBeLessThan(45_000)
  }
})

describe("times follow the source", () => {
  const even = (count: number, periodUs: number, startUs = 0) =>
    Array.from({ length: count }, (_, i) => startUs + i * periodUs)

  test("over a gap at once", () => {
    const source = [...even(40, 40_000), ...even(40, 40_000, 2_400_000)]
    expect(run(source)).toEqual(source)
  })

  test("to another rate within some pictures", () => {
    const faster = run([...even(60, 40_000), ...even(200, 20_000, 2_400_000)])
    expect(faster.at(-1)).toBe(2_400_000 + 199 * 20_000)
    const slower = run([...even(60, 20_000), ...even(200, 40_000, 1_200_000)])
    expect(Math.abs((slower.at(-1) as number) - (1_200_000 + 199 * 40_000))).toBeLessThan(20_000)
  })

  test("where it has no beat", () => {
    const random = seededRandom(9)
    let timeUs = 0
    const source = Array.from({ length: 300 }, () => {
      timeUs += 5_000 + Math.round(random() ** 2 * 400_000)
      return timeUs
    })
    expect(run(source)).toEqual(source)
  })

  test("where pictures are reordered", () => {
    const source = Array.from({ length: 40 }, (_, i) => [4, 1, 2, 3].map((place) => (4 * i + place) * 40_000)).flat()
    expect(run(source)).toEqual(source)
  })
})

test("whatever comes, times of rising source times rise, or are the source's own", () => {
  const random = seededRandom(11)
  for (let round = 0; round < 50; round++) {
    let timeUs = 0
    const periodUs = 10_000 + random() * 60_000
    const source = Array.from({ length: 200 }, () => {
      const chance = random()
      timeUs += Math.round(chance < 0.1 ? random() * 500_000 : periodUs * (0.7 + 0.6 * random())) + 1
      return timeUs
    })
    const smooth = run(source)
    for (const [i, stepUs] of stepsOf(smooth).entries()) if (stepUs <= 0) expect(smooth[i + 1]).toBe(source[i + 1])
  }
})
