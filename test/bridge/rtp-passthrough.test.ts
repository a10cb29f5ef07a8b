import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { type PublisherPacket, RtpPassthrough } from "../../src/bridge/rtp-passthrough.ts"
import { VideoRtpToFrames } from "../../src/bridge/rtp-to-frames.ts"
import type { VideoCodec } from "../../src/media/codec.ts"
import type { RtpBatch } from "../../src/media/packet.ts"
import { packetizeH264 } from "../../src/rtp/h264-packetizer.ts"
import type { RtpPacket } from "../../src/rtp/packet.ts"
import { readCapture } from "../rtp/capture.ts"
import { PPS, SPS_320, SPS_640, seededRandom, slice } from "../rtp/h264-stream.ts"
import { hex } from "../support/bytes.ts"

const SETS = packetizeH264([SPS_320, PPS])[0] as Uint8Array
const IDR = hex("6588aa")
const IDR_START = hex("7c85 88")
const P = hex("419a")

interface Given {
  readonly number: number
  readonly timestamp?: number
  readonly payload?: Uint8Array
  readonly ssrc?: number
  readonly ptsUs?: number
  readonly marker?: boolean
}

function push(passthrough: RtpPassthrough, given: Given): RtpBatch | undefined {
  const { number, timestamp = number * 3_000, payload = P, ssrc = 1, marker = true } = given
  const ptsUs = given.ptsUs ?? Math.round((timestamp * 100) / 9)
  const packet: PublisherPacket = { ssrc, sequenceNumber: number & 0xffff, timestamp: timestamp >>> 0, marker, payload }
  return passthrough.push(packet, ptsUs)
}

function run(passthrough: RtpPassthrough, packets: readonly Given[]): (RtpBatch | undefined)[] {
  return packets.map((given) => push(passthrough, given))
}

function numbersOf(batches: readonly (RtpBatch | undefined)[]): (number[] | undefined)[] {
  return batches.map((batch) => batch?.packets.map(({ sequenceNumber }) => sequenceNumber))
}

function capturedBatches(codec: VideoCodec, packets: readonly RtpPacket[]) {
  const passthrough = new RtpPassthrough({ codec })
  return packets.map((packet) => passthrough.push(packet, Math.round((packet.timestamp * 100) / 9)))
}

const video = (previous?: RtpBatch) => new RtpPassthrough({ codec: "h264", previous })

