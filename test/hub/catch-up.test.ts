import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { CatchUp, type CatchUpStep } from "../../src/hub/catch-up.ts"
import type { RtpBatch } from "../../src/media/packet.ts"

const FRAME_TICKS = 3_600
const OPTIONS = { nextSequenceNumber: 65_530, bytesPerMs: () => 10, leadTicks: 1_800 }
const QUICK = { ...OPTIONS, bytesPerMs: () => 1e6 }
/** What goes out at once. */
const BURST_BYTES = 64 * 1024

/** A group of pictures of 100-byte packets, `perFrame` of them to a picture, each in a batch of its own. */
function pictures(
  count: number,
  perFrame = 1,
  firstSequence = 100,
  firstTimestamp = 0xffff_f000,
  packetBytes = 100,
): RtpBatch[] {
  return Array.from({ length: count * perFrame }, (_, i) => ({
    kind: "video" as const,
    timestamp: (firstTimestamp + Math.floor(i / perFrame) * FRAME_TICKS) >>> 0,
    ptsUs: 0,
    startsKeyframe: i === 0,
    packets: [
      {
        sequenceNumber: (firstSequence + i) & 0xffff,
        marker: i % perFrame === perFrame - 1,
        payload: new Uint8Array(packetBytes),
      },
    ],
  }))
}

function sequenceNumbers(steps: CatchUpStep[]): number[] {
  return steps.flatMap(({ batch, sequenceOffset }) =>
    batch.packets.map(({ sequenceNumber }) => (sequenceNumber + sequenceOffset) & 0xffff),
  )
}

/** The same in one batch for each picture, as the packetizer makes them. */
function wholePictures(count: number, perFrame: number, packetBytes: number): RtpBatch[] {
  const parts = pictures(count, perFrame, 100, 0, packetBytes)
  return Array.from({ length: count }, (_, i) => {
    const own = parts.slice(i * perFrame, (i + 1) * perFrame)
    return { ...(own[0] as RtpBatch), packets: own.flatMap(({ packets }) => packets) }
  })
}

const bytesOf = (steps: CatchUpStep[]) =>
  steps.reduce((sum, { batch }) => sum + batch.packets.reduce((part, { payload }) => part + payload.length, 0), 0)

test.each([
  { name: "packet by packet", cached: pictures(250, 10, 100, 0, 1_000) },
  { name: "picture by picture", cached: wholePictures(250, 10, 1_000) },
])("a burst goes at once, the rest at the rate, numbered without a gap: $name", ({ cached }) => {
  const catchUp = new CatchUp({ ...OPTIONS, bytesPerMs: () => 1_000 })
  const steps = catchUp.step(cached, 0)
  expect(bytesOf(steps)).toBe(66_000)
  for (let nowMs = 5; nowMs <= 200; nowMs += 5) {
    steps.push(...catchUp.step(cached, nowMs))
    expect(bytesOf(steps) - BURST_BYTES - nowMs * 1_000).toBeLessThanOrEqual(1_000)
  }
  expect(bytesOf(steps)).toBeGreaterThan(BURST_BYTES + 199_000)
  expect(catchUp.isLive(cached)).toBe(false)
  let nowMs = 200
  for (; !catchUp.isLive(cached); nowMs += 5) steps.push(...catchUp.step(cached, nowMs))
  expect(nowMs).toBe(2_440)
  expect(sequenceNumbers(steps)).toEqual(Array.from({ length: 2_500 }, (_, i) => (65_530 + i) & 0xffff))
})

