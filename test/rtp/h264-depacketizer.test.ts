import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { DepacketizedPicture, VideoPacket } from "../../src/rtp/depacketizer.ts"
import { H264Depacketizer } from "../../src/rtp/h264-depacketizer.ts"
import { packetizeH264 } from "../../src/rtp/h264-packetizer.ts"
import { hex, toHex } from "../support/bytes.ts"
import { PPS, packetsOf, SPS_320, SPS_640, seededRandom, slice } from "./h264-stream.ts"

const STAP_OF_SETS = packetizeH264([SPS_320, PPS])[0] as Uint8Array

/** A depacketizer that knows its track; its next sequence number is 1. */
function ready(options = {}): H264Depacketizer {
  const depacketizer = new H264Depacketizer(options)
  depacketizer.push({ sequenceNumber: 0, timestamp: 1, marker: false, payload: STAP_OF_SETS, ptsUs: 0 })
  return depacketizer
}

function run(depacketizer: H264Depacketizer, packets: readonly VideoPacket[]): DepacketizedPicture[] {
  return packets.flatMap((packet) => depacketizer.push(packet))
}

test.each([
  { name: "a single NAL unit", payloads: ["65 88aabb"], nalUnits: ["6588aabb"] },
  { name: "a STAP-A", payloads: ["78 0003 0605aa 0003 6588bb"], nalUnits: ["0605aa", "6588bb"] },
  { name: "an FU-A in three parts", payloads: ["7c85 8802", "7c05 0304", "7c45 05"], nalUnits: ["6588020304 05"] },
  { name: "an FU-A with start and end in one packet", payloads: ["7cc5 8802"], nalUnits: ["658802"] },
  {
    name: "several slices",
    payloads: ["6588aa", "6540bb", "7c85 4001", "7c45 02"],
    nalUnits: ["6588aa", "6540bb", "65400102"],
  },
  { name: "a picture without AUD and filler", payloads: ["09f0", "6588aa", "0cff80"], nalUnits: ["6588aa"] },
  { name: "a picture after a padding packet", payloads: ["", "6588aa"], nalUnits: ["6588aa"] },
])("makes an access unit of $name", ({ payloads, nalUnits }) => {
  const depacketizer = ready()
  const units = run(depacketizer, packetsOf(payloads.map(hex), { firstSequenceNumber: 1, timestamp: 3_000 }))
  expect(units.map((unit) => unit.units.map(toHex))).toEqual([nalUnits.map((nalUnit) => toHex(hex(nalUnit)))])
  expect(units[0]).toMatchObject({ timestamp: 3_000, ptsUs: 33_333, isKeyframe: true })
  expect(units[0]?.track).toMatchObject({ widthPx: 320, heightPx: 240, sps: [SPS_320], pps: [PPS] })
})

test.each([
  { name: "an empty STAP-A element", payloads: ["78 0000"], counter: "malformedPayloads" },
  { name: "a cut-off STAP-A", payloads: ["78 0009 6588"], counter: "malformedPayloads" },
  { name: "a STAP-A in a STAP-A", payloads: ["78 0003 780001"], counter: "malformedPayloads" },
  { name: "an FU-A without payload", payloads: ["7c85"], counter: "malformedPayloads" },
  { name: "an FU-A of a STAP-A", payloads: ["7c98 01"], counter: "malformedPayloads" },
  { name: "an FU-A that changes its type", payloads: ["7c85 88", "7c41 02"], counter: "malformedPayloads" },
  { name: "another packet amid an FU-A", payloads: ["7c85 88", "0605aa"], counter: "malformedPayloads" },
  { name: "an SPS that is none", payloads: ["6742"], counter: "malformedPayloads" },
  { name: "a STAP-B", payloads: ["79 0001 0003 6588aa"], counter: "unsupportedPayloads" },
  { name: "an MTAP16", payloads: ["7a 0001 0003 00 0000 6588aa"], counter: "unsupportedPayloads" },
  { name: "an FU-B", payloads: ["7d85 0001 88"], counter: "unsupportedPayloads" },
  { name: "type 0", payloads: ["00 88"], counter: "unsupportedPayloads" },
])("counts $name and discards the picture it stands in", ({ payloads, counter }) => {
  const depacketizer = ready()
  const all = [...payloads, "6588aa"].map(hex)
  expect(run(depacketizer, packetsOf(all, { firstSequenceNumber: 1, timestamp: 3_000 }))).toEqual([])
  expect(depacketizer.counters).toMatchObject({ [counter]: 1, discardedUnits: 1 })
  const next = packetsOf([hex("419a")], { firstSequenceNumber: 1 + all.length, timestamp: 6_000 })
  expect(run(depacketizer, next)).toHaveLength(1)
})