describe("numbers and timestamps", () => {
  test("begin at 0 and at the timeline, keep gaps and late packets, and wrap", () => {
    const batches = run(
      video(),
      [65_534, 65_535, 65_538, 65_536, 65_537].map((number) => ({ number })),
    )
    expect(numbersOf(batches)).toEqual([[0], [1], [4], [2], [3]])
    expect(batches.map((batch) => (batch?.timestamp ?? 0) / 3_000)).toEqual([65_534, 65_535, 65_538, 65_536, 65_537])
  })

  test("the lane's clock follows the source's, not the corrections of the timeline", () => {
    const batches = run(video(), [
      { number: 1, timestamp: 0xffff_f000, ptsUs: 1_000_000 },
      { number: 2, timestamp: 0xffff_f000 + 3_000, ptsUs: 1_030_000 },
      { number: 3, timestamp: 0xffff_f000 + 6_000, ptsUs: 1_060_000 },
    ])
    expect(batches.map((batch) => batch?.timestamp)).toEqual([90_000, 93_000, 96_000])
  })

  test("go on through another SSRC, and leave packets of the old one out", () => {
    const passthrough = video()
    const batches = run(passthrough, [
      { number: 100, ptsUs: 1_000_000 },
      { number: 101, ptsUs: 1_033_333 },
      { number: 9_000, ssrc: 2, timestamp: 77, ptsUs: 3_033_333 },
      { number: 102, ptsUs: 3_040_000 },
      { number: 9_001, ssrc: 2, timestamp: 3_077, ptsUs: 3_066_667 },
    ])
    expect(numbersOf(batches)).toEqual([[0], [1], [2], undefined, [3]])
    expect(batches.map((batch) => batch?.timestamp)).toEqual([90_000, 93_000, 273_000, undefined, 276_000])
    expect(passthrough.counters.droppedPackets).toBe(1)
  })

  test("go on from a lane before and after a publisher's return with the same SSRC", () => {
    const packet = { sequenceNumber: 65_535, marker: true, payload: P }
    const previous = { kind: "video", timestamp: 5, ptsUs: 500_000, startsKeyframe: false, packets: [packet] } as const
    const passthrough = video(previous)
    const first = push(passthrough, { number: 7, timestamp: 1_000, ptsUs: 600_000 })
    expect(first).toMatchObject({ timestamp: 9_005, packets: [{ sequenceNumber: 0 }] })
    passthrough.restart()
    const second = push(passthrough, { number: 3, timestamp: 0, ptsUs: 700_000 })
    expect(second).toMatchObject({ timestamp: 18_005, packets: [{ sequenceNumber: 1 }] })
  })

  test("follow the timeline where the source's timestamps jump", () => {
    const batches = run(video(), [
      { number: 1, timestamp: 500_000, ptsUs: 1_000_000 },
      { number: 2, timestamp: 7, ptsUs: 1_500_000 },
      { number: 3, timestamp: 3_007, ptsUs: 1_533_333 },
    ])
    expect(batches.map((batch) => batch?.timestamp)).toEqual([90_000, 135_000, 138_000])
  })

  test("leave one number out where the source numbers anew", () => {
    const given = [1, 2, 30_000, 3, 40_000, 40_001, 40_002].map((number) => ({ number }))
    expect(numbersOf(run(video(), given))).toEqual([[0], [1], undefined, [2], undefined, [4], [5]])
  })

  test("a packet that comes twice, as itself and as its retransmission, goes on once", () => {
    const packets = [
      { number: 65_534 },
      { number: 0 },
      { number: 65_535 },
      { number: 65_535 },
      { number: 0 },
      { number: 1 },
    ]
    expect(numbersOf(run(video(), packets))).toEqual([[0], [2], [1], undefined, undefined, [3]])
  })

  test("packets from before the source's first one are dropped", () => {
    expect(numbersOf(run(video(), [{ number: 10 }, { number: 9 }, { number: 11 }]))).toEqual([[0], undefined, [1]])
  })
})