test("a large keyframe goes at a rate of its own, and not all at once", () => {
  const [keyframe, ...rest] = [...wholePictures(1, 300, 1_000), ...pictures(50, 1, 400, FRAME_TICKS, 1_000)]
  const cached = [keyframe as RtpBatch, ...rest]
  const catchUp = new CatchUp({ ...OPTIONS, bytesPerMs: (_, isKeyframe) => (isKeyframe ? 4_000 : 1_000) })
  const sent: number[] = []
  for (let nowMs = 0; nowMs <= 140; nowMs += 5) sent.push(bytesOf(catchUp.step(cached, nowMs)))
  const sentBy = (ms: number) => sent.slice(0, ms / 5 + 1).reduce((sum, bytes) => sum + bytes, 0)
  expect(sentBy(0)).toBe(66_000)
  expect(sentBy(55)).toBeLessThan(300_000)
  expect(sentBy(60)).toBeGreaterThanOrEqual(300_000)
  expect(sentBy(105) - sentBy(70)).toBeLessThanOrEqual(36_000)
})

test("a pause of the event loop is not made up for by a long burst", () => {
  const cached = pictures(250, 10, 100, 0, 1_000)
  const catchUp = new CatchUp({ ...OPTIONS, bytesPerMs: () => 2_000 })
  catchUp.step(cached, 0)
  expect(bytesOf(catchUp.step(cached, 1_000))).toBe(100_000)
})

test("the rate may change on the way, and goes by what remains", () => {
  const cached = pictures(250, 10, 100, 0, 1_000)
  let bytesPerMs = 1_000
  const remaining: number[] = []
  const options = {
    ...OPTIONS,
    bytesPerMs: (bytes: number) => {
      remaining.push(bytes)
      return bytesPerMs
    },
  }
  const catchUp = new CatchUp(options)
  catchUp.step(cached, 0)
  expect(bytesOf(catchUp.step(cached, 10))).toBeLessThanOrEqual(10_000)
  bytesPerMs = 5_000
  cached.push(...pictures(1, 1, 2_600, 250 * FRAME_TICKS, 1_000))
  expect(bytesOf(catchUp.step(cached, 20))).toBe(50_000)
  catchUp.step(cached, 30)
  expect(remaining).toEqual([2_500_000, 2_434_000, 2_425_000, 2_375_000])
})

test("what is sent besides takes from the same budget", () => {
  const cached = pictures(250, 10, 100, 0, 1_000)
  const catchUp = new CatchUp({ ...OPTIONS, bytesPerMs: () => 1_000 })
  catchUp.step(cached, 0)
  catchUp.spend(20_000)
  expect(catchUp.step(cached, 20)).toEqual([])
  expect(bytesOf(catchUp.step(cached, 40))).toBe(20_000)
})

test("timestamps rise from picture to picture, stay the same within one and end at the live edge", () => {
  const cached = pictures(50, 2)
  const catchUp = new CatchUp(QUICK)
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
  const cached = pictures(3, 1, 100, 0xffff_f000, BURST_BYTES)
  const catchUp = new CatchUp(QUICK)
  expect(catchUp.step(cached, 0)).toHaveLength(1)
  cached.push(...pictures(1, 1, 103, (0xffff_f000 + 3 * FRAME_TICKS) >>> 0))
  const steps = catchUp.step(cached, 10)
  expect(steps).toHaveLength(3)
  expect(steps.at(-1)?.timestamp).toBe(cached.at(-1)?.timestamp)
})

test("a newer keyframe ends the old run after the picture that has begun, and numbers run on without a gap", () => {
  const old = [...wholePictures(1, 100, 1_000), ...pictures(10)]
  const catchUp = new CatchUp(OPTIONS)
  const before = catchUp.step(old, 0)
  expect(before.map(({ batch }) => batch.packets.length)).toEqual([66])
  const fresh = pictures(2, 1, 110, (0xffff_f000 + 10 * FRAME_TICKS) >>> 0)
  const after: CatchUpStep[] = []
  for (let nowMs = 5; !catchUp.isLive(fresh); nowMs += 5) after.push(...catchUp.step(fresh, nowMs))
  expect(sequenceNumbers([...before, ...after])).toEqual(Array.from({ length: 102 }, (_, i) => (65_530 + i) & 0xffff))
  const ofOld = after.filter(({ batch }) => batch.timestamp === 0)
  expect(ofOld.every(({ timestamp }) => timestamp === before[0]?.timestamp)).toBe(true)
  expect(((after.at(-2)?.timestamp ?? 0) - (before[0]?.timestamp ?? 0)) | 0).toBeGreaterThan(0)
  expect(catchUp.isLive(old)).toBe(false)
})

