import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { LinkCapacity } from "../../src/rtp/link-capacity.ts"
import type { TransportFeedback } from "../../src/rtp/rtcp-transport-feedback.ts"
import { seededRandom } from "./h264-stream.ts"

const PACKET_BYTES = 1_200
const BURST_PACKETS = 55
const STEP_MS = 5
const REPORT_MS = 60
/** The receiver's clock is another one. */
const CLOCK_MS = 7_000_000

function feedback(baseSequenceNumber: number, arrivalsMs: readonly (number | undefined)[]): TransportFeedback {
  const arrivalsUs = arrivalsMs.map((ms) => (ms === undefined ? undefined : Math.round(4 * ms) * 250))
  const sources = { senderSsrc: 1, mediaSsrc: 2, feedbackCount: 0 }
  return { type: "transport_feedback", ...sources, baseSequenceNumber: baseSequenceNumber & 0xffff, arrivalsUs }
}

interface Path {
  readonly linkBps?: number
  readonly queueMs?: number
  readonly delayMs?: number
  readonly jitterMs?: number
  readonly lossShare?: number
  /** The receiver looks at the network once in so long. */
  readonly lookMs?: number
  /** and not at all meanwhile. */
  readonly pause?: { readonly fromMs: number; readonly untilMs: number }
  readonly firstNumber?: number
  readonly seed?: number
}

/** Sends a burst, then at what `rate` gives, over a path that reports as browsers do; lost is what the link's queue had no room for. */
class Sender {
  readonly capacity = new LinkCapacity()
  nowMs = 0
  lostCount = 0
  linkBps: number
  readonly #path: Path
  readonly #random: () => number
  readonly #arrivals: (number | undefined)[] = []
  readonly #reports: { readonly dueMs: number; readonly report: TransportFeedback }[] = []
  #next: number
  #reported: number
  #freeMs = 0
  #budgetBytes = BURST_PACKETS * PACKET_BYTES

  constructor(path: Path) {
    this.#path = path
    this.linkBps = path.linkBps ?? 1e9
    this.#random = seededRandom(path.seed ?? 1)
    this.#next = path.firstNumber ?? 0
    this.#reported = this.#next
  }

