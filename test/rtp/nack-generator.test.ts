import { expect, test } from "vitest"
import { NackGenerator } from "../../src/rtp/nack-generator.ts"
import { seededRandom } from "./h264-stream.ts"

const NOTHING = { sequenceNumbers: [], wantsKeyframe: false }

test("asks for nothing while packets come in order", () => {
  const nack = new NackGenerator()
  for (const number of [65_534, 65_535, 0, 1]) nack.onPacket(number, 0)
  expect(nack.nextTimeoutMs).toBeUndefined()
  expect(nack.poll(1_000)).toEqual(NOTHING)
})

test("asks for missing packets after a moment, again after a round trip, and stops when they come", () => {
  const nack = new NackGenerator({ reorderMs: 5 })
  nack.onPacket(65_534, 0)
  nack.onPacket(1, 10)
  expect(nack.nextTimeoutMs).toBe(15)
  expect(nack.poll(14, 50)).toEqual(NOTHING)
  expect(nack.poll(15, 50)).toEqual({ sequenceNumbers: [65_535, 0], wantsKeyframe: false })
  expect(nack.nextTimeoutMs).toBe(75)
  nack.onPacket(65_535, 60)
  expect(nack.poll(75, 50).sequenceNumbers).toEqual([0])
  nack.onPacket(0, 80)
  expect(nack.nextTimeoutMs).toBeUndefined()
})

test("a packet that was only late is not asked for", () => {
  const nack = new NackGenerator({ reorderMs: 5 })
  for (const [number, atMs] of [
    [1, 0],
    [3, 1],
    [2, 3],
  ] as const)
    nack.onPacket(number, atMs)
  expect(nack.poll(100)).toEqual(NOTHING)
})

test("gives up in time, and then wants a keyframe until one comes", () => {
  const nack = new NackGenerator({ giveUpMs: 200, keyframeRetryMs: 500 })
  nack.onPacket(1, 0)
  nack.onPacket(3, 0)
  const asked = []
  let wishes = 0
  for (let nowMs = 0; nowMs <= 1_300; nowMs += 5) {
    const request = nack.poll(nowMs, 40)
    asked.push(...request.sequenceNumbers)
    if (request.wantsKeyframe) wishes++
  }
  expect(asked).toEqual([2, 2, 2, 2])
  expect(wishes).toBe(3)
  nack.onKeyframe(90)
  expect(nack.nextTimeoutMs).toBeUndefined()
})

test("tries no more often than it may", () => {
  const nack = new NackGenerator({ maxTries: 2, giveUpMs: 10_000 })
  nack.onPacket(1, 0)
  nack.onPacket(3, 0)
  const requests = [10, 100, 200, 300].map((nowMs) => nack.poll(nowMs, 10))
  expect(requests.map(({ sequenceNumbers }) => sequenceNumbers.length)).toEqual([1, 1, 0, 0])
  expect(requests.map(({ wantsKeyframe }) => wantsKeyframe)).toEqual([false, false, true, false])
})

test("a gap that is too long is not asked for but wants a keyframe at once", () => {
  const nack = new NackGenerator({ maxMissing: 100 })
  nack.onPacket(1, 0)
  nack.onPacket(200, 0)
  expect(nack.poll(0)).toEqual({ sequenceNumbers: [], wantsKeyframe: true })
  nack.onPacket(50_000, 1)
  expect(nack.poll(10)).toEqual(NOTHING)
})

test("a keyframe makes what is missing before it needless", () => {
  const nack = new NackGenerator()
  for (const number of [1, 3, 5, 7]) nack.onPacket(number, 0)
  nack.onKeyframe(5)
  expect(nack.poll(100).sequenceNumbers).toEqual([6])
})

test("over a lossy link with retransmissions nearly everything comes", () => {
  const random = seededRandom(5)
  const nack = new NackGenerator({ giveUpMs: 1_000 })
  const missing = new Set<number>()
  let resent: { number: number; atMs: number }[] = []
  for (let nowMs = 0; nowMs < 10_000; nowMs++) {
    if (nowMs < 9_000) {
      const number = (64_000 + nowMs) & 0xffff
      if (nowMs > 0 && random() < 0.1) missing.add(number)
      else nack.onPacket(number, nowMs)
    }
    for (const { number } of resent.filter(({ atMs }) => atMs === nowMs)) {
      nack.onPacket(number, nowMs)
      missing.delete(number)
    }
    resent = resent.filter(({ atMs }) => atMs > nowMs)
    for (const number of nack.poll(nowMs, 30).sequenceNumbers) {
      if (random() > 0.2) resent.push({ number, atMs: nowMs + 30 })
    }
  }
  expect(missing.size).toBe(0)
  expect(nack.poll(10_000)).toEqual(NOTHING)
})

test("says of a packet for how long it had been asked for", () => {
  const nack = new NackGenerator({ reorderMs: 5 })
  nack.onPacket(1, 0)
  nack.onPacket(4, 0)
  expect(nack.onPacket(2, 3)).toBeUndefined()
  nack.poll(10, 40)
  nack.poll(60, 40)
  expect(nack.onPacket(3, 95)).toBe(85)
  expect(nack.onPacket(3, 96)).toBeUndefined()
})

test("wants no keyframe soon after it wanted one, even if one has come", () => {
  const nack = new NackGenerator({ keyframeRetryMs: 500 })
  nack.onPacket(1, 0)
  const wishesMs = []
  for (let nowMs = 0; nowMs < 2_000; nowMs += 20) {
    if (nowMs % 100 === 0) nack.wantKeyframe(nowMs)
    if (nack.poll(nowMs).wantsKeyframe) wishesMs.push(nowMs)
    if (nowMs % 100 === 60) nack.onKeyframe(1)
  }
  expect(wishesMs).toEqual([0, 500, 1_000, 1_500])
})
