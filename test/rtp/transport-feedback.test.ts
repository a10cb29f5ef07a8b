import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { RecvDelta, RtcpHeader, RunLengthChunk, StatusVectorChunk, TransportWideCC } from "werift"
import { parseRtcp, serializeRtcp } from "../../src/rtp/rtcp.ts"
import { reportedPackets, type TransportFeedback } from "../../src/rtp/rtcp-transport-feedback.ts"
import { TransportFeedbackRecorder } from "../../src/rtp/transport-feedback.ts"
import { allowGatewayErrors } from "../support/errors.ts"

/** Steps from one arrival to the next in ticks of 250 µs: mostly small ones, some large, some back. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 255 }) },
  { weight: 1, arbitrary: fc.integer({ min: -32_768, max: 32_767 }) },
)
const run = fc.oneof(
  fc.record({ length: fc.integer({ min: 1, max: 40 }), isLost: fc.boolean(), step: fc.constant(undefined) }),
  fc.record({ length: fc.constant(1), isLost: fc.boolean(), step }),
)
const feedback: fc.Arbitrary<TransportFeedback> = fc
  .record({
    senderSsrc: fc.nat({ max: 0xffffffff }),
    mediaSsrc: fc.nat({ max: 0xffffffff }),
    feedbackCount: fc.nat({ max: 0xff }),
    baseSequenceNumber: fc.nat({ max: 0xffff }),
    startTicks: fc.integer({ min: 2 ** 24, max: 2 ** 31 }),
    runs: fc.array(run, { minLength: 1, maxLength: 60 }),
    steps: fc.array(step, { minLength: 1, maxLength: 20 }),
  })
  .map(({ startTicks, runs, steps, ...fields }) => {
    let ticks = startTicks
    let drawn = 0
    const arrivalsUs = runs.flatMap(({ length, isLost, step: own }) =>
      Array.from({ length }, () => {
        if (isLost) return undefined
        ticks += own ?? (steps[drawn++ % steps.length] as number)
        return ticks * 250
      }),
    )
    return { type: "transport_feedback" as const, ...fields, arrivalsUs }
  })

const arrived = ({ arrivalsUs }: TransportFeedback) => arrivalsUs.filter((arrivalUs) => arrivalUs !== undefined)

test("what is written is read again", () => {
  fc.assert(
    fc.property(feedback, (packet) => {
      expect(parseRtcp(serializeRtcp([packet]))).toEqual([packet])
    }),
    { numRuns: 500 },
  )
})

test("a report on 500 packets, half of them lost, fits into a datagram whatever their arrivals", () => {
  const arrivalsUs = Array.from({ length: 500 }, (_, i) => (i % 2 === 0 ? 1e9 + i * 100_000 : undefined))
  const worst = Array.from({ length: 500 }, (_, i) => 1e9 + (i % 2) * 100_000)
  const packet = { type: "transport_feedback", senderSsrc: 1, mediaSsrc: 2, feedbackCount: 0 } as const
  expect(serializeRtcp([{ ...packet, baseSequenceNumber: 0, arrivalsUs }]).length).toBeLessThan(700)
  expect(serializeRtcp([{ ...packet, baseSequenceNumber: 0, arrivalsUs: worst }]).length).toBeLessThan(1_180)
})

test("long runs take four bytes, not one for each packet", () => {
  const arrivalsUs = [64_000, ...new Array<undefined>(3_000), 65_000]
  const packet = { type: "transport_feedback", senderSsrc: 1, mediaSsrc: 2, feedbackCount: 0 } as const
  expect(serializeRtcp([{ ...packet, baseSequenceNumber: 0, arrivalsUs }]).length).toBeLessThan(36)
})

test("refuses to write what the format cannot hold", () => {
  const packet = {
    type: "transport_feedback",
    senderSsrc: 1,
    mediaSsrc: 2,
    feedbackCount: 0,
    baseSequenceNumber: 0,
  } as const
  expect(() => serializeRtcp([{ ...packet, arrivalsUs: [] }])).toThrow(RangeError)
  expect(() => serializeRtcp([{ ...packet, arrivalsUs: [0, 9_000_000] }])).toThrow(RangeError)
  expect(() => serializeRtcp([{ ...packet, arrivalsUs: [9_000_000, 0] }])).toThrow(RangeError)
})

test("numbers the packets of a report across the wrap", () => {
  const packet = { type: "transport_feedback", senderSsrc: 1, mediaSsrc: 2, feedbackCount: 0 } as const
  expect(reportedPackets({ ...packet, baseSequenceNumber: 0xffff, arrivalsUs: [250, undefined] })).toEqual([
    { sequenceNumber: 0xffff, arrivalUs: 250 },
    { sequenceNumber: 0, arrivalUs: undefined },
  ])
})

test("no message makes it throw anything but GatewayError, and what is read can be written", () => {
  const message = fc.tuple(fc.nat(40), fc.uint8Array({ minLength: 4, maxLength: 44 })).map(([count, rest]) => {
    const words = 3 + Math.floor(rest.length / 4)
    const head = [0x8f, 205, 0, words, ...new Array<number>(10).fill(7), 0, count]
    return Uint8Array.from([...head, ...rest.subarray(0, words * 4 - 12)])
  })
  fc.assert(
    fc.property(message, (bytes) => {
      const packets = allowGatewayErrors(() => parseRtcp(bytes))
      if (packets === undefined) return
      expect(parseRtcp(serializeRtcp(packets))).toMatchObject([{ baseSequenceNumber: 0x0707 }])
    }),
    { numRuns: 3_000 },
  )
})

describe("with werift", () => {
  test("reads the same out of what we write", () => {
    fc.assert(
      fc.property(feedback, (packet) => {
        const bytes = Buffer.from(serializeRtcp([packet]))
        const theirs = TransportWideCC.deSerialize(bytes.subarray(4), RtcpHeader.deSerialize(bytes.subarray(0, 4)))
        expect(theirs.senderSsrc).toBe(packet.senderSsrc)
        expect(theirs.mediaSourceSsrc).toBe(packet.mediaSsrc)
        expect(theirs.baseSequenceNumber).toBe(packet.baseSequenceNumber)
        expect(theirs.packetStatusCount).toBe(packet.arrivalsUs.length)
        expect(theirs.fbPktCount).toBe(packet.feedbackCount)
        let arrivalUs = theirs.referenceTime * 64_000
        expect(
          theirs.recvDeltas.map(({ delta }) => {
            arrivalUs += delta
            return arrivalUs
          }),
        ).toEqual(arrived(packet))
        const received = theirs.packetChunks.flatMap((chunk) =>
          chunk instanceof RunLengthChunk
            ? new Array<number>(chunk.runLength).fill(chunk.packetStatus)
            : chunk.symbolList,
        )
        expect(received.slice(0, packet.arrivalsUs.length).map((status) => status !== 0)).toEqual(
          packet.arrivalsUs.map((arrivalUs) => arrivalUs !== undefined),
        )
      }),
      { numRuns: 300 },
    )
  })

  test("writes what we read the same", () => {
    fc.assert(
      fc.property(feedback, (packet) => {
        expect(parseRtcp(serializeByWerift(packet))).toEqual([packet])
      }),
      { numRuns: 300 },
    )
  })
})

/** All statuses in vectors of seven two-bit symbols except for the first one, which is a run of one. */
function serializeByWerift({ arrivalsUs, ...packet }: TransportFeedback): Uint8Array {
  const first = arrivalsUs.find((arrivalUs) => arrivalUs !== undefined) ?? 0
  const referenceTime = Math.floor(first / 64_000)
  let previousUs = referenceTime * 64_000
  const recvDeltas: TransportWideCC["recvDeltas"] = []
  const symbols = arrivalsUs.map((arrivalUs) => {
    if (arrivalUs === undefined) return 0
    const delta = arrivalUs - previousUs
    previousUs = arrivalUs
    const type = delta >= 0 && delta <= 255 * 250 ? 1 : 2
    recvDeltas.push(new RecvDelta({ type, delta }))
    return type
  })
  const packetChunks: TransportWideCC["packetChunks"] = [
    new RunLengthChunk({ packetStatus: symbols[0] as number, runLength: 1 }),
  ]
  for (let at = 1; at < symbols.length; at += 7) {
    const symbolList = Array.from({ length: 7 }, (_, i) => symbols[at + i] ?? 0)
    packetChunks.push(new StatusVectorChunk({ type: 1, symbolSize: 1, symbolList }))
  }
  const deltaBytes = recvDeltas.reduce((sum, { type }) => sum + (type as number), 0)
  // Told to pad, werift sets the padding bit also where there is nothing to pad.
  const padding = (packetChunks.length * 2 + deltaBytes) % 4 !== 0
  return new TransportWideCC({
    senderSsrc: packet.senderSsrc,
    mediaSourceSsrc: packet.mediaSsrc,
    baseSequenceNumber: packet.baseSequenceNumber,
    packetStatusCount: symbols.length,
    referenceTime,
    fbPktCount: packet.feedbackCount,
    packetChunks,
    recvDeltas,
    header: new RtcpHeader({ type: 205, count: 15, version: 2, padding }),
  }).serialize()
}