test("a picture that came packet by packet is finished, too, before a newer keyframe", () => {
  const old = pictures(3, 100, 100, 0, 1_000)
  const catchUp = new CatchUp(OPTIONS)
  const steps = catchUp.step(old, 0)
  const fresh = pictures(2, 1, 900, 100 * FRAME_TICKS)
  for (let nowMs = 5; !catchUp.isLive(fresh); nowMs += 5) steps.push(...catchUp.step(fresh, nowMs))
  expect(sequenceNumbers(steps)).toEqual(Array.from({ length: 102 }, (_, i) => (65_530 + i) & 0xffff))
  expect(steps.filter(({ batch }) => old.includes(batch))).toHaveLength(100)
})

describe("pictures to which no other refers are left out where that is wanted", () => {
  /** Every other picture is disposable. */
  const group = (perFrame: number) => {
    const parts = pictures(6, perFrame, 100, 0, 1_000)
    return parts.map((batch): RtpBatch => {
      const isDisposable = (batch.timestamp / FRAME_TICKS) % 2 === 1
      return isDisposable ? { ...batch, isDisposable: true } : batch
    })
  }
  const replay = (cached: readonly RtpBatch[], leavesOut = (_: number) => true) => {
    const catchUp = new CatchUp({ ...QUICK, leavesOut })
    const steps = [...catchUp.step(cached, 0), ...catchUp.step(cached, 1)]
    expect(catchUp.isLive(cached)).toBe(true)
    const ids = steps.map(({ batch }) => batch.timestamp / FRAME_TICKS)
    return { ids, numbers: sequenceNumbers(steps), offset: catchUp.sequenceOffset }
  }

  test.each([1, 3])("as a whole, and numbers run on behind them: %i batches each", (perFrame) => {
    const { ids, numbers, offset } = replay(group(perFrame))
    expect([...new Set(ids)]).toEqual([0, 2, 4])
    expect(numbers).toEqual(Array.from({ length: 3 * perFrame }, (_, i) => (65_530 + i) & 0xffff))
    // The next live packet has the next number.
    expect((100 + 6 * perFrame + offset) & 0xffff).toBe((65_530 + 3 * perFrame) & 0xffff)
  })

  test("as long as that is so, by what remains", () => {
    const { ids } = replay(group(1), (remainingBytes) => remainingBytes > 2_000)
    expect(ids).toEqual([0, 2, 4, 5])
  })

  test("unless something of them or of the picture before is missing, which may come late", () => {
    const whole = group(3)
    expect(new Set(replay(whole.filter((_, i) => i !== 4)).ids)).toEqual(new Set([0, 1, 2, 4]))
    expect(new Set(replay(whole.filter((_, i) => i !== 2)).ids)).toEqual(new Set([0, 1, 2, 4]))
    expect(new Set(replay(whole.slice(0, 17)).ids)).toEqual(new Set([0, 2, 4, 5]))
  })
})

