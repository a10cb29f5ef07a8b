import { expect, test } from "vitest"
import { CatchUp, type CatchUpStep } from "../../src/hub/catch-up.ts"
import type { RtpBatch } from "../../src/media/packet.ts"

const FRAME_TICKS = 3_600
const OPTIONS = { nextSequenceNumber: 65_530, bytesPerMs: 10, leadTicks: 1_800 }

/** A group of pictures of 100-byte packets, `perFrame` of them to a picture, each in a batch of its own. */
function pictures(count: number, perFrame = 1, firstSequence = 100, firstTimestamp = 0xffff_f000): RtpBatch[] {
  return Array.from({ length: count * perFrame }, (_, i) => ({
    kind: "video" as const,
    timestamp: (firstTimestamp + Math.floor(i / perFrame) * FRAME_TICKS) >>> 0,
    ptsUs: 0,
    startsKeyframe: i === 0,
    packets: [
      {
        sequenceNumber: (firstSequence + i) & 0xffff,
        marker: i % perFrame === perFrame - 1,
        payload: new Uint8Array(100),
      },
    ],
  }))
}

function sequenceNumbers(steps: CatchUpStep[]): number[] {
  return steps.flatMap(({ batch, sequenceOffset }) =>
    batch.packets.map(({ sequenceNumber }) => (sequenceNumber + sequenceOffset) & 0xffff),
  )
}

test("the keyframe goes at once, the rest within the byte budget, numbered without a gap", () => {
  const cached = pictures(5, 3)
  const catchUp = new CatchUp(OPTIONS)
  const first = catchUp.step(cached, 0)
  expect(first).toHaveLength(3)
  const afterDebt = catchUp.step(cached, 30)
  expect(afterDebt).toHaveLength(0)
  const second = catchUp.step(cached, 50)
  expect(second).toHaveLength(2)
  expect(catchUp.isLive(cached)).toBe(false)
  const rest = catchUp.step(cached, 1_000)
  expect(sequenceNumbers([...first, ...second, ...rest])).toEqual(
    Array.from({ length: 15 }, (_, i) => (65_530 + i) & 0xffff),
  )
  expect(catchUp.isLive(cached)).toBe(true)
})

test("timestamps rise from picture to picture, stay the same within one and end at the live edge", () => {
  const cached = pictures(50, 2)
  const catchUp = new CatchUp({ ...OPTIONS, bytesPerMs: 1e6 })
  const steps = [...catchUp.step(cached, 0), ...catchUp.step(cached, 1)]
  const newest = cached.at(-1)?.timestamp ?? 0
  const behind = steps.map(({ timestamp }) => (newest - timestamp) | 0)
  expect(behind[0]).toBe(OPTIONS.leadTicks)
  expect(behind.at(-1)).toBe(0)
  for (let i = 2; i < behind.length; i += 2) {
    expect(behind[i]).toBeLessThan(behind[i - 1] ?? 0)
    expect(behind[i + 1]).toBe(behind[i])
  }
})

test("live pictures that come meanwhile are caught up with too", () => {
  const cached = pictures(3)
  const catchUp = new CatchUp(OPTIONS)
  catchUp.step(cached, 0)
  cached.push(...pictures(1, 1, 103, (0xffff_f000 + 3 * FRAME_TICKS) >>> 0))
  const steps = catchUp.step(cached, 1_000)
  expect(steps).toHaveLength(3)
  expect(steps.at(-1)?.timestamp).toBe(cached.at(-1)?.timestamp)
})

test("a newer keyframe ends the old run, and numbers run on without a gap", () => {
  const old = pictures(10)
  const catchUp = new CatchUp(OPTIONS)
  const before = catchUp.step(old, 0)
  const fresh = pictures(2, 1, 110, (0xffff_f000 + 10 * FRAME_TICKS) >>> 0)
  const after = [...catchUp.step(fresh, 5), ...catchUp.step(fresh, 1_000)]
  expect(sequenceNumbers([...before, ...after])).toEqual([65_530, 65_531, 65_532])
  expect(((after[0]?.timestamp ?? 0) - (before[0]?.timestamp ?? 0)) | 0).toBeGreaterThan(0)
  expect(catchUp.isLive(fresh)).toBe(true)
  expect(catchUp.isLive(old)).toBe(false)
})