  run(durationMs: number, rate: (capacity: LinkCapacity) => number = () => 9e6): this {
    const endMs = this.nowMs + durationMs
    for (; this.nowMs < endMs; this.nowMs += STEP_MS) {
      if (this.nowMs > 0) this.#budgetBytes += (rate(this.capacity) * STEP_MS) / 8_000
      for (; this.#budgetBytes >= PACKET_BYTES; this.#budgetBytes -= PACKET_BYTES) this.#send()
      if (this.nowMs % REPORT_MS === 0) this.#report()
      while ((this.#reports[0]?.dueMs ?? Number.POSITIVE_INFINITY) <= this.nowMs) {
        const next = this.#reports.shift()
        if (next !== undefined) this.capacity.onFeedback(next.report)
      }
    }
    return this
  }

  #send(): void {
    const { queueMs = 150, delayMs = 15, jitterMs = 0, lossShare = 0, lookMs = 1, pause } = this.#path
    this.capacity.onSent(this.#next++, PACKET_BYTES, this.nowMs)
    const isFull = this.#freeMs - this.nowMs > queueMs
    if (isFull) this.lostCount++
    if (isFull || this.#random() < lossShare) {
      this.#arrivals.push(undefined)
      return
    }
    this.#freeMs = Math.max(this.#freeMs, this.nowMs) + (PACKET_BYTES * 8_000) / this.linkBps
    const arrivalMs = this.#freeMs + delayMs + this.#random() * jitterMs
    const isPaused = pause !== undefined && arrivalMs >= pause.fromMs && arrivalMs < pause.untilMs
    this.#arrivals.push(isPaused ? pause.untilMs : Math.ceil(arrivalMs / lookMs) * lookMs)
  }

  /** All up to the last packet that has arrived. */
  #report(): void {
    const { delayMs = 15 } = this.#path
    const count = this.#arrivals.findLastIndex((arrivalMs) => arrivalMs !== undefined && arrivalMs <= this.nowMs) + 1
    if (count === 0) return
    const arrivalsMs = this.#arrivals.splice(0, count).map((ms) => (ms === undefined ? undefined : ms + CLOCK_MS))
    this.#reports.push({ dueMs: this.nowMs + delayMs, report: feedback(this.#reported, arrivalsMs) })
    this.#reported += count
  }
}

/** As a catch-up does. */
const asTold = (capacity: LinkCapacity) => Math.min(capacity.rateBps ?? 9e6, 50e6)

describe("the capacity of a link", () => {
  test.each([
    { linkBps: 2e6 },
    { linkBps: 5e6 },
    { linkBps: 10e6 },
    { linkBps: 10e6, jitterMs: 5 },
    { linkBps: 10e6, lookMs: 10 },
    { linkBps: 10e6, lossShare: 0.05 },
    { linkBps: 20e6 },
    { linkBps: 40e6 },
  ])("is known from the first report: %o", (path) => {
    const { capacity } = new Sender(path).run(150, () => 0)
    const share = (capacity.capacityBps ?? 0) / path.linkBps
    expect(share).toBeGreaterThan(0.75)
    expect(share).toBeLessThan(1.25)
  })

  test("is more than anybody needs where a burst arrives at once", () => {
    const { capacity } = new Sender({}).run(150, () => 0)
    expect(capacity.rateBps).toBeGreaterThan(100e6)
  })

  test("is not known without a report", () => {
    const sender = new Sender({})
    expect(sender.run(STEP_MS).capacity.rateBps).toBeUndefined()
  })

  test.each([
    { linkBps: 3e6, queueMs: 200 },
    { linkBps: 5e6 },
    { linkBps: 10e6 },
    { linkBps: 10e6, jitterMs: 8 },
    { linkBps: 10e6, lookMs: 10 },
    { linkBps: 10e6, delayMs: 60 },
    { linkBps: 20e6 },
    { linkBps: 40e6, lossShare: 0.03 },
  ])("leads to a rate that fills the link and loses nothing: %o", (path) => {
    const sender = new Sender(path).run(1_000, (capacity) => Math.min(capacity.rateBps ?? 3e6, 50e6))
    let sentBps = 0
    for (let i = 0; i < 200; i++) {
      sender.run(STEP_MS, asTold)
      sentBps += asTold(sender.capacity) / 200
    }
    expect(sender.lostCount).toBe(0)
    expect(sentBps).toBeGreaterThan(path.linkBps * 0.9)
    expect(sender.capacity.queuedMs).toBeLessThan(80)
  })

  test("falls with the link, and rises with it", () => {
    const sender = new Sender({ linkBps: 20e6 }).run(600, asTold)
    sender.linkBps = 10e6
    expect(sender.run(600, asTold).capacity.capacityBps).toBeLessThan(11e6)
    sender.linkBps = 30e6
    expect(sender.run(1_200, asTold).capacity.capacityBps).toBeGreaterThan(25e6)
  })

  test("is what arrives where packets are lost instead of waiting", () => {
    const capacity = new LinkCapacity()
    let number = 0
    for (let nowMs = 0; nowMs < 500; nowMs += 50) {
      // Of 30 packets in 50 ms two in three come: 3.8 Mbit/s.
      const arrivals = Array.from({ length: 30 }, (_, i) => (i % 3 === 2 ? undefined : nowMs + (i * 50) / 30))
      for (let i = 0; i < 30; i++) capacity.onSent(number + i, PACKET_BYTES, nowMs + (i * 50) / 30)
      capacity.onFeedback(feedback(number, arrivals))
      number += 30
    }
    expect(capacity.capacityBps).toBeGreaterThan(3.3e6)
    expect(capacity.capacityBps).toBeLessThan(4.5e6)
  })

  test("does not stay small after a pause of the receiver", () => {
    const sender = new Sender({ linkBps: 40e6, pause: { fromMs: 16, untilMs: 80 } }).run(150)
    expect(sender.capacity.capacityBps).toBeLessThan(20e6)
    expect(sender.run(800, asTold).capacity.capacityBps).toBeGreaterThan(30e6)
  })

  test("is the same whatever the numbers begin with: they wrap at 16 bits", () => {
    const told = (firstNumber: number) =>
      new Sender({ linkBps: 10e6, firstNumber }).run(400, asTold).capacity.capacityBps
    expect(told(65_520)).toBe(told(0))
    expect(told(65_400)).toBe(told(0))
  })

  test("is not changed by packets that nobody sent, and by those that were reported already", () => {
    const { capacity } = new Sender({ linkBps: 10e6 }).run(300, () => 0)
    const before = capacity.capacityBps
    capacity.onFeedback(feedback(0, Array(500).fill(0)))
    capacity.onFeedback(feedback(30_000, Array(4_000).fill(CLOCK_MS)))
    expect([capacity.capacityBps, capacity.queuedMs]).toEqual([before, capacity.queuedMs])
  })

  test("survives a clock that jumps", () => {
    const capacity = new LinkCapacity()
    for (let round = 0; round < 10; round++) {
      const sentMs = round * 60
      for (let i = 0; i < 50; i++) capacity.onSent(round * 50 + i, PACKET_BYTES, sentMs + i)
      const clockMs = round % 2 === 0 ? 0 : -1e9
      const arrivals = Array.from({ length: 50 }, (_, i) => clockMs + sentMs + i + 20)
      capacity.onFeedback(feedback(round * 50, arrivals))
    }
    expect(capacity.queuedMs).toBeLessThan(5)
    expect(capacity.rateBps).toBeGreaterThan(9e6)
  })

  test("is bounded whatever a viewer claims", () => {
    const step = fc.oneof(
      fc.record({ sent: fc.nat(100), passMs: fc.nat(200) }),
      fc.record({
        base: fc.nat(0xffff),
        arrivalsUs: fc.array(fc.option(fc.oneof(fc.integer(), fc.nat(200_000), fc.double()), { nil: undefined })),
      }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const capacity = new LinkCapacity()
        let nowMs = 0
        let number = 65_400
        for (const one of steps) {
          if ("sent" in one) {
            for (let i = 0; i < one.sent; i++) capacity.onSent(number++, PACKET_BYTES, nowMs)
            nowMs += one.passMs
          } else {
            const { base, arrivalsUs } = one
            capacity.onFeedback({ ...feedback(base % 3 === 0 ? base : number - (base % 200), []), arrivalsUs })
          }
          const { capacityBps, rateBps } = capacity
          if (capacityBps === undefined) continue
          expect(capacityBps).toBeGreaterThanOrEqual(300_000)
          expect(capacityBps).toBeLessThanOrEqual(1e9)
          expect(rateBps).toBeGreaterThanOrEqual(150_000)
          expect(rateBps).toBeLessThanOrEqual(1.1e9)
        }
      }),
    )
  })
})