test("whatever is left out when, numbers run on and no other picture is missing", () => {
  const picture = fc.record({
    packets: fc.integer({ min: 1, max: 4 }),
    isDisposable: fc.boolean(),
    isWhole: fc.boolean(),
    leavesOut: fc.boolean(),
    isKeyframe: fc.constantFrom(true, false, false, false, false, false, false, false),
  })
  fc.assert(
    fc.property(fc.array(picture, { minLength: 1, maxLength: 60 }), fc.nat(0xffff), (all, first) => {
      let leavesOut = false
      const bytesPerMs = () => 400
      const catchUp = new CatchUp({ ...OPTIONS, bytesPerMs, leavesOut: () => leavesOut })
      const steps: CatchUpStep[] = []
      let cached: RtpBatch[] = []
      let next = first
      let nowMs = 0
      for (const [i, one] of all.entries()) {
        if (one.isKeyframe) cached = []
        const timestamp = i * FRAME_TICKS
        const parts = pictures(1, one.packets, next, timestamp, 6_000)
        next += one.packets
        const whole = { ...(parts[0] as RtpBatch), packets: parts.flatMap(({ packets }) => packets) }
        const isDisposable = one.isDisposable && !one.isKeyframe && { isDisposable: true as const }
        for (const batch of one.isWhole ? [whole] : parts) cached.push({ ...batch, ...isDisposable })
        leavesOut = one.leavesOut
        nowMs += 20
        steps.push(...catchUp.step(cached, nowMs))
      }
      for (; !catchUp.isLive(cached); nowMs += 20) steps.push(...catchUp.step(cached, nowMs))
      const numbers = sequenceNumbers(steps)
      expect(numbers).toEqual(
        Array.from({ length: numbers.length }, (_, i) => (OPTIONS.nextSequenceNumber + i) & 0xffff),
      )
      expect((next + catchUp.sequenceOffset) & 0xffff).toBe((OPTIONS.nextSequenceNumber + numbers.length) & 0xffff)
      const sent = new Set(steps.map(({ batch }) => batch.timestamp))
      const missing = cached.filter(({ timestamp, isDisposable }) => isDisposable !== true && !sent.has(timestamp))
      expect(missing).toEqual([])
    }),
  )
})

test("nothing cached means nothing to send and not live", () => {
  const catchUp = new CatchUp(OPTIONS)
  expect(catchUp.step([], 0)).toEqual([])
  expect(catchUp.isLive([])).toBe(false)
})

test("a keyframe of reordered pictures goes as often as fills the decoder, as frames of their own, and only once", () => {
  const [first, ...rest] = pictures(4)
  const cached = [{ ...(first as RtpBatch), reorderDepth: 2 }, ...rest]
  const catchUp = new CatchUp(QUICK)
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

test("copies of a keyframe that fill the decoder and did not all go out are those of the next keyframe", () => {
  const group = () =>
    wholePictures(3, 100, 1_000).map((batch, i) => ({ ...batch, ...(i === 0 && { reorderDepth: 2 }) }))
  const catchUp = new CatchUp(OPTIONS)
  catchUp.step(group(), 0)
  const cached = group()
  const steps: CatchUpStep[] = []
  for (let nowMs = 0; !catchUp.isLive(cached); nowMs += 50) steps.push(...catchUp.step(cached, nowMs))
  const sent = new Map<number, number>()
  for (const { batch } of steps) sent.set(batch.timestamp, (sent.get(batch.timestamp) ?? 0) + batch.packets.length)
  // Three times the new one, after the rest of the old one.
  expect([...sent.values()]).toEqual([34 + 300, 100, 100])
})

test("a keyframe that came packet by packet is repeated as a whole, and waited for until it is whole", () => {
  const [first, ...rest] = pictures(3) as [RtpBatch, ...RtpBatch[]]
  const [packet] = first.packets as [RtpBatch["packets"][0]]
  const part = (i: number, marker: boolean): RtpBatch => {
    const packets = [{ ...packet, marker, sequenceNumber: packet.sequenceNumber + i }]
    return { ...first, startsKeyframe: i === 0, packets, ...(i === 0 && { reorderDepth: 1 }) }
  }
  const keyframe = [part(0, false), part(2, true), part(1, false)] // the last two have overtaken one another
  const catchUp = new CatchUp(QUICK)
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
  const catchUp = new CatchUp({ ...QUICK, lastTimestamp })
  const steps = [...catchUp.step(cached, 0), ...catchUp.step(cached, 1)]
  expect(steps.map(({ timestamp }) => (timestamp - lastTimestamp) | 0)).toEqual([1, 2, 3, 4])
})