test("nothing cached means nothing to send and not live", () => {
  const catchUp = new CatchUp(OPTIONS)
  expect(catchUp.step([], 0)).toEqual([])
  expect(catchUp.isLive([])).toBe(false)
})

test("a keyframe of reordered pictures goes as often as fills the decoder, as frames of their own, and only once", () => {
  const [first, ...rest] = pictures(4)
  const cached = [{ ...(first as RtpBatch), reorderDepth: 2 }, ...rest]
  const catchUp = new CatchUp({ ...OPTIONS, bytesPerMs: 1e6 })
  const steps = [...catchUp.step(cached, 0), ...catchUp.step(cached, 1)]
  expect(steps.map(({ batch }) => cached.indexOf(batch))).toEqual([0, 0, 0, 1, 2, 3])
  expect(sequenceNumbers(steps)).toEqual([65_530, 65_531, 65_532, 65_533, 65_534, 65_535])
  for (let i = 1; i < steps.length; i++) {
    expect(((steps[i]?.timestamp ?? 0) - (steps[i - 1]?.timestamp ?? 0)) | 0).toBeGreaterThan(0)
  }
  const newer = cached.map((batch) => ({ ...batch }))
  expect(sequenceNumbers(catchUp.step(newer, 2))).toEqual([0, 1, 2, 3])
  expect(catchUp.isLive(newer)).toBe(true)
})

test("a keyframe that came packet by packet is repeated as a whole, and waited for until it is whole", () => {
  const [first, ...rest] = pictures(3) as [RtpBatch, ...RtpBatch[]]
  const [packet] = first.packets as [RtpBatch["packets"][0]]
  const part = (i: number, marker: boolean): RtpBatch => {
    const packets = [{ ...packet, marker, sequenceNumber: packet.sequenceNumber + i }]
    return { ...first, startsKeyframe: i === 0, packets, ...(i === 0 && { reorderDepth: 1 }) }
  }
  const keyframe = [part(0, false), part(2, true), part(1, false)] // the last two have overtaken one another
  const catchUp = new CatchUp({ ...OPTIONS, bytesPerMs: 1e6 })
  const cached = [part(0, false)]
  expect(catchUp.step(cached, 0)).toEqual([])
  expect(catchUp.isLive(cached)).toBe(false)
  const later = rest.map((batch) => ({
    ...batch,
    packets: batch.packets.map((one) => ({ ...one, sequenceNumber: one.sequenceNumber + 2 })),
  }))
  const whole = [...keyframe, ...later]
  const steps = [...catchUp.step(whole, 1), ...catchUp.step(whole, 2)]
  expect(steps.map(({ batch }) => whole.indexOf(batch))).toEqual([0, 1, 2, 0, 1, 2, 3, 4])
  expect(sequenceNumbers(steps).map((number) => (number - 65_530) & 0xffff)).toEqual([0, 2, 1, 3, 5, 4, 6, 7])
  expect(new Set(steps.map(({ timestamp }) => timestamp)).size).toBe(4)
  expect(catchUp.isLive(whole)).toBe(true)
})

test("after what the viewer got before, timestamps rise from there, right behind the live edge", () => {
  const cached = pictures(4)
  const lastTimestamp = cached.at(-1)?.timestamp ?? 0
  const catchUp = new CatchUp({ ...OPTIONS, bytesPerMs: 1e6, lastTimestamp })
  const steps = [...catchUp.step(cached, 0), ...catchUp.step(cached, 1)]
  expect(steps.map(({ timestamp }) => (timestamp - lastTimestamp) | 0)).toEqual([1, 2, 3, 4])
})