describe("keyframes", () => {
  const facts = (batches: readonly (RtpBatch | undefined)[]) =>
    batches.map((batch) => (batch?.startsKeyframe ? "start" : "") + (batch?.packets.length ?? 0))

  test.each([
    {
      name: "SPS, PPS and IDR in packets of their own",
      payloads: [SPS_320, PPS, IDR, P],
      expected: ["start1", "1", "1", "1"],
    },
    { name: "a STAP-A and an FU-A", payloads: [SETS, IDR_START, hex("7c45 01")], expected: ["start1", "1", "1"] },
    {
      name: "all in one STAP-A",
      payloads: [packetizeH264([SPS_320, PPS, IDR])[0] as Uint8Array, hex("6540bb")],
      expected: ["start1", "1"],
    },
  ])("with their parameter sets are passed as they are: $name", ({ payloads, expected }) => {
    const given = payloads.map((payload, i) => ({ number: i, timestamp: 9_000, payload }))
    expect(facts(run(video(), given))).toEqual(expected)
  })

  test.each([
    { name: "a single NAL unit", payload: IDR },
    { name: "an FU-A", payload: IDR_START },
    { name: "a STAP-A after an SEI", payload: hex("78 0003 0605aa 0003 6588aa") },
  ])("without parameter sets get those from before: $name", ({ payload }) => {
    const passthrough = video()
    const batches = run(passthrough, [
      { number: 10, timestamp: 0, payload: SPS_320 },
      { number: 11, timestamp: 0, payload: PPS },
      { number: 12, timestamp: 0, payload: IDR },
      { number: 13, timestamp: 3_000 },
      { number: 15, timestamp: 6_000, payload, marker: false },
      { number: 16, timestamp: 6_000, payload: hex("6540bb") },
      { number: 14, timestamp: 3_000 },
      { number: 17, timestamp: 9_000 },
    ])
    expect(facts(batches)).toEqual(["start1", "1", "1", "1", "start2", "1", "1", "1"])
    expect(numbersOf(batches)).toEqual([[0], [1], [2], [3], [5, 6], [7], [4], [8]])
    expect(batches[4]?.packets[0]).toMatchObject({ payload: SETS, marker: false })
    expect(batches[4]?.timestamp).toBe(batches[5]?.timestamp)
    expect(passthrough.counters.completedKeyframes).toBe(1)
  })

  test("take the sets with an earlier timestamp too, and the newest ones", () => {
    const batches = run(video(), [
      { number: 1, timestamp: 0, payload: SETS },
      { number: 2, timestamp: 3_000, payload: SPS_640 },
      { number: 3, timestamp: 3_000, payload: PPS },
      { number: 4, timestamp: 6_000, payload: IDR },
    ])
    expect(batches[3]?.packets[0]?.payload).toEqual(packetizeH264([SPS_640, PPS])[0])
    expect(batches[3]?.startsKeyframe).toBe(true)
  })

  test("take sets from SDP", () => {
    const passthrough = video()
    for (const set of [SPS_320, PPS, hex("67"), P]) passthrough.addParameterSet(set)
    expect(push(passthrough, { number: 1, payload: IDR })).toMatchObject({
      startsKeyframe: true,
      packets: [{ payload: SETS }, {}],
    })
  })

  test("without any known set are no start", () => {
    expect(facts(run(video(), [{ number: 1, payload: IDR }]))).toEqual(["1"])
  })

  test("that were overtaken by their own next packet are passed as they are", () => {
    const batches = run(video(), [
      { number: 1, timestamp: 0, payload: SETS },
      { number: 2, timestamp: 0, payload: IDR },
      { number: 4, timestamp: 3_000, payload: hex("7c45 01") },
      { number: 3, timestamp: 3_000, payload: IDR_START },
    ])
    expect(facts(batches)).toEqual(["start1", "1", "1", "1"])
    expect(numbersOf(batches)).toEqual([[0], [1], [3], [2]])
  })

  test("a source that repeats its SPS without a keyframe misleads once only", () => {
    const picture = (number: number, payload: Uint8Array) => [
      { number, timestamp: number * 3_000, payload: SETS },
      { number: number + 1, timestamp: number * 3_000, payload },
    ]
    const batches = run(video(), [...picture(1, P), ...picture(3, P), ...picture(5, IDR), ...picture(7, P)])
    expect(facts(batches)).toEqual(["start1", "1", "1", "1", "1", "start2", "1", "1"])
  })

  test("sound has none", () => {
    const passthrough = new RtpPassthrough({ codec: "opus" })
    const batch = push(passthrough, { number: 5, timestamp: 48_000, ptsUs: 1_000_000, payload: IDR })
    expect(batch).toMatchObject({ kind: "audio", timestamp: 48_000, startsKeyframe: false })
  })
})

describe("other codecs", () => {
  test.each([
    { name: "h265-ffmpeg", codec: "h265", size: [318, 178] },
    { name: "vp9-chromium", codec: "vp9", size: [158, 90] },
    { name: "av1-chromium", codec: "av1", size: [158, 90] },
  ] as const)(
    "$name passes byte for byte; its keyframes tell their size",
    ({ name, codec, size: [widthPx, heightPx] }) => {
      const packets = readCapture(name)
      const batches = capturedBatches(codec, packets)
      expect(batches.map((batch) => batch?.packets.map(({ payload }) => payload))).toEqual(
        packets.map(({ payload }) => [payload]),
      )
      const starts = batches.filter((batch) => batch?.startsKeyframe)
      expect(starts).toHaveLength(2)
      for (const start of starts) expect(start).toMatchObject({ widthPx, heightPx })
      expect(batches.filter((batch) => batch?.widthPx !== undefined)).toHaveLength(2)
    },
  )

  test("VP8 passes without picture ids, everything behind them as it was", () => {
    const packets = readCapture("vp8-chromium-simulcast").filter(({ payload }) => payload.length > 0)
    const batches = capturedBatches("vp8", packets)
    const descriptorBytes = 6
    expect(batches[0]).toMatchObject({ startsKeyframe: true, widthPx: 320, heightPx: 180 })
    for (const [i, { payload }] of packets.entries()) {
      const [first = 0, ...rest] = batches[i]?.packets[0]?.payload ?? []
      expect(first).toBe((payload[0] as number) & 0x7f)
      expect(rest).toEqual([...payload.subarray(descriptorBytes)])
    }
  })

  test("H.265 keyframes without parameter sets get those from before", () => {
    const packets = readCapture("h265-ffmpeg")
    const second = packets.findIndex(({ timestamp, payload }, i) => i > 0 && payload[0] === 0x60 && timestamp > 0)
    const batches = capturedBatches("h265", packets.toSpliced(second, 1))
    const completed = batches.findLast((batch) => batch?.startsKeyframe)
    expect(completed).toMatchObject({ widthPx: 318, heightPx: 178, packets: [{ marker: false }, {}] })
    expect(completed?.packets[0]?.payload[0]).toBe(0x60)
  })
})

