import fc from "fast-check"
import { expect, test } from "vitest"
import { LayerSwitcher } from "../../src/hub/layer-switcher.ts"
import type { RtpBatch } from "../../src/media/packet.ts"
import { unwrapU16, unwrapU32 } from "../../src/media/time.ts"

function batch(sequenceNumber: number, timestamp: number, ptsUs: number, count = 1): RtpBatch {
  const packets = Array.from({ length: count }, (_, i) => ({
    sequenceNumber: (sequenceNumber + i) & 0xffff,
    marker: i === count - 1,
    payload: Uint8Array.of(i),
  }))
  return { kind: "video", timestamp: timestamp >>> 0, ptsUs, startsKeyframe: false, packets }
}

const numbersOf = (batches: readonly (RtpBatch | undefined)[]) =>
  batches.flatMap((one) => one?.packets.map(({ sequenceNumber }) => sequenceNumber) ?? [])

test("before the first keyframe nothing is passed on, and the first layer passes as it is", () => {
  const switcher = new LayerSwitcher()
  expect(switcher.push(batch(1, 0, 0))).toBeUndefined()
  const [first, second] = [batch(65_535, 90, 1_000), batch(0, 180, 2_000)]
  expect(switcher.switchTo("f", [first])).toEqual([first])
  expect(switcher.push(second)).toBe(second)
  expect(switcher.rid).toBe("f")
})

test("numbers and times go on from the layer before, and from what the lane had before that", () => {
  const switcher = new LayerSwitcher()
  switcher.restart(batch(65_533, 0xffff_ff00, 5_000_000, 2))
  const joined = switcher.switchTo("q", [batch(700, 1_000, 5_040_000, 2)])
  expect(numbersOf(joined)).toEqual([65_535, 0])
  expect(joined[0]?.timestamp).toBe((0xffff_ff00 + 3_600) >>> 0)
  const switched = switcher.switchTo("f", [batch(30, 77, 5_080_000)])
  expect(numbersOf(switched)).toEqual([1])
  expect(switched[0]?.timestamp).toBe((0xffff_ff00 + 7_200) >>> 0)
  expect(numbersOf([switcher.push(batch(31, 3_677, 5_120_000))])).toEqual([2])
})

test("a keyframe from the same moment as the last picture, or from before it, comes right after it", () => {
  const switcher = new LayerSwitcher()
  switcher.switchTo("q", [batch(1, 9_000, 100_000)])
  const [same] = switcher.switchTo("h", [batch(1, 9_000, 100_000)])
  expect(same).toMatchObject({ timestamp: 9_090, ptsUs: 101_000 })
  const [older] = switcher.switchTo("f", [batch(1, 5_000, 60_000)])
  expect(older).toMatchObject({ timestamp: 9_180, ptsUs: 102_000 })
})

test("packets from before the keyframe are dropped; those that overtook it go behind it", () => {
  const switcher = new LayerSwitcher()
  switcher.switchTo("q", [batch(10, 0, 0)])
  expect(numbersOf(switcher.switchTo("f", [batch(99, 0, 40_000), batch(101, 0, 40_000)]))).toEqual([11, 13])
  expect(switcher.push(batch(98, 0, 0))).toBeUndefined()
  expect(numbersOf([switcher.push(batch(100, 0, 40_000)), switcher.push(batch(102, 0, 40_000))])).toEqual([12, 14])
})

interface Step {
  readonly layer: number
  readonly elapsedMs: number
  readonly fate: "comes" | "late" | "lost"
  readonly isKeyframe: boolean
}

test("whatever is lost, late or switched, no number is given twice and none is left out, and pictures go forward in time", () => {
  const step: fc.Arbitrary<Step> = fc.record({
    layer: fc.nat(2),
    elapsedMs: fc.nat(50),
    fate: fc.constantFrom("comes", "comes", "comes", "late", "lost"),
    isKeyframe: fc.boolean(),
  })
  const sources = fc.array(fc.record({ number: fc.nat(65_535), ticks: fc.nat(2 ** 32 - 1), skewUs: fc.nat(30_000) }), {
    minLength: 3,
    maxLength: 3,
  })
  fc.assert(
    fc.property(sources, fc.array(step, { minLength: 50, maxLength: 300, size: "max" }), (starts, steps) => {
      const switcher = new LayerSwitcher()
      const layers = starts.map((start) => ({ ...start, held: undefined as RtpBatch | undefined }))
      const given = new Set<number>()
      let newest: number | undefined
      let latest: { timestamp: number; ptsUs: number } | undefined
      let shift = 0
      let elapsedMs = 0
      const take = (placed: RtpBatch | undefined, source: RtpBatch) => {
        if (placed === undefined) return
        const number = unwrapU16(placed.packets[0]?.sequenceNumber ?? 0, newest ?? 0)
        expect(given.has(number)).toBe(false)
        given.add(number)
        expect((number - (source.packets[0]?.sequenceNumber ?? 0)) & 0xffff).toBe(shift)
        newest = Math.max(number, newest ?? number)
        if (latest === undefined || unwrapU32(placed.timestamp, latest.timestamp) > latest.timestamp) latest = placed
      }
      for (const [i, { layer: at, elapsedMs: stepMs, fate, isKeyframe }] of steps.entries()) {
        elapsedMs += stepMs
        const layer = layers[at] as (typeof layers)[number]
        const packet = batch(layer.number++, layer.ticks + elapsedMs * 90, elapsedMs * 1000 + layer.skewUs)
        if (fate === "lost") continue
        if (fate === "late" && layer.held === undefined) {
          layer.held = packet
          continue
        }
        const rid = String(at)
        if (isKeyframe && rid !== switcher.rid && i % 3 === 0) {
          const [placed] = switcher.switchTo(rid, [packet])
          const number = placed?.packets[0]?.sequenceNumber ?? 0
          if (newest !== undefined) expect(number).toBe((newest + 1) & 0xffff)
          if (latest !== undefined) {
            expect(((placed?.timestamp ?? 0) - latest.timestamp) | 0).toBeGreaterThan(0)
            expect(placed?.ptsUs).toBeGreaterThan(latest.ptsUs)
          }
          shift = (number - (packet.packets[0]?.sequenceNumber ?? 0)) & 0xffff
          take(placed, packet)
        } else if (rid === switcher.rid) take(switcher.push(packet), packet)
        const { held } = layer
        layer.held = undefined
        if (held !== undefined && rid === switcher.rid) take(switcher.push(held), held)
      }
    }),
  )
})