describe("after a loss", () => {
  const picture = ["7c81 88aa", "7c01 bb", "7c41 cc", "4140dd"].map(hex)

  test.each([0, 1, 2])("a picture without its packet %i is discarded", (missing) => {
    const depacketizer = ready()
    const packets = packetsOf(picture, { firstSequenceNumber: 1, timestamp: 3_000 }).toSpliced(missing, 1)
    expect(run(depacketizer, packets)).toEqual([])
    expect(depacketizer.counters).toMatchObject({ lostPackets: 1, discardedUnits: 1 })
  })

  test("a picture without its last packet is discarded, and the next one is good", () => {
    const depacketizer = ready()
    const packets = packetsOf(picture, { firstSequenceNumber: 1, timestamp: 3_000 }).slice(0, -1)
    packets.push(...packetsOf(picture, { firstSequenceNumber: 5, timestamp: 6_000 }))
    expect(run(depacketizer, packets).map((unit) => unit.timestamp)).toEqual([6_000])
    expect(depacketizer.counters).toMatchObject({ lostPackets: 1, discardedUnits: 1 })
  })

  test("a picture whose first slice is missing without a trace is discarded", () => {
    const depacketizer = ready()
    const packets = packetsOf(["4188aa", "4140bb"].map(hex), { firstSequenceNumber: 1, timestamp: 3_000 })
    const next = packetsOf(["4188aa", "4140bb"].map(hex), { firstSequenceNumber: 3, timestamp: 6_000 }).slice(1)
    expect(run(depacketizer, [...packets, ...next])).toHaveLength(1)
    expect(depacketizer.counters).toMatchObject({ lostPackets: 1, discardedUnits: 1 })
  })

  test("a whole picture that is missing costs no other", () => {
    const depacketizer = ready()
    const packets = packetsOf(picture, { firstSequenceNumber: 1, timestamp: 3_000 })
    const later = packetsOf(picture, { firstSequenceNumber: 9, timestamp: 9_000 })
    expect(run(depacketizer, [...packets, ...later])).toHaveLength(2)
    expect(depacketizer.counters).toMatchObject({ lostPackets: 4, discardedUnits: 0 })
  })

  test("a lost SEI costs nothing", () => {
    const depacketizer = ready()
    const packets = packetsOf([hex("0605aa"), ...picture], { firstSequenceNumber: 1, timestamp: 3_000 }).slice(1)
    expect(run(depacketizer, packets)).toHaveLength(1)
  })
})

describe("markers", () => {
  test("a sender without markers works a picture later", () => {
    const depacketizer = ready()
    const packets = [0, 1, 2].flatMap((i) =>
      packetsOf([slice(0x41, 9), slice(0x41, 9, false)], {
        firstSequenceNumber: 1 + 2 * i,
        timestamp: 3_000 * (i + 1),
        marker: false,
      }),
    )
    expect(run(depacketizer, packets).map((unit) => unit.timestamp)).toEqual([3_000, 6_000])
  })

  test("a sender that marks every slice costs one picture and is understood from then on", () => {
    const depacketizer = ready()
    const packets = [0, 1, 2, 3].flatMap((i) =>
      packetsOf([slice(0x41, 9), slice(0x41, 9, false), slice(0x41, 9, false)], {
        firstSequenceNumber: 1 + 3 * i,
        timestamp: 3_000 * (i + 1),
      }).map((packet) => ({ ...packet, marker: true })),
    )
    const units = run(depacketizer, packets)
    expect(units.slice(1).map((unit) => [unit.timestamp, unit.units.length])).toEqual([
      [6_000, 3],
      [9_000, 3],
    ])
  })
})