test("header extensions go on with their packet", () => {
  const extensions = [{ name: "playoutDelay", value: hex("000000") }] as const
  const packet = { ssrc: 1, sequenceNumber: 7, timestamp: 0, marker: true, payload: IDR }
  const passthrough = video()
  for (const set of [SPS_320, PPS]) passthrough.addParameterSet(set)
  const [sets, idr] = passthrough.push({ ...packet, extensions }, 0)?.packets ?? []
  expect(idr?.extensions).toEqual(extensions)
  expect([sets, passthrough.push({ ...packet, sequenceNumber: 8 }, 0)?.packets[0]]).toEqual([
    { sequenceNumber: 0, marker: false, payload: SETS },
    { sequenceNumber: 2, marker: true, payload: IDR },
  ])
})

test("a borrowed payload is copied, another one is not", () => {
  const buffer = Uint8Array.of(...P)
  const copied = push(video(), { number: 1, payload: buffer })
  const kept = push(new RtpPassthrough({ codec: "h264", isPayloadBorrowed: false }), { number: 1, payload: buffer })
  buffer.fill(0)
  expect(copied?.packets[0]?.payload).toEqual(P)
  expect(kept?.packets[0]?.payload).toBe(buffer)
})

test("whatever comes, nothing throws and no number of the lane is given twice", () => {
  const payload = fc.oneof(fc.constantFrom(SPS_320, PPS, IDR, IDR_START, P, SETS), fc.uint8Array({ maxLength: 20 }))
  const given = fc.record({ step: fc.integer({ min: -3, max: 6 }), payload, sameTime: fc.boolean() })
  fc.assert(
    fc.property(fc.array(given, { maxLength: 150 }), (steps) => {
      const passthrough = video()
      const used = new Set<number>()
      let newest = 65_500
      for (const { step, payload, sameTime } of steps) {
        const number = newest + step
        newest = Math.max(newest, number)
        const batch = push(passthrough, { number, timestamp: (sameTime ? number - 1 : number) * 3_000, payload })
        for (const { sequenceNumber } of batch?.packets ?? []) {
          expect(used.has(sequenceNumber)).toBe(false)
          used.add(sequenceNumber)
        }
      }
    }),
    { numRuns: 1_000 },
  )
})

test("frames made of what passed a shuffling link without sets before keyframes are whole", () => {
  const random = seededRandom(4)
  const passthrough = video()
  passthrough.addParameterSet(SPS_320)
  passthrough.addParameterSet(PPS)
  const sent: { given: Given; at: number }[] = []
  const slices: Uint8Array[] = []
  let number = 65_000
  for (let i = 0; i < 200; i++) {
    const nalUnit = slice(i % 20 === 0 ? 0x65 : 0x41, 100 + Math.floor(random() * 5_000), true, i & 0x7f)
    slices.push(nalUnit)
    const payloads = packetizeH264([nalUnit])
    for (const [k, payload] of payloads.entries()) {
      const isFirst = k === 0 && i % 20 === 0 // overtaken keyframes get no sets, which is tested above
      const given = { number, timestamp: i * 3_000, payload, marker: k === payloads.length - 1 }
      sent.push({ given, at: number - 65_000 + (isFirst ? -3 : random() * 3) })
      number++
    }
  }
  const toFrames = new VideoRtpToFrames("h264")
  const frames = sent
    .sort((a, b) => a.at - b.at)
    .flatMap(({ given }) => {
      const batch = push(passthrough, given)
      return batch === undefined ? [] : toFrames.push(batch)
    })
  expect(passthrough.counters.droppedPackets).toBe(0)
  expect(frames.map(({ units }) => units[0])).toEqual(slices)
})