describe("the recorder", () => {
  const open = () => new TransportFeedbackRecorder({ senderSsrc: 1 })

  test("reports what came, and the gaps in it, once", () => {
    const recorder = open()
    expect(recorder.poll(0)).toBeUndefined()
    recorder.onPacket(65_534, 1_000, 7)
    recorder.onPacket(65_535, 2_000, 7)
    recorder.onPacket(1, 3_000, 8)
    expect(recorder.poll(10_000)).toEqual({
      type: "transport_feedback",
      senderSsrc: 1,
      mediaSsrc: 8,
      feedbackCount: 0,
      baseSequenceNumber: 65_534,
      arrivalsUs: [1_000, 2_000, undefined, 3_000],
    })
    expect(recorder.poll(100_000)).toBeUndefined()
  })

  test("waits between reports and counts them", () => {
    const recorder = open()
    recorder.onPacket(1, 1_000, 7)
    recorder.poll(0)
    recorder.onPacket(2, 2_000, 7)
    expect(recorder.poll(49_999)).toBeUndefined()
    expect(recorder.poll(50_000)).toMatchObject({ feedbackCount: 1, baseSequenceNumber: 2, arrivalsUs: [2_000] })
    recorder.onPacket(4, 3_000, 7)
    expect(recorder.poll(100_000)).toMatchObject({ baseSequenceNumber: 3, arrivalsUs: [undefined, 3_000] })
  })

  test("begins again with a packet that was reported as lost and comes after all", () => {
    const recorder = open()
    for (const number of [1, 3, 4]) recorder.onPacket(number, number * 1_000, 7)
    recorder.poll(0)
    recorder.onPacket(2, 5_000, 7)
    recorder.onPacket(4, 6_000, 7)
    expect(recorder.poll(60_000)).toMatchObject({ baseSequenceNumber: 2, arrivalsUs: [5_000, 3_000, 4_000] })
    recorder.onPacket(4, 7_000, 7)
    expect(recorder.poll(120_000)).toBeUndefined()
  })

  test("tells more than a report holds in several at once", () => {
    const recorder = open()
    for (let number = 0; number < 900; number++) recorder.onPacket(number, number * 10, 7)
    expect(recorder.poll(0)?.arrivalsUs).toHaveLength(500)
    expect(recorder.poll(0)).toMatchObject({ baseSequenceNumber: 500 })
    expect(recorder.poll(0)).toBeUndefined()
  })

  test("keeps steps in time that are too large for one report in two", () => {
    const recorder = open()
    recorder.onPacket(1, 0, 7)
    recorder.onPacket(3, 9_000_000, 7)
    expect(recorder.poll(0)?.arrivalsUs).toEqual([0, undefined])
    expect(recorder.poll(0)).toMatchObject({ baseSequenceNumber: 3, arrivalsUs: [9_000_000] })
  })

  test("begins anew after a jump, without a flood of losses", () => {
    const recorder = open()
    recorder.onPacket(1, 0, 7)
    recorder.onPacket(30_000, 1_000, 7)
    expect(recorder.poll(0)).toMatchObject({ baseSequenceNumber: 30_000, arrivalsUs: [1_000] })
    recorder.onPacket(20_000, 2_000, 7)
    expect(recorder.poll(50_000)).toMatchObject({ baseSequenceNumber: 20_000, arrivalsUs: [2_000] })
  })

  test("forgets the oldest where nobody polls", () => {
    const recorder = open()
    for (let number = 0; number < 5_000; number++) recorder.onPacket(number, number * 10, 7)
    const told: number[] = []
    for (let report = recorder.poll(0); report !== undefined; report = recorder.poll(0)) {
      told.push(...reportedPackets(report).map(({ sequenceNumber }) => sequenceNumber))
      expect(report.arrivalsUs).not.toContain(undefined)
    }
    expect(told.at(-1)).toBe(4_999)
    expect(told.length).toBeLessThan(1_025)
  })

  test("any arrivals give reports that can be written, and the last word on each packet is true", () => {
    const packet = fc.record({
      advance: fc.oneof(
        { weight: 9, arbitrary: fc.integer({ min: -5, max: 8 }) },
        { weight: 1, arbitrary: fc.integer({ min: -0x8000, max: 0x7fff }) },
      ),
      stepUs: fc.oneof(fc.nat(5_000), fc.nat(12_000_000)),
      polls: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.nat(0xffff), fc.array(packet, { maxLength: 200 }), (start, packets) => {
        const recorder = open()
        let number = start
        let nowUs = 0
        for (const { advance, stepUs, polls } of packets) {
          number = (number + advance) & 0xffff
          nowUs += stepUs
          recorder.onPacket(number, nowUs, 7)
          for (
            let report = polls ? recorder.poll(nowUs) : undefined;
            report !== undefined;
            report = recorder.poll(nowUs)
          ) {
            expect(report.arrivalsUs.length).toBeLessThanOrEqual(500)
            expect(arrived(report).length).toBeGreaterThan(0)
            const [read] = parseRtcp(serializeRtcp([report])) as [TransportFeedback]
            read.arrivalsUs.forEach((arrivalUs, i) => {
              const exact = report?.arrivalsUs[i]
              if (exact === undefined) expect(arrivalUs).toBeUndefined()
              else expect(Math.abs((arrivalUs as number) - exact)).toBeLessThanOrEqual(125)
            })
          }
        }
      }),
    )
  })
})