describe("parameter sets", () => {
  const idr = hex("6588aa")
  const gather = (groups: Uint8Array[][], timestamps: number[]) => {
    const depacketizer = new H264Depacketizer()
    let firstSequenceNumber = 65_530
    const units = groups.flatMap((payloads, i) => {
      const packets = packetsOf(payloads, { firstSequenceNumber, timestamp: timestamps[i] as number })
      firstSequenceNumber += payloads.length
      return run(depacketizer, packets)
    })
    return { units, counters: depacketizer.counters }
  }

  test.each([
    { name: "in packets of their own, as OBS sends them", groups: [[SPS_320, PPS, idr]], timestamps: [9] },
    { name: "in a STAP-A, as libwebrtc sends them", groups: [[STAP_OF_SETS, idr]], timestamps: [9] },
    { name: "in one STAP-A with the picture", groups: [packetizeH264([SPS_320, PPS, idr])], timestamps: [9] },
    { name: "with an earlier timestamp", groups: [[SPS_320, PPS], [idr]], timestamps: [1, 9] },
    { name: "each with an earlier timestamp", groups: [[SPS_320], [PPS], [idr]], timestamps: [1, 2, 9] },
    {
      name: "in fragments",
      groups: [[...packetizeH264([SPS_320], { maxPayloadBytes: 16 }), PPS, idr]],
      timestamps: [9],
    },
  ])("are found $name", ({ groups, timestamps }) => {
    const { units } = gather(groups, timestamps)
    expect(units).toHaveLength(1)
    expect(units[0]).toMatchObject({ timestamp: 9, track: { sps: [SPS_320], pps: [PPS] }, units: [idr] })
  })

  test("make a new track only where their bytes differ", () => {
    const groups = [[SPS_320, PPS, idr], [hex("419a")], [SPS_320, PPS, idr], [SPS_640, PPS, idr], [hex("419a")]]
    const { units } = gather(groups, [1, 2, 3, 4, 5])
    const tracks = units.map((unit) => unit.track)
    expect(tracks.map((track) => track.widthPx)).toEqual([320, 320, 320, 640, 640])
    expect(new Set(tracks).size).toBe(2)
  })

  test("that are missing make a picture undecodable", () => {
    const { units, counters } = gather([[hex("419a")], [idr], [SPS_320, PPS, idr]], [1, 2, 3])
    expect(units.map((unit) => unit.timestamp)).toEqual([3])
    expect(counters.undecodableUnits).toBe(2)
  })
})

test("an access unit above the bound is discarded and does not pile up", () => {
  const depacketizer = ready({ maxUnitBytes: 5_000 })
  const large = packetizeH264([slice(0x65, 9_000)])
  expect(run(depacketizer, packetsOf(large, { firstSequenceNumber: 1, timestamp: 3_000 }))).toEqual([])
  const small = packetizeH264([slice(0x65, 4_000)])
  const packets = packetsOf(small, { firstSequenceNumber: 1 + large.length, timestamp: 6_000 })
  expect(run(depacketizer, packets)).toHaveLength(1)
})

test("no packet sequence makes it throw", () => {
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(...["7c85 88", "7c05 01", "7c45 02", "6588", "4140"].map(hex), SPS_320, PPS, STAP_OF_SETS),
  )
  const packet = fc.record({
    sequenceNumber: fc.nat(20),
    timestamp: fc.nat(3),
    marker: fc.boolean(),
    payload,
    ptsUs: fc.nat(),
  })
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 60 }), (packets) => {
      const depacketizer = new H264Depacketizer({ maxUnitBytes: 500 })
      for (const unit of run(depacketizer, packets)) expect(unit.units.length).toBeGreaterThan(0)
    }),
    { numRuns: 1_000 },
  )
})

test("what a lossy link lets through whole comes out as it went in", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const random = seededRandom(seed)
    const depacketizer = new H264Depacketizer()
    const sent = new Map<number, Uint8Array[]>()
    const damaged = new Set<number>()
    const received: DepacketizedPicture[] = []
    let firstSequenceNumber = 65_000
    for (let i = 0; i < 300; i++) {
      const timestamp = (0xffff_0000 + i * 3_000) >>> 0
      const isKeyframe = i % 30 === 0
      const count = 1 + Math.floor(random() * 4)
      const slices = Array.from({ length: count }, (_, k) =>
        slice(isKeyframe ? 0x65 : 0x41, 20 + Math.floor(random() * (isKeyframe ? 30_000 : 3_000)), k === 0, i & 0x7f),
      )
      const payloads = packetizeH264(isKeyframe ? [SPS_320, PPS, ...slices] : slices)
      const packets = packetsOf(payloads, { firstSequenceNumber, timestamp })
      firstSequenceNumber += packets.length
      sent.set(timestamp, slices)
      for (const packet of packets) {
        if (i > 0 && random() < 0.03) damaged.add(timestamp)
        else received.push(...depacketizer.push(packet))
      }
    }
    const got = new Set(received.map((unit) => unit.timestamp))
    for (const unit of received) expect(unit.units).toEqual(sent.get(unit.timestamp))
    for (const timestamp of sent.keys()) if (!damaged.has(timestamp)) expect(got.has(timestamp)).toBe(true)
    expect(damaged.size).toBeGreaterThan(10)
  }
})
